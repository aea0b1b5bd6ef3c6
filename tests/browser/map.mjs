// Reads a map that is a page of its own: ADDRESS.
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
  // wide as it is, the picture scrolls by keyboard and the page does not
  const page = await open(address, { viewport: { width: 600, height: 500 } });
  await page.keyboard.press("Tab");
  answer.first = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("End");
  for (let n = 0; n < 5; n += 1) await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.activeElement.scrollLeft > 0);
  answer.isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  // who is pointed at stays bright with its lines
  const wide = await open(address);
  await wide.locator(".node").first().hover();
  answer.dimmed = await wide.locator(".line.dim").count();
  answer.lines = await wide.locator(".line").count();
  answer.tables = { caption: await wide.locator("table caption").textContent(), rows: await wide.locator("tbody tr").count() };
  answer.injected = await wide.evaluate(() => document.querySelectorAll("main script, main img, [onerror], [onload]").length);
  return answer;
});
