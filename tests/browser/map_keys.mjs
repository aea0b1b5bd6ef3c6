// The map of the review page by keyboard alone: takes an address. From box to box, through lines, into a part, to an endpoint.
import { hindrances, visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const page = await open(address);
  const home = new URL(address).origin;
  const drawn = async (path) => {
    await page.goto(home + path);
    await page.waitForSelector("#map[data-drawn=yes]");
    await page.locator("#map").focus();
  };
  const word = () => page.locator("#map-word").textContent();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
    return word();
  };
  const opened = async () => {
    await Promise.all([page.waitForEvent("domcontentloaded"), page.keyboard.press("Enter")]);
    return new URL(page.url());
  };
  const answer = { said: [] };
  await drawn("/map?asked=yes&ns=production&by=tier");
  answer.outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  answer.said.push(await press("Home"), await press("ArrowRight"), await press("n"), await press("Escape"));
  answer.hindrances = await hindrances(page);
  // what was looked for is chosen already
  await drawn("/map?asked=yes&ns=production&by=tier&q=cache");
  answer.found = await word();
  const part = await opened();
  answer.part = `${part.pathname} ${part.searchParams.get("at")}`;
  await drawn("/map?asked=yes&ns=production&at=production%2Fdata&q=cache");
  answer.inside = await word();
  const end = await opened();
  answer.end = `${end.pathname} ${end.searchParams.get("name")}`;
  answer.endHindrances = await hindrances(page);
  // a click chooses, and the panel has the links
  await drawn("/map?asked=yes&ns=production&by=workload&q=cache");
  answer.links = await page.locator("#map-open a, #map-sides a").evaluateAll((all) => all.map((it) => new URL(it.href).pathname));
  await page.locator("#map-sides button").first().click();
  answer.moved = await word();
  answer.focus = await page.evaluate(() => document.activeElement.id);
  // what is at an edge says so
  answer.edge = await press("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft");
  // no box covers another, no line runs behind one
  const drawing = () => page.evaluate(() => {
    const cy = document.getElementById("map")._cyreg.cy;
    const boxes = cy.nodes().map((node) => ({ node, at: node.boundingBox({ includeLabels: false }) }));
    const meet = (a, b) => a.x1 < b.x2 && b.x1 < a.x2 && a.y1 < b.y2 && b.y1 < a.y2;
    const covered = boxes.flatMap((a, n) => boxes.slice(n + 1).filter((b) => meet(a.at, b.at)).map((b) => `${a.node.data("name")} ${b.node.data("name")}`));
    return { boxes: boxes.length, covered, straight: cy.edges().length - cy.edges(".around, .beside").length };
  });
  answer.drawing = await drawing();
  answer.scrolled = await page.evaluate(() => {
    const wheel = new WheelEvent("wheel", { deltaY: 100, bubbles: true, cancelable: true });
    document.getElementById("map").dispatchEvent(wheel);
    return !wheel.defaultPrevented;
  });
  answer.wide = [];
  for (const width of [800, 400, 320]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of ["/", "/map", "/dependencies", "/export", "/endpoint?name=production%2Fdb"]) {
      await page.goto(home + path);
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) answer.wide.push(`${path} ${width}`);
    }
  }
  return answer;
});
