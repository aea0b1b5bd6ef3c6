// The map of the review page at several widths, without a keyboard: takes an address. How large names are where one has just
// come, whether ports cover each other, what buttons and fingers do, and where one is again after a line was opened.
import { hindrances, visit } from "./harness.mjs";

await visit(async ({ open, args: [address] }) => {
  const home = new URL(address).origin;
  const map = "/map?asked=yes&ns=production&by=workload";
  const answer = { names: [], covered: [], named: [] };
  const drawn = async (page) => {
    await page.goto(home + map);
    await page.waitForSelector("#map[data-drawn=yes]");
  };
  const zoom = (page) => page.evaluate(() => document.getElementById("map")._cyreg.cy.zoom());
  for (const width of [1280, 640, 380]) {
    const page = await open(address, { viewport: { width, height: 800 } });
    await drawn(page);
    const seen = await page.evaluate(() => {
      const cy = document.getElementById("map")._cyreg.cy;
      const all = cy.edges(".named").map((edge) => ({ ports: edge.data("ports"), at: edge.boundingBox({ includeNodes: false, includeEdges: false, includeOverlays: false, includeLabels: true }) }));
      // a few pixels are the room around a text
      const meet = (a, b) => Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1) > 6 && Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1) > 4;
      return {
        name: cy.zoom() * parseFloat(cy.nodes()[0].style("font-size")),
        covered: all.flatMap((a, n) => all.slice(n + 1).filter((b) => meet(a.at, b.at)).map((b) => `${a.ports} ${b.ports}`)),
        named: all.length,
      };
    });
    answer.names.push(seen.name);
    answer.covered.push(...seen.covered);
    answer.named.push(seen.named);
    await page.context().close();
  }
  const page = await open(address, { viewport: { width: 640, height: 800 }, hasTouch: true });
  await drawn(page);
  answer.word = await page.locator("#map-word").textContent();
  const levels = [await zoom(page)];
  for (const name of ["larger", "smaller", "show all"]) {
    await page.getByRole("button", { name, exact: true }).click();
    levels.push(await zoom(page));
  }
  answer.levels = levels;
  answer.whole = await page.evaluate(() => {
    const cy = document.getElementById("map")._cyreg.cy;
    const [seen, all] = [cy.extent(), cy.elements().boundingBox()];
    return all.x1 >= seen.x1 && all.x2 <= seen.x2;
  });
  answer.hindrances = await hindrances(page);
  // two fingers that go apart
  await drawn(page);
  const before = await zoom(page);
  const { x, y } = await page.locator("#map").boundingBox();
  const hand = await page.context().newCDPSession(page);
  const touch = (type, ...apart) => hand.send("Input.dispatchTouchEvent", { type, touchPoints: apart.map((far, id) => ({ x: x + 300 + far, y: y + 150, id })) });
  await touch("touchStart", -30);
  await touch("touchStart", -30, 30);
  for (let far = 35; far < 90; far += 5) {
    await touch("touchMove", -far, far);
    await page.waitForTimeout(20);
  }
  await touch("touchEnd");
  answer.pinched = (await zoom(page)) / before;
  // from a line to its page, and back
  await drawn(page);
  await page.locator("#map").focus();
  for (const key of ["Home", "ArrowRight", "n", "n"]) await page.keyboard.press(key);
  const line = await page.locator("#map-word").textContent();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/dependenc*");
  await page.goBack();
  await page.waitForSelector("#map[data-drawn=yes]");
  answer.line = line.slice(line.indexOf(": ") + 2);
  answer.again = await page.locator("#map-word").textContent();
  answer.focus = await page.evaluate(() => document.activeElement.id);
  return answer;
});
