/** The simulator's page, used as a person would. Skipped where there is no browser. */
import { readFileSync } from "node:fs";
import type { Download, Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { openWorkload, simulate } from "../../src/sim.ts";
import { PROGRAM } from "../cli/program.ts";
import { inBrowser } from "../util/browser.ts";
import { Site, type Visit } from "./site.ts";

const tests = suite("site: simulator in Chromium");
const test = inBrowser(tests);
let site: Site;
const problems: string[] = [];

/** Visits the simulator; what goes wrong there fails the last test. */
async function visit(hash = "", options = {}): Promise<Visit> {
  const opened = await site.visit(`simulator/${hash}`, options);
  const { close } = opened;
  return {
    ...opened,
    close: async () => {
      problems.push(...opened.problems);
      await close();
    },
  };
}

const SMALL = "#workload=stencil2d:size=1MiB&deviceMemory=512KiB&backing=metadata";

/** Waits for the end of the run, and fails with the page's words if it failed. */
async function isDone(page: Page): Promise<void> {
  await page.waitForSelector(".status.done, .status.failed");
  const words = await page.locator(".status").innerText();
  assert.match(words, /^Done/, words);
}

async function textOf(download: Promise<Download>): Promise<string> {
  return readFileSync(await (await download).path(), "utf8");
}
async function saved(page: Page, button: string): Promise<string> {
  const download = page.waitForEvent("download");
  await page.locator(button).click();
  return textOf(download);
}

tests.before(async () => {
  site = await Site.open();
});
tests.after(async () => {
  await site?.close();
});

test("an address asks the same in a fresh profile, and the report is that of Node", async () => {
  const { page, close } = await visit(SMALL);
  await isDone(page);
  const report = JSON.parse(await saved(page, "#save-json")) as RunReport;
  const config = { deviceMemory: "512KiB", backing: "metadata" } as const;
  const expected = await simulate(openWorkload("stencil2d:size=1MiB"), config);
  for (const [key, value] of Object.entries(expected))
    assert.equal(report[key as keyof RunReport], JSON.parse(JSON.stringify(value)), key);
  assert.is(await page.locator("#workload").inputValue(), "stencil2d");
  assert.is(await page.locator("#parameter-size").inputValue(), "1MiB");
  await close();
});
test("a dropped trace is run; its format is recognized", async () => {
  const { page, close } = await visit();
  const transfer = await page.evaluateHandle((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], "program.lackey"));
    return data;
  }, PROGRAM.text);
  await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
  await page.waitForSelector(".drop");
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.locator("#offload").fill("kernel=0x402000-0x402100");
  await page.locator("#run").click();
  await isDone(page);
  const report = JSON.parse(await saved(page, "#save-json")) as RunReport;
  assert.equal([report.trace.file, report.trace.format], ["program.lackey", "lackey"]);
  assert.is(report.offload[0].entries > 0, true);
  assert.is(report.partial, false);
  await close();
});
test("another policy is run beside the last run", async () => {
  const { page, close } = await visit(SMALL);
  await isDone(page);
  await page.locator("#evict").selectOption("mru");
  await page.locator("#run").click();
  await page.waitForSelector("#compare");
  assert.match(await page.locator("#compare .about").first().innerText(), "evict: default → mru");
  const evictions = page.locator("#compare tbody tr", { hasText: "evictions" }).locator("td");
  const [before, now] = await evictions.allInnerTexts();
  assert.is.not(before, now);
  assert.match(page.url(), "evict=mru");
  await close();
});
test("a run pauses, goes on and stops", async () => {
  const { page, close } = await visit("#workload=gups:size=8MiB,updates=50000000&deviceMemory=4MiB");
  await page.locator("#pause:enabled").click();
  await page.waitForSelector(".status.paused");
  const accesses = (): Promise<string> => page.locator(".status .dim").innerText();
  const [paused] = (await accesses()).split(" ");
  await page.waitForTimeout(400);
  assert.is((await accesses()).split(" ")[0], paused);
  await page.waitForSelector("#heat");
  await page.locator("#pause").click();
  await page.waitForSelector(".status.running");
  await page.locator("#stop").click();
  await isDone(page);
  const report = JSON.parse(await saved(page, "#save-json")) as RunReport;
  assert.equal([report.partial, report.partialReason], [true, "stopped"]);
  await close();
});
test("page and trace for Perfetto are saved; the page is that of the command", async () => {
  const { page, close } = await visit(`${SMALL}&time=pcie3-1080ti`);
  await isDone(page);
  const html = await saved(page, "#save-html");
  assert.match(html, "<!doctype html>");
  assert.match(
    html,
    "heteromem run --workload stencil2d:size=1MiB --device-memory 512KiB --backing metadata " +
      "--time pcie3-1080ti --html run.html",
  );
  assert.ok((await saved(page, "#save-perfetto")).length > 1000);
  await close();
});
test("a wrong value is said in words; the page goes on", async () => {
  const { page, close } = await visit();
  await page.locator("#deviceMemory").fill("a lot");
  await page.locator("#run").click();
  await page.waitForSelector(".status.failed");
  assert.match(await page.locator(".status").innerText(), /deviceMemory.*a lot.*expected/);
  await page.locator("#deviceMemory").fill("16MiB");
  await page.locator("#run").click();
  await isDone(page);
  await close();
});
test("once loaded, the page needs no network", async () => {
  const { page, close, requests } = await visit(SMALL);
  await isDone(page);
  await page.waitForLoadState("networkidle");
  const before = requests.length;
  await page.context().setOffline(true);
  await page.locator("#evict").selectOption("fifo");
  await page.locator("#run").click();
  await page.waitForSelector("#compare");
  assert.ok(requests.slice(before).every((url) => url.startsWith(site.url)));
  await close();
});
test("the keyboard alone asks and runs", async () => {
  const { page, close } = await visit();
  const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.id ?? "");
  for (let i = 0; i < 40 && (await focused()) !== "parameter-size"; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("2MiB");
  for (let i = 0; i < 40 && (await focused()) !== "run"; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await isDone(page);
  assert.match(page.url(), "size=2MiB");
  for (let i = 0; i < 40 && (await focused()) !== "heat"; i++) await page.keyboard.press("Tab");
  assert.is(await focused(), "heat");
  await close();
});
tests("no error, no word on the console, no request to another host", () => assert.equal(problems, []));
tests.run();
