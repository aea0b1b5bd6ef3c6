// The review page: reads the map, approves a policy, rejects a rule with a reason, widens another, exports. Takes an
// address and the folder that pictures go to, where they are wanted.
import { hindrances, visit } from "./harness.mjs";

const API = "production/api.yaml#api";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  const home = new URL(address).origin;
  const found = {};
  const look = async (name) => (found[name] = await hindrances(page));
  const policy = (key) => page.goto(`${home}/policy?policy=${encodeURIComponent(key)}`);
  await look("policies");

  await page.getByRole("link", { name: "Map", exact: true }).click();
  await page.waitForSelector("#map[data-drawn=yes]");
  const said = await page.locator("#map-word").textContent();
  const map = { drawn: said, rows: await page.locator("main table tbody tr").count() };
  await look("map");

  // what is typed as a reason is no decision yet
  await policy("production/db.yaml#db");
  await page.getByLabel("Reason").fill("must not go out");
  await page.getByLabel("Reason").press("Enter");
  const entered = await page.locator("h1 .chip").textContent();

  await policy("production/db.yaml#db");
  await page.getByRole("button", { name: "Approve as it is" }).click();
  const approved = await page.locator("h1 .chip").textContent();
  await look("policy");

  await policy(API);
  const rule = page.locator("section", { hasText: "May reach" }).locator("li", { has: page.locator("bdi", { hasText: /^cache$/ }) });
  await rule.getByText("Change this rule").click();
  await rule.getByRole("button", { name: "Remove…" }).click();
  const verdict = await page.getByRole("region", { name: "Connections with their verdicts" }).locator("table").textContent();
  await look("edit");
  await page.getByLabel("Reason").fill("no cache since May <b>");
  await page.getByRole("button", { name: "Decide so" }).click();
  const removed = await page.locator(".port.bad").first().textContent();

  const web = page.locator("section", { hasText: "May be reached by" }).locator("li", { has: page.locator("bdi", { hasText: /^web$/ }) });
  await web.getByText("Change this rule").click();
  await web.getByRole("button", { name: "Widen to its namespace…" }).click();
  await page.getByRole("button", { name: "Decide so" }).click();

  for (const name of ["Dependencies", "Denied", "Changes", "Decisions", "Export"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await look(name);
  }
  await page.getByRole("button", { name: /^Write / }).click();
  const written = await page.getByRole("status").textContent();

  // by keyboard: the first stop skips to the content
  await page.goto(home);
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement?.textContent);
  return { map, entered, approved, verdict, removed, written, first, found, wide: await isWide(page) };
});

// Whether a page is wider than the window: then it is hard to read.
function isWide(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
}
