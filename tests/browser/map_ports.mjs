// The ports on the map of the review page: takes an address. How many lines have theirs, and how many of these lie level.
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  await page.goto(`${new URL(address).origin}/map?asked=yes&by=workload`);
  await page.waitForSelector("#map[data-drawn=yes]");
  return page.evaluate(() => {
    const cy = document.getElementById("map")._cyreg.cy;
    return { lines: cy.edges().length, named: cy.edges(".named").length, level: cy.edges(".level").map((edge) => edge.data("ports")) };
  });
});
