/**
 * A run's page in Chromium: every picture is drawn, zoom and dark mode work, nothing is asked of the network.
 * Skipped where there is no browser; the environment variable CHROMIUM names one.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chromium } from "../../bench/chromium.ts";
import { htmlOf } from "../../src/report/html.ts";
import { launch } from "../util/browser.ts";
import { hotspotPicture } from "./run.ts";

const command = chromium();
if (command === null) console.log("no browser: set CHROMIUM to look at a run's page");
const page = suite("report: page in Chromium");
const folder = mkdtempSync(join(tmpdir(), "heteromem-page-"));
let browser: Browser;
let opened: Page;
/** What went wrong in the page, and what it asked of the network. */
const problems: string[] = [];

/** The colors of an element's pixels, by how often each occurs. */
async function colorsOf(selector: string): Promise<Map<string, number>> {
  const image = await opened.locator(selector).screenshot();
  const list = await opened.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const counts: Record<string, number> = {};
    for (let i = 0; i < data.length; i += 4) {
      const key = `${data[i]},${data[i + 1]},${data[i + 2]}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return Object.entries(counts);
  }, image.toString("base64"));
  return new Map(list);
}

/** The device's color, and RAM's, light and dark. */
const DEVICE = { light: "213,94,0", dark: "240,136,62" };
const RAM = { light: "0,114,178", dark: "86,180,233" };

if (command !== null) {
  page.before(async () => {
    const path = join(folder, "run.html");
    writeFileSync(path, htmlOf(await hotspotPicture()));
    browser = await launch();
    const context = await browser.newContext({
      bypassCSP: true, // for this test's own look at pixels
      colorScheme: "light",
      viewport: { width: 1280, height: 900 },
    });
    opened = await context.newPage();
    opened.on("console", (message) => problems.push(message.text()));
    opened.on("pageerror", (error) => problems.push(error.message));
    opened.on("request", (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(request.url());
    });
    await opened.goto(pathToFileURL(path).href);
    await opened.waitForSelector("#resident canvas");
  });
  page.after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  page("every picture has pixels in its colors", async () => {
    for (const selector of ["#heat", "#faults", "#moves", "#link", "#resident", "#causes", "#sizes"]) {
      const colors = await colorsOf(selector);
      assert.ok(
        (colors.get(DEVICE.light) ?? 0) > 20,
        `${selector}: ${colors.size} colors, none the device's`,
      );
      if (selector !== "#resident") assert.ok((colors.get(RAM.light) ?? 0) > 20, `${selector}: none RAM's`);
    }
  });
  page("keys zoom the heat map and the charts, and 0 shows everything again", async () => {
    const before = (await colorsOf("#heat")).get(DEVICE.light);
    const chart = (await colorsOf("#moves")).get(DEVICE.light);
    await opened.locator("#heat").press("+");
    assert.is.not((await colorsOf("#heat")).get(DEVICE.light), before);
    assert.is.not((await colorsOf("#moves")).get(DEVICE.light), chart);
    await opened.locator("#heat").press("0");
    assert.is((await colorsOf("#heat")).get(DEVICE.light), before);
  });
  page("a drag zooms into times", async () => {
    const before = (await colorsOf("#heat")).get(DEVICE.light);
    const box = (await opened.locator("#heat").boundingBox())!;
    await opened.mouse.move(box.x + 300, box.y + 50);
    await opened.mouse.down();
    await opened.mouse.move(box.x + 500, box.y + 50);
    await opened.mouse.up();
    assert.is.not((await colorsOf("#heat")).get(DEVICE.light), before);
    await opened.locator("#heat").dblclick();
  });
  page("dark mode changes the colors, by the button", async () => {
    await opened.locator("#theme").click();
    for (const selector of ["#heat", "#moves", "#sizes"]) {
      const colors = await colorsOf(selector);
      assert.ok((colors.get(DEVICE.dark) ?? 0) > 20, selector);
      assert.is(colors.get(DEVICE.light), undefined, selector);
    }
    await opened.locator("#theme").click();
  });
  page("a heading sorts its table", async () => {
    const names = (): Promise<string[]> =>
      opened.locator("table").nth(-2).locator("td:first-child").allTextContents();
    assert.equal(await names(), ["temp", "next", "power"]);
    const heading = opened.locator("table").nth(-2).locator("th button").nth(2);
    await heading.click(); // accesses, the most first
    assert.equal(await names(), ["temp", "power", "next"]);
    await heading.click();
    assert.equal(await names(), ["next", "power", "temp"]);
  });
  page("pictures have alternatives in words", async () => {
    const heat = await opened.locator("#heat").getAttribute("aria-label");
    assert.match(heat!, /On the device at the end: temp: [\d.]+ %, next: [\d.]+ %, power: [\d.]+ %\./);
    const faults = await opened.locator("#faults").getAttribute("aria-label");
    assert.is(faults, "Faults over time: 144 device faults in 102 groups, 36 CPU faults.");
  });
  page("a narrow screen needs no sideways scrolling", async () => {
    await opened.setViewportSize({ width: 400, height: 800 });
    await opened.waitForFunction(() => document.documentElement.scrollWidth === innerWidth);
  });
  page("no error on the console, no request to the network", () => assert.equal(problems, []));
} else page("skipped: there is no browser", () => {});
page.run();
