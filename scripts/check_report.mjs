#!/usr/bin/env node
// Opens reports in headless Chromium at the width of a desktop and of a phone, in light and dark
// mode, and checks them: no errors on the console, no requests, no scripts, nothing wider than the
// window, no serious findings by axe-core, and everything readable without JavaScript. The page of
// an audit has one script, for its filters and keys, which are tried.
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
    const fullPage = (await page.evaluate(() => document.documentElement.scrollHeight)) < 16000; // the most that Chromium takes
    await page.screenshot({ path: join(values.screenshots, name), fullPage });
  }
  found.push(...(await page.evaluate(findFaults)));
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  found.push(...(await page.evaluate(findFaults)).map((text) => `with all details open: ${text}`));
  if (await page.locator("#filters").count()) found.push(...(await tryFilters(url)));
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
  const scripts = document.querySelector("meta[name=generator]")?.content === "tftl audit" ? 1 : 0;
  if (document.scripts.length > scripts) found.push(`${document.scripts.length} scripts`);
  return found;
}

// tryFilters uses the page of an audit as a person would, with the page's own policy.
async function tryFilters(url) {
  const found = [];
  const expect = (ok, text) => ok || found.push(text);
  const context = await browser.newContext();
  const used = await context.newPage();
  used.on("console", (m) => m.type() === "error" && found.push(`console: ${m.text()}`));
  await used.goto(url, { waitUntil: "load" });
  const shown = () => used.locator(".finding:not([hidden])");
  const all = await shown().count();
  const active = () => used.evaluate(() => document.activeElement.id);
  await used.keyboard.press("j");
  expect((await active()) === "f1", `j leads to ${await active()}`);
  await used.keyboard.press("j");
  await used.keyboard.press("j");
  await used.keyboard.press("k");
  expect((await active()) === (all > 1 ? "f2" : "f1"), `j, j and k lead to ${await active()}`);
  await used.keyboard.press("f");
  expect((await active()) === "kind", `f leads to ${await active()}`);
  for (const kind of await used.locator("#kind option").evaluateAll((options) => options.map((o) => o.value))) {
    await used.selectOption("#kind", kind);
    const selector = kind === "" ? ".finding" : kind === "leak" ? "[data-leak]" : `[data-kind="${kind}"]`;
    const [count, want] = [await shown().count(), await used.locator(selector).count()];
    expect(count === want && (await used.locator("#count").textContent()) === `${count} of ${all}`, `${kind}: ${count} shown, want ${want}`);
  }
  for (const part of ["train", "val", "test"]) {
    await used.selectOption("#kind", "");
    await used.selectOption("#part", part);
    const [count, want] = [await shown().count(), await used.locator(`[data-part~="${part}"]`).count()];
    expect(count === want, `${part}: ${count} shown, want ${want}`);
  }
  await used.keyboard.press("Escape");
  await used.evaluate(() => document.activeElement.blur());
  await used.keyboard.press("x");
  expect((await shown().count()) === all, "x does not show all");
  await context.close();

  const plain = await browser.newContext({ javaScriptEnabled: false });
  const read = await plain.newPage();
  await read.goto(url, { waitUntil: "load" });
  expect((await read.locator(".finding").count()) === all, "without JavaScript findings are missing");
  expect(!(await read.locator("#filters").isVisible()), "without JavaScript there are filters that do nothing");
  await plain.close();
  return found;
}
