/** OPT as a bound beside managed memory: on the order in which the device used its memory. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload, simulate, Simulation, type SimulationConfig } from "../../../src/sim.ts";
import { BASE, blockOf, PAGE } from "../../util/sim-blocks.ts";

/** Belady's misses with room for some pages: the victim is the page whose next use is last. */
function misses(pages: readonly number[], room: number): number {
  const held = new Set<number>();
  let missed = 0;
  pages.forEach((page, i) => {
    if (held.has(page)) return;
    missed++;
    const later = (one: number): number => {
      const at = pages.indexOf(one, i + 1);
      return at < 0 ? Infinity : at;
    };
    if (held.size === room) held.delete([...held].reduce((a, b) => (later(b) > later(a) ? b : a)));
    held.add(page);
  });
  return missed;
}

const ORDER = Array.from({ length: 90 }, (_, i) => (i % 7 === 0 ? i % 5 : (i * i + 3 * i) % 29));
const ONE: SimulationConfig = {
  memoryModel: "managed",
  deviceThreads: "one",
  prefetch: "none",
  evict: "lru",
  systemMemory: "16MiB",
  deviceMemory: "64KiB",
  bound: "opt",
};
/** Stores wait for each other, so one thread uses its pages in the order of the trace. */
const stores = ORDER.map((page) => ({ kind: "store", agent: 1, address: BASE + page * PAGE }) as const);

const bound = suite("sim: OPT beside managed memory");
bound("in order, it is Belady's, whether the model or the engine makes the accesses", async () => {
  const least = misses(ORDER, 16);
  // A policy that hears of uses has the model make all of them.
  for (const evict of ["lru", "fifo"] as const) {
    const report = await simulate([blockOf(stores)], { ...ONE, evict });
    assert.equal(report.bound, { opt: { pagesIn: least } });
    assert.ok(report.device.pagesIn > least && least > new Set(ORDER).size);
  }
});
bound("accesses to RAM need no page", async () => {
  const report = await simulate([blockOf(stores)], { ...ONE, placement: "mirror" });
  assert.equal([report.bound, report.device.pagesIn], [{ opt: { pagesIn: 0 } }, 0]);
});
bound("no policy brings in fewer, on a parallel device, and snapshots go on", async () => {
  for (const more of [
    {},
    { evict: "lru-64k", prefetch: "sl" },
    { evict: "fifo", prefetch: "tbn" },
  ] as const) {
    const given = {
      memoryModel: "managed",
      deviceMemory: "4MiB",
      backing: "metadata",
      bound: "opt",
    } as const;
    const report = await simulate(openWorkload("stencil2d:size=8MiB,grain=512"), { ...given, ...more });
    assert.ok(report.bound!.opt.pagesIn <= report.device.pagesIn);
    assert.ok(report.bound!.opt.pagesIn >= 2 * 512);
  }
  using simulation = await Simulation.create(ONE);
  simulation.feed(blockOf(stores.slice(0, 40)));
  using copy = Simulation.restore(simulation.snapshot());
  for (const one of [simulation, copy]) one.feed(blockOf(stores.slice(40)));
  assert.equal(copy.report(), simulation.report());
  assert.is(copy.report().bound!.opt.pagesIn, misses(ORDER, 16));
});
bound.run();
