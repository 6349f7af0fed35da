/**
 * A sweep's page in Chromium: lines and front are drawn, choices change them, and the network stays silent.
 * Skipped where there is no browser; the environment variable CHROMIUM names one.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium as playwright, type Browser, type Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chromium, FLAGS } from "../../bench/chromium.ts";
import {
  firstAlike,
  firstChoice,
  linesOf,
  logTicks,
  meansOf,
  positionsOf,
} from "../../src/report/page/sweep-data.ts";
import { paretoFront } from "../../src/report/statistics.ts";
import { sweepHtml } from "../../src/report/sweep-html.ts";
import type { SweepPicture } from "../../src/report/sweep-picture.ts";

/** Two policies, four capacities, two seeds: time is 100 / MiB, and 10 more for policy b and for seed 2. */
const MIB = [1, 2, 4, 8];
const PICTURE: SweepPicture = {
  title: "a sweep",
  lead: "16 of 16 jobs done",
  axes: [
    { name: "policy", values: ["a", "b"] },
    { name: "deviceMemory", values: MIB.map((mib) => `${mib}MiB`) },
    { name: "replica", values: ["1", "2"] },
  ],
  replica: 2,
  figures: [
    { key: "deviceMemory", title: "device memory", unit: "bytes" },
    { key: "deviceFaults", title: "device faults", unit: "count" },
  ],
  rows: [0, 1].flatMap((policy) =>
    MIB.flatMap((mib, m) =>
      [0, 1].map((seed) => ({
        id: `${policy}${m}${seed}`,
        at: [policy, m, seed],
        values: [mib * 2 ** 20, 100 / mib + 10 * policy + 10 * seed],
        command: `heteromem run --evict ${policy} --device-memory ${mib}MiB`,
      })),
    ),
  ),
};

const data = suite("report: data of a sweep's page");
data("sizes and numbers stand at their places, words side by side", () => {
  assert.equal(positionsOf(["1MiB", "2MiB", "16MiB"]), { at: [20, 21, 24], kind: "log2" });
  assert.equal(positionsOf(["2", "3", "5"]), { at: [2, 3, 5], kind: "linear" });
  assert.equal(positionsOf(["lru", "4"]), { at: [0, 1], kind: "words" });
});
data("the first choice has the numbers across, and the words as lines", () => {
  const { x, group, facet, filter } = firstChoice(PICTURE);
  assert.equal([x, group, facet], [1, 0, -1]);
  assert.equal(filter, [-1, -1, -1]);
});
data("lines are means over the seeds, and filters choose rows", () => {
  const choice = { figure: 1, x: 1, group: 0, facet: -1, filter: [-1, -1, -1] };
  const means = linesOf(PICTURE, choice, -1).map(({ points }) => points.map((point) => point!.mean));
  assert.equal(means, [
    [105, 55, 30, 17.5],
    [115, 65, 40, 27.5],
  ]);
  const [{ points }] = linesOf(PICTURE, { ...choice, group: -1, filter: [1, -1, 0] }, -1);
  assert.equal(
    points.map((point) => [point!.n, point!.mean]),
    [
      [1, 110],
      [1, 60],
      [1, 35],
      [1, 22.5],
    ],
  );
  assert.is(meansOf(PICTURE).length, 8);
});
data("lines with the same means are found, and ticks of a logarithmic scale are few", () => {
  const choice = { figure: 0, x: 1, group: 0, facet: -1, filter: [-1, -1, -1] };
  assert.equal(firstAlike(linesOf(PICTURE, choice, -1)), [0, 0]); // both have the same memory
  assert.equal(firstAlike(linesOf(PICTURE, { ...choice, figure: 1 }, -1)), [0, 1]);
  assert.equal(logTicks(12, 115, false), [20, 50, 100]);
  assert.equal(logTicks(3, 40000, false), [10, 100, 1000, 10000]);
  assert.equal(
    logTicks(4096, 2 ** 30, true).map(Math.log2), // 19 powers of two, every third
    [12, 15, 18, 21, 24, 27, 30],
  );
});
data("the front has the points that no other one beats", () => {
  const points: [number, number][] = [
    [1, 9],
    [2, 9],
    [2, 4],
    [3, 5],
    [4, 1],
    [1, 10],
  ];
  // [2, 9] is as many as [1, 9] of the second and more of the first; [3, 5] loses to [2, 4].
  assert.equal(
    paretoFront(points, (point) => point),
    [
      [1, 9],
      [2, 4],
      [4, 1],
    ],
  );
});
data.run();

const command = chromium();
if (command === null) console.log("no browser: set CHROMIUM to look at a sweep's page");
const page = suite("report: page of a sweep in Chromium");
const folder = mkdtempSync(join(tmpdir(), "heteromem-sweep-page-"));
const problems: string[] = [];
let browser: Browser;
let opened: Page;

/** Whether there is a canvas, and more than 20 of its pixels have this color. */
function drawn([selector, color]: readonly [string, readonly number[]]): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>(selector);
  if (canvas === null) return false;
  const { data: all } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < all.length; i += 4) if (color.every((part, k) => all[i + k] === part)) found++;
  return found > 20;
}

if (command !== null) {
  page.before(async () => {
    const path = join(folder, "sweep.html");
    writeFileSync(path, sweepHtml(PICTURE));
    const executablePath = spawnSync("sh", ["-c", `command -v "${command}"`], {
      encoding: "utf8",
    }).stdout.trim();
    browser = await playwright.launch({ executablePath, args: FLAGS.slice(1) });
    const context = await browser.newContext({
      colorScheme: "light",
      viewport: { width: 1280, height: 900 },
    });
    opened = await context.newPage();
    opened.on("console", (message) => {
      const own = message.text().includes("getImageData"); // this test looks at pixels
      if (!own) problems.push(message.text());
    });
    opened.on("pageerror", (error) => problems.push(error.message));
    opened.on("request", (request) => {
      if (!request.url().startsWith("file:") && !request.url().startsWith("data:"))
        problems.push(request.url());
    });
    await opened.goto(pathToFileURL(path).href);
    await opened.waitForSelector("#pareto canvas");
  });
  page.after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });
  page("lines of both policies are drawn, and points and front", async () => {
    for (const selector of ["#lines canvas", "#pareto canvas"])
      for (const color of [
        [213, 94, 0],
        [0, 114, 178],
      ])
        await opened.waitForFunction(drawn, [selector, color] as const); // it is drawn a little later
    const words = await opened.locator("#pareto").getAttribute("aria-label");
    assert.is(words, "device faults against device memory: 4 of 8 points are on the front");
  });
  page("a choice draws small pictures in place of lines", async () => {
    assert.is(await opened.locator("#lines canvas").count(), 1);
    await opened.getByLabel("pictures by").selectOption({ label: "policy" });
    await opened.waitForFunction(() => document.querySelectorAll("#lines canvas").length === 2);
    assert.equal(await opened.locator("#lines h3").allTextContents(), ["policy = a", "policy = b"]);
    await opened.getByLabel("lines by").selectOption({ label: "policy" });
  });
  page("lines that coincide are named, and a logarithmic scale draws both policies", async () => {
    await opened.getByLabel("pictures by").selectOption({ label: "–" });
    await opened.getByLabel("figure").selectOption({ label: "device memory" });
    await opened.waitForSelector("#lines canvas");
    assert.is(await opened.locator("#lines .readout").textContent(), "a, b coincide");
    await opened.getByLabel("figure").selectOption({ label: "device faults" });
    await opened.getByLabel("scale").selectOption({ label: "logarithmic" });
    for (const color of [
      [213, 94, 0],
      [0, 114, 178],
    ])
      await opened.waitForFunction(drawn, ["#lines canvas", color] as const);
    assert.is(await opened.locator("#lines .readout").textContent(), "");
  });
  page("tables name the best points with their commands", async () => {
    const cells = await opened
      .locator(".answers")
      .nth(1)
      .locator("tbody tr")
      .first()
      .locator("td")
      .allTextContents();
    assert.equal(cells, [
      "least device faults",
      "18",
      "policy a, deviceMemory 8MiB",
      PICTURE.rows[6].command,
    ]);
    assert.is(await opened.locator(".answers").first().locator("tbody tr").count(), 4);
  });
  page("a narrow screen needs no sideways scrolling; dark colors are others", async () => {
    await opened.locator("#theme").click();
    await opened.waitForSelector("#lines canvas");
    await opened.waitForFunction(() => document.querySelector("#pareto canvas") !== null);
    await opened.waitForFunction(drawn, ["#lines canvas", [240, 136, 62]] as const);
    await opened.setViewportSize({ width: 400, height: 800 });
    await opened.waitForFunction(() => document.documentElement.scrollWidth === innerWidth);
  });
  page("no error on the console, no request to the network", () => assert.equal(problems, []));
} else page("skipped: there is no browser", () => {});
page.run();
