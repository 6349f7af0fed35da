/**
 * A long run leaves the page responsive: no task of its main thread takes the processor for longer than a
 * frame may take, and its memory does not grow with the trace. docs/guide/simulating.md has figures of 100 M
 * accesses; FRAMES_ACCESSES=100000000 measures them.
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

const ACCESSES = Number(process.env.FRAMES_ACCESSES ?? 2_000_000);
const FRAME_MS_MAX = 50;
/** Beyond what the page has before the run: pictures have as many cells as the screen, whatever is run. */
const HEAP_BYTES_MAX = 24 << 20;

test(`${ACCESSES} accesses: frames under ${FRAME_MS_MAX} ms, and memory is bounded`, async () => {
  const { page, problems, close } = await site.visit("simulator/");
  const heap = (): Promise<number> =>
    page.evaluate(
      () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
    );
  await page.waitForSelector("#run");
  const before = await heap();
  await page.locator("#workload").selectOption("gups");
  await page.locator("#parameter-size").fill("64MiB");
  await page.locator("#parameter-updates").fill(String(ACCESSES / 2));
  await page.locator("#deviceMemory").fill("32MiB");
  await page.locator("#time").selectOption("pcie3-1080ti");
  const tasks = await site.tasksOf(page, async () => {
    await page.locator("#run").click();
    await page.waitForSelector(".status.done, .status.failed", { timeout: 600_000 });
  });
  assert.match(await page.locator(".status").innerText(), /^Done/);
  const longest = Math.max(...tasks);
  const grown = (await heap()) - before;
  console.log(
    `${tasks.length} tasks, the longest ${longest.toFixed(1)} ms of processor time; ` +
      `${(grown / 2 ** 20).toFixed(1)} MiB more`,
  );
  assert.ok(tasks.length > 20, `${tasks.length} tasks`);
  assert.ok(longest < FRAME_MS_MAX, `${longest} ms, ${FRAME_MS_MAX} allowed`);
  assert.ok(grown < HEAP_BYTES_MAX, `${grown} bytes, ${HEAP_BYTES_MAX} allowed`);
  assert.equal(problems, []);
  await close();
});
tests.run();
