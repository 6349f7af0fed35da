/** The page that compares runs, in Chromium. Skipped where there is no browser. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compareHtml } from "../../src/report/compare-html.ts";
import { simulate, openWorkload, type SimulationReport } from "../../src/sim.ts";
import { colorsOf, DEVICE, hasBrowser, openPage, type OpenedPage } from "./browser.ts";

const test = suite("report: comparison in Chromium");

/** Hotspot on a GTX 1080 Ti with some memory. */
function hotspot(deviceMemory: string): Promise<SimulationReport> {
  const managed = { memoryModel: "managed", deviceThreads: "one", time: "pcie3-1080ti" } as const;
  const memory = { systemMemory: "64MiB", backing: "metadata", deviceMemory } as const;
  return simulate(openWorkload("hotspot"), { ...managed, ...memory });
}

if (hasBrowser) {
  let opened: OpenedPage;
  let reports: SimulationReport[];
  test.before(async () => {
    reports = [await hotspot("16MiB"), await hotspot("10MiB")];
    opened = await openPage(
      compareHtml([
        { name: "16 MiB", report: reports[0] },
        { name: "<10 MiB>", report: reports[1] },
      ]),
    );
  });
  test.after(() => opened.close());

  test("bars are as long as the runs, on one scale", async () => {
    const widths = await opened.page
      .locator("#causes .bar")
      .evaluateAll((bars) =>
        bars.map((bar) =>
          [...bar.children].reduce((sum, part) => sum + part.getBoundingClientRect().width, 0),
        ),
      );
    const [whole] = await opened.page
      .locator("#causes .bar")
      .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
    const most = Math.max(...reports.map(({ timing }) => timing!.total));
    reports.forEach(({ timing }, i) => {
      const expected = (whole * timing!.total) / most;
      assert.ok(Math.abs(widths[i] - expected) < 3, `${widths[i]}, not ${expected} of ${whole} pixels`);
    });
    assert.ok(((await colorsOf(opened.page, "#causes")).get(DEVICE.light) ?? 0) > 50);
  });
  test("figures stand beside each other, with changes against the first run", async () => {
    const row = opened.page.locator("tr", { hasText: "evictions" });
    const [a, b] = reports.map(({ evictions }) => evictions);
    assert.ok(a === 0 && b > 0, `${a} and ${b} evictions`);
    assert.equal(await row.locator("td").allTextContents(), ["evictions", "0", `${b}`, "new"]);
    assert.equal(await opened.page.locator("th").allTextContents(), ["", "16 MiB", "<10 MiB>", "change"]);
  });
  test("the page follows a dark system", async () => {
    await opened.page.emulateMedia({ colorScheme: "dark" });
    const colors = await colorsOf(opened.page, "#causes");
    assert.ok((colors.get(DEVICE.dark) ?? 0) > 50);
    assert.is(colors.get(DEVICE.light), undefined);
    await opened.page.emulateMedia({ colorScheme: "light" });
  });
  test("a narrow screen needs no sideways scrolling", async () => {
    await opened.page.setViewportSize({ width: 400, height: 800 });
    await opened.page.waitForFunction(() => document.documentElement.scrollWidth === innerWidth);
  });
  test("no error on the console, no request to the network", () => assert.equal(opened.problems, []));
} else test("skipped: there is no browser", () => {});
test.run();
