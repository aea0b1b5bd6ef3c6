// Every page of the review of a store with hostile names: takes an address. Whatever runs that is not the page's own, the
// harness finds.
import { hindrances, visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  const home = new URL(address).origin;
  const seen = {};
  for (const path of ["/", "/map", "/map?asked=yes&by=tier", "/dependencies", "/denied", "/changes", "/history", "/export"]) {
    await page.goto(home + path);
    if (path.startsWith("/map")) await page.waitForSelector("#map[data-drawn=yes]");
    seen[path] = {
      scripts: await page.evaluate(() => [...document.scripts].filter((it) => !it.src.startsWith(location.origin)).length),
      images: await page.evaluate(() => [...document.images].filter((it) => !it.src.startsWith(location.origin)).length),
      isWide: await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
      hindrances: await hindrances(page),
    };
  }
  await page.goto(`${home}/dependencies`);
  const links = await page.locator("main table a").evaluateAll((all) => all.map((it) => it.href));
  for (const link of links.slice(0, 12)) await page.goto(link);
  return { seen, links: links.length };
});
