// A picture of a page: ADDRESS FILE [WIDTH] [HEIGHT] [light|dark] [SELECTOR of what to open or scroll to first].
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address, file, width, height, scheme, selector] }) => {
  const size = { width: Number(width ?? 1280), height: Number(height ?? 900) };
  const page = await open(address, { viewport: size, colorScheme: scheme ?? "light" });
  if (selector) await page.locator(selector).first().scrollIntoViewIfNeeded();
  await page.screenshot({ path: file });
  return { title: await page.title(), scroll: await page.evaluate(() => document.documentElement.scrollHeight) };
});
