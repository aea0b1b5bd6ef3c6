// Pages in a real browser. A script calls `visit` with what it does; what that returns is printed as JSON.
//
// The visit fails where a page asks for anything outside its own origin (its own file, for file:), where something is
// said on the console as an error, where an exception is not caught, and where a Content-Security-Policy blocks anything.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  // whatever is asked for elsewhere is not even looked up
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];
// As long as anything on a page may take, on a machine that builds something else meanwhile.
const PATIENCE_MS = 60_000;

function executable() {
  const places = [process.env.FLOWMAP_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
  return places.find((place) => place && existsSync(place));
}

// What a page may ask for: its own origin; a file is its own origin.
function isOwn(url, home) {
  if (url.protocol === "data:" || url.protocol === "blob:" || url.href === "about:blank") return true;
  if (home.protocol === "file:") return url.protocol === "file:" && url.pathname === home.pathname;
  return url.origin === home.origin;
}

function watch(page, home, seen) {
  page.on("request", (request) => {
    const url = new URL(request.url());
    seen.requests.push(url.href.slice(0, 500));
    if (!isOwn(url, home)) seen.faults.push(`asked for ${url.href.slice(0, 500)}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error") seen.faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.faults.push(`uncaught: ${error.message}`));
  page.on("dialog", (dialog) => {
    seen.dialogs.push(dialog.message());
    dialog.accept();
  });
}

/// Opens a browser, does what is asked, prints what comes of it with all requests and dialogs, and ends.
///
/// `work` gets `open(address, options)`, which gives a page (options: those of a Playwright context, such as
/// `colorScheme`, `viewport`, `javaScriptEnabled`), and `args`, the arguments of the script. `seen.expected` takes
/// regular expressions of faults that a script provokes on purpose.
export async function visit(work) {
  const folder = mkdtempSync(join(tmpdir(), "flowmap-browser-"));
  const isRoot = process.getuid?.() === 0;
  const args = isRoot ? [...FLAGS, "--no-sandbox"] : FLAGS;
  const seen = { requests: [], dialogs: [], faults: [], expected: [] };
  let browser;
  try {
    browser = await chromium.launch({
      executablePath: executable(),
      args: [...args, `--disk-cache-dir=${join(folder, "cache")}`],
      env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder },
    });
    const open = async (address, options = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      watch(page, new URL(address), seen);
      await page.goto(address, { timeout: PATIENCE_MS });
      return page;
    };
    const answer = await work({ open, args: process.argv.slice(2), seen });
    const faults = seen.faults.filter((fault) => !seen.expected.some((known) => known.test(fault)));
    if (faults.length > 0) throw new Error(faults.join("\n"));
    console.log(JSON.stringify({ answer, requests: seen.requests, dialogs: seen.dialogs }));
  } finally {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const require = createRequire(import.meta.url);

/// What axe-core finds on a page that hinders people, but for trifles: the rule, how bad, and where (at most five places).
export async function hindrances(page) {
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter(({ impact }) => impact !== "minor")
    .map(({ id, impact, nodes }) => ({
      rule: id,
      impact,
      count: nodes.length,
      where: nodes.slice(0, 5).map((node) => `${node.target.join(" ")}: ${node.failureSummary ?? ""}`.slice(0, 400)),
    }));
}
