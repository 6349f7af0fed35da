/**
 * A long run leaves the page responsive: no task of its main thread takes the processor for longer than a
 * frame may take, and its memory does not grow with the run. A stencil of 4 MiB makes 10 M accesses;
 * FRAMES_MIB=64 makes 163 M, whose figures are in docs/performance-notes.md.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inBrowser } from "../util/browser.ts";
import { Site } from "./site.ts";

const tests = suite("site: frames in Chromium");
const test = inBrowser(tests);
let site: Site;
tests.before(async () => {
  site = await Site.open();
});
tests.after(async () => {
  await site?.close();
});

const MIB = Number(process.env.FRAMES_MIB ?? 4);
const FRAME_MS_MAX = 50;
/** Beyond what the page has before the run: pictures have as many cells as the screen, whatever is run. */
const HEAP_BYTES_MAX = 24 << 20;

test(`a stencil of ${MIB} MiB: frames under ${FRAME_MS_MAX} ms, and memory is bounded`, async () => {
  const { page, problems, close } = await site.visit("simulator/");
  const heap = (): Promise<number> =>
    page.evaluate(
      () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
    );
  await page.waitForSelector("#run");
  const before = await heap();
  const fields = { size: `${MIB}MiB`, grain: "8", iterations: "6" };
  await page.locator("#workload").selectOption("stencil2d");
  for (const [name, value] of Object.entries(fields)) await page.locator(`#parameter-${name}`).fill(value);
  await page.locator("#deviceMemory").fill(`${(3 * MIB) / 4}MiB`);
  await page.locator("#time").selectOption("pcie3-1080ti");
  const tasks = await site.tasksOf(page, async () => {
    await page.locator("#run").click();
    await page.waitForSelector(".status.done, .status.failed", { timeout: 600_000 });
  });
  assert.match(await page.locator(".status").innerText(), /^Done/);
  const longest = Math.max(...tasks);
  const grown = (await heap()) - before;
  console.log(
    `${await page.locator(".status .dim").innerText()}: ${tasks.length} tasks, ` +
      `the longest ${longest.toFixed(1)} ms of processor time; ${(grown / 2 ** 20).toFixed(1)} MiB more`,
  );
  assert.ok(tasks.length > 20, `${tasks.length} tasks`);
  assert.ok(longest < FRAME_MS_MAX, `${longest} ms, ${FRAME_MS_MAX} allowed`);
  assert.ok(grown < HEAP_BYTES_MAX, `${grown} bytes, ${HEAP_BYTES_MAX} allowed`);
  assert.equal(problems, []);
  await close();
});
tests.run();
