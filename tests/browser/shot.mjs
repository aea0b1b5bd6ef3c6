// A picture of a page: ADDRESS FILE [WIDTH] [HEIGHT] [light|dark|print] [SELECTOR of what to click or scroll to first].
import { visit } from "./harness.mjs";

await visit(async ({ open, args: [address, file, width, height, look, selector] }) => {
  const size = { width: Number(width ?? 1280), height: Number(height ?? 900) };
  const page = await open(address, { viewport: size, colorScheme: look === "dark" ? "dark" : "light" });
  if (look === "print") await page.emulateMedia({ media: "print" });
  if (selector) {
    const target = page.locator(selector).first();
    await target.scrollIntoViewIfNeeded();
    if (selector.startsWith("label")) await target.click();
    await target.evaluate((it) => it.scrollIntoView());
  }
  await page.screenshot({ path: file });
  return { title: await page.title(), scroll: await page.evaluate(() => document.documentElement.scrollHeight) };
});
