/** The lab as a person uses it, in Chromium. Skipped, with one line, where there is no browser. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openScenario } from "../../src/lab/scenarios.ts";
import { copyAsTypeScript } from "../../src/lab/typescript.ts";
import { bundleLab } from "../../tools/build-lab.mjs";
import { serveFolder } from "../../tools/serve-site.ts";
import { inBrowser, launch } from "../util/browser.ts";
import { Site, violations, type Visit } from "./site.ts";

const tests = suite("site: the lab in Chromium");
const test = inBrowser(tests);
let site: Site;
tests.before(async () => {
  site = await Site.open();
});
tests.after(async () => {
  await site?.close();
});

/** Opens the lab, and waits until it can be used. */
async function open(hash: string, options: Parameters<Site["visit"]>[1] = {}): Promise<Visit> {
  const visit = await site.visit(`lab/${hash}`, options);
  await visit.page.waitForSelector("heteromem-lab h2");
  return visit;
}

const title = (page: Page): Promise<string> => page.locator("#step-title").innerText();
const link = (page: Page): Promise<string> => page.evaluate(() => location.hash);
/** The kinds of the CPU's entries of a process, by page. */
const kinds = (page: Page, process = 0): Promise<string[]> =>
  page.locator(".tables").nth(process).locator("td .kind:not(.side .kind)").allInnerTexts();

test("a page is migrated to the device and back, and every step goes back to the start", async () => {
  const { page, problems, close } = await open("");
  await page.getByRole("button", { name: "Fresh world" }).click();
  await page.getByRole("button", { name: "Write: CPU writes" }).click();
  await page.getByRole("button", { name: "Migrate to device" }).click();
  assert.match(await title(page), /^Hold the mappings still/);
  const titles = [await title(page)];
  while (await page.getByRole("button", { name: "Next" }).isEnabled()) {
    await page.getByRole("button", { name: "Next" }).click();
    titles.push(await title(page));
  }
  assert.is(titles.length, 9);
  assert.equal(await kinds(page), new Array(4).fill("device"));
  for (const each of titles.reverse()) {
    assert.is(await title(page), each);
    await page.getByRole("button", { name: "Back", exact: true }).click();
  }
  assert.equal(await kinds(page), new Array(4).fill("present"));
  await page.getByRole("button", { name: "Last step" }).click();
  await page.getByRole("button", { name: "Read: CPU reads" }).click();
  await page.getByRole("button", { name: "Last step" }).click();
  assert.equal(await kinds(page), new Array(4).fill("present"));
  assert.equal(problems, []);
  await close();
});
test("after a fork, parent and child write to frames of their own", async () => {
  const { page, problems, close } = await open("");
  await page.getByRole("button", { name: "Fresh world" }).click();
  await page.getByRole("button", { name: "Select page 0" }).click();
  for (const name of ["Write: CPU writes", "Fork", "Write: CPU writes"])
    await page.getByRole("button", { name }).click();
  await page.locator(".selection select").selectOption("2");
  await page.getByRole("button", { name: "Write: CPU writes" }).click();
  await page.keyboard.press("End");
  assert.is(await page.locator(".tables").count(), 2);
  const frames = await page.locator(".memory.ram li:not(.free) span[aria-hidden]").allInnerTexts();
  assert.equal(frames.sort(), ["2", "3"]);
  assert.equal(problems, []);
  await close();
});
test("a failing order is found, and replayed step by step to the broken rule", async () => {
  const { page, problems, close } = await open("#scenario=race-no-retry");
  await page.getByRole("button", { name: "Find an order that fails" }).click();
  const found = page.getByText(/^Steps \d+ to \d+ of the timeline are an order that fails/);
  const [, from, to] = /^Steps (\d+) to (\d+)/.exec(await found.innerText())!;
  let steps = 0;
  while (await page.getByRole("button", { name: "Next" }).isEnabled()) {
    assert.is(await page.getByText("An invariant is broken.").count(), 0);
    await page.getByRole("button", { name: "Next" }).click();
    steps++;
  }
  assert.ok(steps >= 5);
  assert.is(Number(to) - Number(from) + 1, steps);
  await page.getByText(`step ${to} of ${to}`, { exact: true }).waitFor();
  assert.is(await page.getByText("An invariant is broken.").count(), 1);
  await page.getByLabel("The driver has").selectOption("none");
  await page.getByRole("button", { name: "Find an order that fails" }).click();
  await page.getByText(/No order fails: all \d+ orders of steps were tried/).waitFor();
  assert.equal(problems, []);
  await close();
});
test("a failing order is made by hand, one step of the CPU or of the driver at a time", async () => {
  const { page, problems, close } = await open("#scenario=race-no-retry");
  const step = (agent: string): Promise<void> => page.getByRole("button", { name: `Step ${agent}` }).click();
  await step("Driver 1"); // it takes the number
  await step("Driver 1"); // it has read that the page is there
  await step("CPU"); // which is given up now
  assert.is(await page.getByText("An invariant is broken.").count(), 0);
  await step("Driver 1"); // it holds its lock, and does not ask
  await step("Driver 1"); // it enters a page that is gone
  assert.is(await page.getByText("An invariant is broken.").count(), 1);
  assert.equal(problems, []);
  await close();
});
test("what a step changed is marked in each table, and the levels above the entries open", async () => {
  const { page, problems, close } = await open("#scenario=migrate-and-back&step=9");
  const marked = (where: string): Promise<number> => page.locator(`.rows td.new${where}`).count();
  assert.match(await title(page), /^Map the pages on the device/);
  assert.equal([await marked(".side"), await marked(":has(.kind):not(.side)")], [4, 0]);
  await page.getByRole("button", { name: "Next" }).click();
  assert.match(await title(page), /^Finish/);
  assert.equal([await marked(".side"), await marked(":has(.kind):not(.side)")], [0, 4]);
  await page.getByText("PGD from").click();
  for (const level of ["PUD", "PMD", "PTE"]) await page.getByText(`${level} from`).waitFor();
  // The lab's pages are from 0x7f0000000000 on: slot 0xfe of the topmost table.
  await page.getByText(/slot 254 of 512, each of 512 GiB/).waitFor();
  assert.equal(problems, []);
  await close();
});
test("the program that is copied is the one that test/unit/lab runs in Node", async () => {
  const { page, problems, close } = await open("#scenario=fork&step=99", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await page.getByRole("button", { name: "Copy as TypeScript" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.is(copied, copyAsTypeScript(openScenario("fork")));
  assert.equal(problems, []);
  await close();
});
test("a permalink makes the state again in a fresh profile", async () => {
  const first = await open("#scenario=partial-failure&step=9");
  await first.page.getByRole("button", { name: "Next" }).click();
  const [hash, before] = [await link(first.page), await first.page.locator(".stage").innerText()];
  assert.match(hash, /^#frames=3&ops=w0-4,pin1,to0-4&order=gcgcgd7&step=10$/);
  await first.close();
  const second = await open(hash);
  assert.is(await second.page.locator(".stage").innerText(), before);
  assert.equal(second.problems, []);
  await second.close();
});
test("everything can be done by keys, and a screen reader hears it", async () => {
  const { page, problems, close } = await open("");
  await page.getByRole("button", { name: "Fresh world" }).focus();
  for (const key of ["Enter", "w", "t", "End"]) await page.keyboard.press(key);
  assert.equal(await kinds(page), new Array(4).fill("device"));
  const said = (): Promise<string> => page.locator(".step [aria-live]").innerText();
  assert.match(await said(), /^Step 10 of 10: Finish: .* Changed: .*8 frames/);
  await page.keyboard.press("ArrowLeft");
  assert.match(await said(), /^Step 9 of 10: Map the pages on the device/);
  await page.keyboard.press("Home");
  assert.match(await said(), /^Step 0 of 10/);
  await page.getByRole("slider").focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await said(), /^Step 1 of 10/);
  assert.equal(problems, []);
  await close();
});
test("the tour goes through its ten stops", async () => {
  const { page, problems, close } = await open("");
  await page.getByRole("button", { name: "Take the tour" }).click();
  for (let stop = 1; stop < 10; stop++) {
    assert.match(await page.locator("#tour-title").innerText(), new RegExp(`^${stop}\\. `));
    await page.getByRole("button", { name: "Next stop" }).click();
  }
  assert.match(await page.locator("#tour-title").innerText(), /^10\. Accounting/);
  assert.equal(problems, []);
  await close();
});
for (const [name, hash] of [
  ["a migration", "#scenario=fork&step=9"],
  ["a race", "#scenario=race-no-retry"],
  ["two devices", "#scenario=two-devices&step=99"],
]) {
  test(`${name}: no violation of WCAG 2.2 AA, light and dark, no sideways scrolling at 400 px`, async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, close } = await open(hash, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
      assert.equal(await violations(page), [], colorScheme);
      await page.setViewportSize({ width: 400, height: 800 });
      await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth);
      await close();
    }
  });
}
test("the component stands in a bare page, with its attributes and its events", async () => {
  const folder = mkdtempSync(join(tmpdir(), "heteromem-embed-"));
  await bundleLab(folder);
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title><link rel="icon" href="data:,">
<script type="module" src="lab.js"></script>
<heteromem-lab scenario="migrate-and-back" step="5"></heteromem-lab>`,
  );
  const { server, url } = await serveFolder(folder, 0, "/");
  const browser = await launch();
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(url);
  await page.waitForSelector("heteromem-lab h2");
  assert.match(await title(page), /^The answer: which pages can move/);
  const heard = page.evaluate(
    () =>
      new Promise((resolve) =>
        document
          .querySelector("heteromem-lab")!
          .addEventListener("heteromem-lab-change", (event) => resolve((event as CustomEvent).detail), {
            once: true,
          }),
      ),
  );
  await page.getByRole("button", { name: "Next" }).click();
  assert.equal(await heard, { link: "ops=w0-3,to0-3,r1&order=gcgd7gc&step=6" });
  await page.evaluate(() => document.querySelector("heteromem-lab")!.setAttribute("scenario", "nothing"));
  await page
    .getByText(/openScenario: name must be one of/)
    .first()
    .waitFor();
  assert.equal(problems, []);
  await browser.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
tests.run();
