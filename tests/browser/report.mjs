// Reads a report as people do: ADDRESS.
import { hindrances, visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const answer = {};
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(address, { colorScheme });
    answer[colorScheme] = {
      hindrances: await hindrances(page),
      background: await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor),
    };
  }
  const page = await open(address);
  answer.headings = await page.evaluate(() => [...document.querySelectorAll("h1,h2,h3,h4,h5")].map((it) => Number(it.tagName[1])));
  answer.outside = await page.evaluate(() =>
    [...document.querySelectorAll("svg.map")].flatMap((map) => [...map.querySelectorAll(".node")].filter((node) => {
      const box = node.querySelector("rect").getBBox();
      return [...node.querySelectorAll("text")].some((text) => text.getBBox().width > 0 && text.getBBox().x + text.getBBox().width > box.x + box.width);
    }).map((node) => node.textContent)),
  );
  // by keyboard alone: the first stop skips to the policies, further ones reach the search and a policy
  await page.keyboard.press("Tab");
  answer.first = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  answer.second = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.type("5432");
  // the page looks a moment after the last key, and on a busy machine once between two
  for (let now = ""; now === "" || now !== answer.found; ) {
    answer.found = now;
    await page.waitForTimeout(300);
    now = await page.locator("#found").textContent();
  }
  answer.shown = await page.locator(".policy:not([hidden]) h5").allTextContents();
  await page.locator(".policy:not([hidden]) > summary").first().focus();
  await page.keyboard.press("Enter");
  answer.opened = await page.locator(".policy[open]").count();
  await page.locator("#pick-seen").focus();
  await page.keyboard.press("ArrowRight");
  answer.after = await page.locator(".figure-after").isVisible();
  const plain = await open(address, { javaScriptEnabled: false });
  answer.plain = { tools: await plain.locator(".tools").isVisible(), policies: await plain.locator(".policy").count() };
  answer.injected = await page.evaluate(() => document.querySelectorAll("main script, main img, [onerror], [onload]").length);
  return answer;
});
