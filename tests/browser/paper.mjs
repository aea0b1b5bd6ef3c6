// Pages of the review as they are printed: takes an address. What of the policies, of the YAML and of what was asked for is on
// paper, and what is cut.
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address, { viewport: { width: 720, height: 1000 } });
  const home = new URL(address).origin;
  await page.emulateMedia({ media: "print" });
  const on = async (path, read) => {
    await page.goto(`${home}${path}`);
    return page.evaluate(read);
  };
  const answer = {};
  answer.policies = await on("/?asked=yes&ns=production&since=2020-01-01T00:00:00Z&direction=ingress", () => ({
    names: [...document.querySelectorAll(".policies tbody th")].filter((it) => it.checkVisibility()).map((it) => it.innerText),
    asked: document.querySelector(".paper").innerText,
    buttons: [...document.querySelectorAll("button, input, select, h2")].filter((it) => it.checkVisibility()).map((it) => it.innerText),
    wide: document.documentElement.scrollWidth > innerWidth,
  }));
  answer.policy = await on("/policy?asked=yes&ns=production&policy=production%2Fapi.yaml%23api", () => {
    const yaml = document.querySelector("pre");
    return { cut: yaml.scrollWidth > yaml.clientWidth, yaml: yaml.checkVisibility() };
  });
  await page.emulateMedia({ media: "screen" });
  answer.screen = await on("/", () => document.querySelector(".paper").checkVisibility());
  return answer;
});
