// Pictures of the review page: ADDRESS FOLDER NAME. The first page and the map, in light.
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address, folder, name] }) => {
  const page = await open(address, { viewport: { width: 1280, height: 960 }, colorScheme: "light", reducedMotion: "reduce" });
  await page.screenshot({ path: `${folder}/${name}.png` });
  // as wide as names that can be read need; many slanting lines make a large file
  await page.setViewportSize({ width: 1100, height: 900 });
  await page.getByRole("link", { name: "Map", exact: true }).click();
  await page.waitForSelector("#map[data-drawn=yes]");
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${folder}/${name}-map.png` });
  return {};
});
