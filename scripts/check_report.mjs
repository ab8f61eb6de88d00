#!/usr/bin/env node
// Opens reports in headless Chromium at the width of a desktop and of a phone, in light and dark
// mode, and checks them: no errors on the console, no requests, no scripts, nothing wider than the
// window, no serious findings by axe-core, and everything readable without JavaScript.
// `make check-report` installs the tools.
//
//     node check_report.mjs [--modules DIR] [--chromium FILE] [--screenshots DIR] report.html …

import { createRequire } from "node:module";
import { existsSync, mkdirSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modules: { type: "string", default: "build/check-report" },
    chromium: { type: "string", default: onPath("chromium", "chromium-browser", "google-chrome") },
    screenshots: { type: "string" },
  },
});
if (positionals.length === 0 || !values.chromium) {
  console.error("usage: check_report.mjs [--modules DIR] [--chromium FILE] [--screenshots DIR] report.html …");
  console.error(values.chromium ? "name at least one report" : "chromium is not on the PATH; use --chromium FILE");
  process.exit(2);
}
const require = createRequire(resolve(values.modules, "node_modules", "here.js"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core");
if (values.screenshots) mkdirSync(values.screenshots, { recursive: true });

const browser = await chromium.launch({
  executablePath: values.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let failures = 0;
for (const file of positionals) {
  for (const width of [1280, 400]) {
    for (const colorScheme of ["light", "dark"]) {
      const found = await look(file, width, colorScheme);
      console.log(`${found.length ? "FAIL" : "ok"}  ${file}  ${width} px, ${colorScheme}`);
      for (const text of found) console.log(`      ${text}`);
      failures += found.length;
    }
  }
}
await browser.close();
process.exit(failures ? 1 : 0);

// onPath returns the first of these programs that is on the PATH.
function onPath(...names) {
  const files = names.flatMap((name) => process.env.PATH.split(delimiter).map((dir) => join(dir, name)));
  return files.find((file) => existsSync(file)) ?? "";
}

// look opens a report and returns the faults that it finds.
async function look(file, width, colorScheme) {
  const found = [];
  const url = pathToFileURL(resolve(file)).href;
  // The page's policy allows no scripts, but axe is one. A script in the report would run too and show.
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  const page = await context.newPage();
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && found.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => found.push(`script: ${e.message}`));
  page.on("dialog", (d) => (found.push(`a script ran: ${d.message()}`), d.dismiss()));
  page.on("request", (r) => r.url() !== url && !r.url().startsWith("data:") && found.push(`request: ${r.url()}`));
  await page.goto(url, { waitUntil: "load" });
  if (values.screenshots) {
    const name = `${basename(dirname(resolve(file)))}-${width}-${colorScheme}.png`;
    await page.screenshot({ path: join(values.screenshots, name), fullPage: true });
  }
  found.push(...(await page.evaluate(findFaults)));
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  found.push(...(await page.evaluate(findFaults)).map((text) => `with all details open: ${text}`));
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
    found.push(`axe: ${v.id} (${v.impact}, ${v.nodes.length} times): ${v.help}; ${v.nodes[0].html.slice(0, 200)}`);
    found.push(`     ${v.nodes[0].failureSummary.replaceAll("\n", " ")}`);
  }
  await context.close();
  return found;
}

// findFaults runs in the page.
function findFaults() {
  const found = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > clientWidth + 1);
    found.push(`${scrollWidth} pixels wide in a window of ${clientWidth}: ${wide[0]?.outerHTML.slice(0, 120)}`);
  }
  for (const img of document.images) if (!img.naturalWidth) found.push(`image does not load: ${img.alt}`);
  if (document.scripts.length) found.push(`${document.scripts.length} scripts`);
  return found;
}
