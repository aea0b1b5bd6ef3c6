// Whether the harness finds what it is there to find: takes an address.
import { hindrances, visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  return { title: await page.title(), hindrances: await hindrances(page) };
});
