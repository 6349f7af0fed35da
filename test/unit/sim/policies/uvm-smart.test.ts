/** UVM-Smart's prefetchers and evictions: hotspot's published rows, and cases by hand. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  openWorkload,
  simulate,
  Simulation,
  writeRecord,
  type Access,
  type SimulationConfig,
} from "../../../../src/sim.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { PREFETCHERS } from "../../../../src/sim/policies/prefetch/index.ts";
import type { Evictor } from "../../../../src/sim/policies/evict/evictor.ts";

const PAGE = 4096;
const REGION = 512;
const BASE = 0x40000000;
const COMMON = { initial: "host", backing: "metadata", systemMemory: "64MiB" } as const;

const rows = suite("sim: hotspot as UVM-Smart's logs have it");
/** Faults, pages in, dirty out, clean out, fetched again. */
const ROWS: [config: SimulationConfig, counts: number[]][] = [
  [{ deviceMemory: "1024MiB", prefetch: "none" }, [3072, 3072, 0, 0, 0]],
  [{ deviceMemory: "1024MiB", prefetch: "sl" }, [192, 3072, 0, 0, 0]],
  [{ deviceMemory: "1024MiB", prefetch: "tbn" }, [36, 3072, 0, 0, 0]],
  // ⌊10.9091 · 256⌋ = 2792 pages.
  [{ deviceFrames: 2792, prefetch: "tbn", evict: "lru-2m" }, [72, 6144, 2560, 1024, 3072]],
  [
    { deviceFrames: 2792, prefetch: "tbn", prefetchFull: "none", evict: "tbn" },
    [3363, 6144, 2560, 1024, 3072],
  ],
];
for (const [config, counts] of ROWS) {
  rows(JSON.stringify(config), async () => {
    for (const spec of ["hotspot", "hotspot:init=none,read=none"]) {
      using simulation = await Simulation.create({ ...COMMON, ...config });
      for (const block of openWorkload(spec).blocks()) {
        simulation.feed(block);
        simulation.verify();
      }
      const { faults, device } = simulation.report();
      const { pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain, bytesCopied } = device;
      assert.equal([faults.device, pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain], counts, spec);
      assert.is(bytesCopied, pagesIn * PAGE); // data lie on the host at first
    }
  });
}
rows.run();

const prefetch = suite("sim: prefetch");
/** The faults of a first touch of each page of n regions, in order. */
async function faultsOf(n: number, config: SimulationConfig): Promise<number> {
  const records = new BigUint64Array(2 * n * REGION);
  for (let i = 0; i < n * REGION; i++) {
    const access: Access = { kind: "load", address: BASE + i * PAGE, size: 8, agent: 1 };
    writeRecord(records, i, access);
  }
  return (await simulate([records], { ...COMMON, ...config })).faults.device;
}
prefetch("a sequential first touch of 2 MiB faults 512, 32, 6 or 512 / 17 times", async () => {
  for (const n of [1, 3]) {
    assert.is(await faultsOf(n, { prefetch: "none" }), 512 * n);
    assert.is(await faultsOf(n, { prefetch: "sl" }), 32 * n);
    assert.is(await faultsOf(n, { prefetch: "tbn" }), 6 * n);
    // A fault brings its page and the next 16. The mapping grows by 2 MiB, which end what comes along.
    assert.is(await faultsOf(n, { prefetch: "sequential:16" }), Math.ceil(512 / 17) * n);
  }
});
prefetch("tbn completes nodes that are more than half there, and leaves blocks with a page alone", () => {
  const brought = (page: number, there: readonly number[]): number[] => {
    const isThere = (one: number): boolean => there.includes(one);
    const pages = PREFETCHERS.tbn.pages({ page, first: 0, end: 1024, isThere }, undefined);
    return [...new Set(pages.map((one) => one >> 4))];
  };
  const blocks = (...numbers: number[]): number[] =>
    numbers.flatMap((block) => Array.from({ length: 16 }, (_, i) => 16 * block + i));
  assert.equal(brought(5, []), [0]); // 1 of 2 blocks is half
  assert.equal(brought(40, blocks(0, 1)), [2, 3]); // 3 of 4
  assert.equal(brought(40, blocks(0)), [2]); // 2 of 4
  assert.equal(brought(40, [...blocks(0, 1), 48]), [2]); // 49 of 64 pages, but block 3 has one
  assert.equal(brought(16 * 8, blocks(9, 10, 12, 13)), [8, 11, 14, 15]); // 5 of 8, then 8 of 16 is half
  assert.equal(brought(512, blocks(0, 1, 2)), [32]); // another region
  // Blocks 0 to 15 of the first half and one of the second: 17 of 32.
  assert.equal(brought(16 * 20, blocks(...Array.from({ length: 16 }, (_, i) => i))).length, 16);
});
prefetch(
  "the fault that first overflows is served by the first prefetcher, all later ones by the second",
  async () => {
    // 24 frames: block 0 comes whole, then block 1 does not fit and 8 pages of it are cut; then page by page.
    const touch = async (n: number): Promise<number> => {
      const records = new BigUint64Array(2 * n);
      for (let i = 0; i < n; i++)
        writeRecord(records, i, { kind: "load", address: BASE + 16 * i * PAGE, size: 8, agent: 1 });
      const config = { ...COMMON, deviceFrames: 24, cluster: "4K", evict: "fifo" } as const;
      return (await simulate([records], { ...config, prefetch: "sl", prefetchFull: "none" })).device.pagesIn;
    };
    assert.is(await touch(1), 16);
    assert.is(await touch(2), 32); // 8 of block 0 leave
    assert.is(await touch(3), 33);
    assert.is(await touch(4), 34);
  },
);
prefetch.run();

const margins = suite("sim: reserve and free buffer");
/** The pages that are on a device of 10 pages after it has loaded pages in this order. */
async function stay(pages: readonly number[], config: SimulationConfig): Promise<number[]> {
  const records = new BigUint64Array(2 * pages.length);
  pages.forEach((page, i) =>
    writeRecord(records, i, { kind: "load", address: BASE + page * PAGE, size: 8, agent: 1 }),
  );
  const options = {
    ...COMMON,
    deviceMemory: undefined,
    deviceFrames: 10,
    cluster: "4K",
    prefetch: "none",
  } as const;
  const rest = [...new Set(pages)].sort((a, b) => a - b);
  const ranges = rest.map((page) => ({ start: BASE + page * PAGE, end: BASE + (page + 1) * PAGE }));
  const report = await simulate([records], { ...options, ...config, ranges });
  return rest.filter((_, i) => report.ranges[i].bytesIn > report.ranges[i].bytesOut);
}
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
margins("a reserve of 35 % skips 3 of 10 pages in the order of use", async () => {
  assert.equal(await stay(upTo(11), { evict: "lru" }), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(await stay(upTo(11), { evict: "lru", reserve: 35 }), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]);
  // A use of page 0 makes 1, 2 and 3 the oldest.
  assert.equal(
    await stay([...upTo(10), 0, 10], { evict: "lru", reserve: 35 }),
    [0, 1, 2, 3, 5, 6, 7, 8, 9, 10],
  );
});
margins("a free buffer of 25 % keeps 2 of 10 pages free", async () => {
  assert.equal(await stay(upTo(8), { freeBuffer: 25 }), upTo(8));
  assert.equal(await stay(upTo(10), { freeBuffer: 25 }), upTo(10).slice(2));
});
margins("lru-2m, sl and tbn skip the oldest regions, unless they are all there is", () => {
  for (const name of ["lru-2m", "sl", "tbn"] as const) {
    const evictor = EVICTORS[name].create({ ...OPTIONS, reserve: 50 });
    bring(evictor, 0, 512);
    assert.equal(next(evictor)?.[0], 0); // half of one is none
    bring(evictor, 512, 16);
    // One of two is skipped. lru-2m names only whole regions, so it falls back on the skipped one.
    assert.equal(next(evictor)?.[0], name === "lru-2m" ? 0 : 512, name);
    bring(evictor, 528, 496);
    assert.equal(next(evictor)?.[0], 512, name);
  }
});
const evict = suite("sim: eviction by groups");
const OPTIONS = { capacity: 2048, unitPages: 1, seed: 1, written: () => false };
/** Has pages come, each to the slot of its number. */
function bring(evictor: Evictor, first: number, n: number, by: "load" | "store" | "prefetch" = "load"): void {
  for (let page = first; page < first + n; page++) evictor.arrived(page, page, by);
}
/** The first unit and the number of the units that leave next. */
function next(evictor: Evictor): [first: number, units: number] | null {
  const slot = evictor.victim(9999, () => false);
  const group = evictor.group ?? 1;
  return slot < 0 ? null : [slot - (slot % group), group];
}
evict("lru-2m names whole regions only, the one used longest ago", () => {
  const evictor = EVICTORS["lru-2m"].create(OPTIONS);
  bring(evictor, 0, 511);
  assert.is(next(evictor), null);
  bring(evictor, 512, 512);
  bring(evictor, 511, 1);
  assert.equal(next(evictor), [512, 512]);
  evictor.used(600, 600, 1);
  assert.equal(next(evictor), [0, 512]);
  evictor.left(3, 3, false);
  assert.equal(next(evictor), [512, 512]);
});
evict("lru-64k does so by 64 KiB", () => {
  const evictor = EVICTORS["lru-64k"].create(OPTIONS);
  bring(evictor, 0, 40);
  assert.equal(next(evictor), [0, 16]);
  evictor.used(2, 2, 1);
  assert.equal(next(evictor), [16, 16]);
});
evict("lfu-2m names the region with the fewest accesses, then one without stores, then the oldest", () => {
  const evictor = EVICTORS["lfu-2m"].create(OPTIONS);
  for (const region of [0, 1, 2]) bring(evictor, 512 * region, 512, "prefetch");
  evictor.used(0, 0, 2);
  evictor.used(512, 512, 1);
  evictor.used(1024, 1024, 1);
  assert.equal(next(evictor), [512, 512]);
  const stored = EVICTORS["lfu-2m"].create({ ...OPTIONS, written: (slot) => slot === 700 });
  for (const region of [0, 1, 2]) bring(stored, 512 * region, 512, region === 0 ? "store" : "load");
  assert.equal(next(stored), [1024, 512]);
});
evict("sl names the oldest whole block of the oldest region that has one", () => {
  const evictor = EVICTORS.sl.create(OPTIONS);
  bring(evictor, 512, 10);
  bring(evictor, 0, 48);
  bring(evictor, 1024, 16);
  evictor.used(1, 1, 1); // region 0 is the newest now, and block 0 its newest block
  assert.equal(next(evictor), [1024, 16]);
  evictor.used(1030, 1030, 1);
  assert.equal(next(evictor), [16, 16]);
});
evict("tbn empties each node above the block that is left with less than half", () => {
  const evictor = EVICTORS.tbn.create(OPTIONS);
  bring(evictor, 0, 32);
  // Blocks 0 and 1: without block 0 a node of two is half there, and one of four a quarter: it is emptied.
  assert.equal(next(evictor), [0, 64]);
  bring(evictor, 32, 512 - 32);
  evictor.used(200, 200, 1);
  assert.equal(next(evictor), [0, 16]); // 31 of 32 blocks are left
  for (let page = 0; page < 16; page++) evictor.left(page, page, true);
  // Block 1 goes: of the node of two nothing is left, so it stays; of the node of four half is.
  assert.equal(next(evictor), [16, 16]);
  for (let page = 16; page < 32; page++) evictor.left(page, page, true);
  // Block 2 goes, and block 3 with it: a quarter of the node of four, and then half of eight.
  assert.equal(next(evictor), [0, 64]);
});
evict.run();
margins.run();
