// How long pages of a large store take: takes an address. Times in milliseconds, until everything is drawn.
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  const home = new URL(address).origin;
  const times = {};
  for (const path of ["/", "/map", "/dependencies", "/dependencies?asked=yes&q=w17", "/denied", "/changes"]) {
    const start = Date.now();
    await page.goto(home + path);
    if (path.startsWith("/map")) await page.waitForSelector("#map[data-drawn=yes]");
    times[path] = Date.now() - start;
  }
  return times;
});
