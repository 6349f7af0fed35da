/**
 * A run's page in Chromium: every picture is drawn, zoom and dark mode work, nothing is asked of the network.
 * Skipped where there is no browser.
 */
import type { Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { htmlOf } from "../../src/report/html.ts";
import { colorsOf as pixelsOf, DEVICE, hasBrowser, openPage, RAM } from "./browser.ts";
import { hotspotPicture } from "./run.ts";

const page = suite("report: page in Chromium");

if (hasBrowser) {
  let opened: Page;
  let close: () => Promise<void>;
  let problems: string[];
  const colorsOf = (selector: string) => pixelsOf(opened, selector);
  page.before(async () => {
    ({ page: opened, problems, close } = await openPage(htmlOf(await hotspotPicture())));
    await opened.waitForSelector("#resident canvas");
  });
  page.after(() => close());

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
