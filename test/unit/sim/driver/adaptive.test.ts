/** UVM-Smart's adaptive threshold for remote reads, its modes, and its runtime. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RemoteCounters, type RemoteReads } from "../../../../src/sim/policies/adaptive.ts";
import { either } from "../../../../src/sim/policies/evict/either.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { SmartRuntime } from "../../../../src/sim/policies/smart-runtime.ts";
import { openWorkload, Simulation } from "../../../../src/sim.ts";
import { checkEvictPolicy } from "../../../../src/testing.ts";
import { access, LOAD, machine, PAGE, STORE, sweep, WRITE } from "./machines.ts";

/** After how many accesses to a page a read of it comes, with ts = p = 8. */
function comesAt(reads: RemoteReads, memory: { occupancy: number; full: boolean }, trips = 0): number {
  const counters = new RemoteCounters(reads, 8, 8);
  for (let i = 0; i < trips; i++) counters.writtenBack(0);
  for (let n = 1; ; n++) {
    counters.access(5);
    if (counters.brings(5, false, memory)) return n;
  }
}

const thresholds = suite("driver: thresholds of remote reads");
thresholds("adaptive: ⌊1 + 8 · occupancy⌋ before memory is full", () => {
  for (const [occupancy, threshold] of [
    [0, 1],
    [0.12, 1],
    [0.125, 2],
    [0.5, 5],
    [0.99, 8],
  ])
    assert.is(comesAt("adaptive", { occupancy, full: false }), threshold, `${occupancy}`);
});
thresholds("adaptive: 8 · 8 · (round trips + 1) after", () => {
  assert.is(comesAt("adaptive", { occupancy: 1, full: true }), 64);
  assert.is(comesAt("adaptive", { occupancy: 0.5, full: true }, 2), 192);
});
thresholds("always: at 8; oversubscribed: at once, and at 8 once memory was full", () => {
  assert.is(comesAt("always", { occupancy: 0, full: false }), 8);
  assert.is(comesAt("always", { occupancy: 1, full: true }, 5), 8);
  assert.is(comesAt("oversubscribed", { occupancy: 0.9, full: false }), 1);
  assert.is(comesAt("oversubscribed", { occupancy: 1, full: true }), 8);
});
thresholds("a write-back is a round trip of each 64 KiB of its 2 MiB; counters are those of 64 KiB", () => {
  const counters = new RemoteCounters("adaptive", 1, 1);
  counters.writtenBack(0);
  const full = { occupancy: 1, full: true };
  for (const page of [0, 511, 512]) counters.access(page);
  assert.equal(
    [0, 511, 512].map((page) => counters.brings(page, false, full)),
    [false, false, true],
  );
  counters.access(15); // the 64 KiB of page 0
  assert.ok(counters.brings(0, false, full));
  assert.not(counters.brings(511, false, full));
});
thresholds("a store always brings its page", () => {
  for (const reads of ["adaptive", "always", "oversubscribed"] as const)
    assert.ok(new RemoteCounters(reads, 8, 8).brings(0, true, { occupancy: 1, full: true }));
});
thresholds.run();

const BASE = 0x40000000;
const device = suite("driver: remote reads of a device");
const remoteReads = { reads: "always", threshold: 3, penalty: 8 } as const;
device("reads are made in RAM without a fault until the threshold, then the page comes", () => {
  const gpu = machine({ placement: "adaptive", remoteReads, prefetcher: noPrefetcher });
  access(gpu, sweep(BASE, 2, WRITE));
  const reads = [BASE, BASE, BASE + PAGE, BASE].map((address) => ({ ...LOAD, address }));
  access(gpu, reads);
  // Both pages lie in one 64 KiB: the third access, to page 1, brings it, and the fourth brings page 0.
  assert.equal(gpu.remote, { loads: 2, stores: 0, sectors: 2 });
  assert.equal([gpu.counts.groups, gpu.counts.pagesIn], [1, 2]);
});
device("a store brings its page at once, and what nobody has written is made on the device", () => {
  const gpu = machine({ placement: "adaptive", remoteReads, prefetcher: noPrefetcher });
  access(gpu, sweep(BASE, 1, WRITE));
  access(gpu, [
    { ...STORE, address: BASE },
    { ...LOAD, address: BASE + 100 * PAGE },
  ]);
  assert.equal([gpu.remote.loads, gpu.counts.pagesIn, gpu.counts.pagesCopied], [0, 2, 1]);
});
device.run();

const runtime = suite("driver: UVM-Smart's runtime");
/** What the runtime chooses after kernels, each of which brought pieces of 64 KiB of allocations. */
function chosen(...kernels: [allocation: number, piece: number][][]): [tree: boolean, remote: boolean] {
  const smart = new SmartRuntime();
  for (const pieces of kernels) {
    smart.kernel();
    for (const [allocation, piece] of pieces) smart.brought(allocation, 16 * piece);
  }
  smart.choose();
  return [smart.evictsByTree, smart.readsRemotely];
}
const line = (...pieces: number[]): [number, number][] => pieces.map((piece) => [1, piece]);
runtime("linear without reuse changes nothing", () => {
  assert.equal(chosen(line(0, 1, 2, 5)), [false, false]);
  assert.equal(chosen(line(0, 1), line(2, 3)), [false, false]);
  // Two allocations in turn are linear each.
  assert.equal(
    chosen([
      [1, 0],
      [2, 0],
      [1, 1],
      [2, 1],
    ]),
    [false, false],
  );
  assert.equal(chosen(line(3, 3, 3)), [false, false]); // one piece, page by page
});
runtime("linear with reuse in a later kernel evicts by the tree", () => {
  assert.equal(chosen(line(0, 1, 2), line(0, 1)), [true, false]);
});
runtime("out of order in any kernel: remote reads and the tree", () => {
  assert.equal(chosen(line(2, 1)), [true, true]);
  assert.equal(chosen(line(0, 1), line(5, 4)), [true, true]); // mixed
  assert.equal(chosen(line(0, 1, 0)), [true, true]);
  assert.equal(
    chosen([
      [1, 0],
      [1, 1],
      [2, 7],
      [2, 3],
    ]),
    [true, true],
  );
});
runtime("a policy that is either of two follows both, and keeps the contract", () => {
  checkEvictPolicy(either(EVICTORS.lru, EVICTORS.mru, () => true));
  let second = false;
  const evictor = either(EVICTORS.lru, EVICTORS.mru, () => second).create({
    capacity: 4,
    unitPages: 1,
    seed: 1,
    written: () => false,
  });
  for (let slot = 0; slot < 4; slot++) evictor.arrived(slot, slot, "load");
  assert.is(
    evictor.victim(9, () => false),
    0,
  );
  second = true;
  assert.is(
    evictor.victim(9, () => false),
    3,
  );
});
runtime("hotspot that does not fit: each sweep comes again, in order, so the tree evicts", async () => {
  const transfers = async (placement: "smart" | "migrate", evict?: "tbn"): Promise<number> => {
    const config = { deviceFrames: 2792, prefetch: "tbn", initial: "host", backing: "metadata" } as const;
    const managed = { memoryModel: "managed", systemMemory: "64MiB", deviceThreads: "one" } as const;
    using simulation = await Simulation.create({
      ...config,
      ...managed,
      placement,
      evict: evict ?? "lru-2m",
    });
    const workload = openWorkload("hotspot:init=none,read=none");
    for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
    for (const records of workload.blocks()) simulation.feed({ records, kernels: workload.kernels });
    simulation.verify();
    const report = simulation.report();
    assert.is(report.accesses.device.ram.loads, 0); // linear: no remote reads
    return report.managed.transfersToHost;
  };
  const [smart, lru, tbn] = [
    await transfers("smart"),
    await transfers("migrate"),
    await transfers("migrate", "tbn"),
  ];
  // The first evictions are of 2 MiB, before a sweep comes again; then pieces leave, as with the tree.
  assert.ok(lru < smart && smart < tbn, `${lru}, ${smart}, ${tbn}`);
});
runtime("random reads of a table that does not fit are remote, once memory was full", async () => {
  const remote = async (placement: "smart" | "migrate"): Promise<number> => {
    const config = { memoryModel: "managed", systemMemory: "64MiB", backing: "metadata" } as const;
    const memory = { deviceMemory: "2MiB", initial: "host", prefetch: "tbn", evict: "lru-2m" } as const;
    using simulation = await Simulation.create({ ...config, ...memory, placement });
    for (const block of openWorkload("zipf:size=6MiB,accesses=3000,seed=2").blocks()) simulation.feed(block);
    return simulation.report().accesses.device.ram.loads;
  };
  assert.ok((await remote("smart")) > 2 * (await remote("migrate")));
});
runtime.run();
