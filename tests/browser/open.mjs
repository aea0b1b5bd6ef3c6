// How long a page takes to open, and how much is on it: ADDRESS.
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  const timing = await page.evaluate(() => {
    const [it] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return { parsed_ms: it.domContentLoadedEventEnd, loaded_ms: it.loadEventEnd, painted_ms: paint?.startTime ?? null };
  });
  const size = await page.evaluate(() => ({ elements: document.querySelectorAll("*").length, rows: document.querySelectorAll(".rules tbody tr").length }));
  return { ...timing, ...size };
});
