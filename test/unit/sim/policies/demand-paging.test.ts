/** Exact demand paging through the engine equals paging without one, access by access. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../../src/testing.ts";
import { Simulation, writeRecord, type Access, type SimulationConfig } from "../../../../src/sim.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { chosen } from "../../../../src/sim/policies/choice.ts";
import type { EvictPolicy } from "../../../../src/sim/policies/evict/evictor.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { References } from "../../../../src/sim/policies/references.ts";
import { traceOf } from "./traces.ts";

const PAGE = 4096;
const BASE = 0x5000000;
const DEMAND = { agent: "device", cluster: "4K", prefetch: "none" } as const;

interface Touch {
  pages: number[];
  write: boolean;
}

/** The accesses of a generated trace: some are stores, and some straddle two or three pages. */
function touchesOf(n: number): Touch[] {
  const random = new Random(n + 1);
  return traceOf(n).map((page) => {
    const length = random.below(5) === 0 ? 2 + random.below(2) : 1;
    return {
      pages: Array.from({ length }, (_, i) => page + i),
      write: random.below(3) === 0,
    };
  });
}

function recordsOf(touches: readonly Touch[]): BigUint64Array {
  const records = new BigUint64Array(2 * touches.length);
  touches.forEach(({ pages, write }, i) => {
    const size = (pages.length - 1) * PAGE + 8;
    const access: Access = { kind: write ? "store" : "load", address: BASE + pages[0] * PAGE, size };
    writeRecord(records, i, access);
  });
  return records;
}

/** Each access touches its pages from the lowest address, each once. */
function paged(touches: readonly Touch[], name: string, capacity: number): Paging["counts"] {
  const { policy, parameter } = chosen<EvictPolicy>(name, EVICTORS)!;
  const first = BASE / PAGE;
  const future = new References();
  for (const { pages } of touches) for (const page of pages) future.add(first + page);
  const paging = new Paging(policy, { capacity, parameter, future });
  for (const { pages, write } of touches) for (const page of pages) paging.access(first + page, write);
  return paging.counts;
}

async function simulated(
  touches: readonly Touch[],
  evict: string,
  deviceFrames: number,
): Promise<Paging["counts"]> {
  const future = new References();
  for (const { pages } of touches) for (const page of pages) future.add(BASE / PAGE + page);
  const config = { ...DEMAND, deviceFrames, evict, systemMemory: "2MiB" } as SimulationConfig;
  using simulation = await Simulation.create(config, future);
  simulation.feed(recordsOf(touches));
  simulation.verify();
  const { pagesIn, pagesOutDirty, pagesOutClean } = simulation.report().device;
  return { in: pagesIn, outDirty: pagesOutDirty, outClean: pagesOutClean };
}

const NAMES = ["lru", "lru-4k", "fifo", "random", "clock", "clock:hit", "mru", "sieve", "s3-fifo", "arc"];

const test = suite("sim: demand paging");
for (const name of [...NAMES, "segfifo:40", "opt"]) {
  test(`${name}: the engine's counts are those of paging without an engine`, async () => {
    for (const n of [3, 8, 20, 31, 47]) {
      const touches = touchesOf(n);
      for (const frames of [1, 2, 3, 5, 9]) {
        const says = `trace ${n}, ${frames} frames`;
        assert.equal(await simulated(touches, name, frames), paged(touches, name, frames), says);
      }
    }
  });
}
test("a policy hears of each access once, where records start over or cannot be made", async () => {
  const heard: string[] = [];
  const page = (unit: number): string => (unit * PAGE - BASE < 2 ** 40 ? `${unit - BASE / PAGE}` : "top");
  const spy: EvictPolicy = {
    about: "the spy",
    uses: "all",
    create(options) {
      const evictor = EVICTORS.fifo.create(options);
      return {
        arrived: (slot, unit, by) => {
          heard.push(`${by} ${page(unit)}`);
          evictor.arrived(slot, unit, by);
        },
        used: (_slot, unit, times) => heard.push(`${times} × ${page(unit)}`),
        left: (slot, unit, evicted) => evictor.left(slot, unit, evicted),
        victim: (unit, skip) => evictor.victim(unit, skip),
        state: () => evictor.state(),
      };
    },
  };
  const records = new BigUint64Array(12);
  const write = (i: number, address: number, size: number, kind: "load" | "modify"): void =>
    writeRecord(records, i, { kind, address, size });
  write(0, BASE, 8, "load");
  write(1, 2 ** 47 - 2 * PAGE, 2 * PAGE, "load"); // nothing can be mapped in its second page
  write(2, BASE, 8, "modify");
  write(3, BASE + 4092, 8, "modify"); // pages 0 and 1
  write(4, BASE, 8, "load");
  write(5, BASE, 8, "load");
  const config = { ...DEMAND, deviceFrames: 8, systemMemory: "2MiB", evict: spy } as const;
  using simulation = await Simulation.create(config);
  simulation.feed(records);
  assert.equal(heard, ["load 0", "load top", "1 × 0", "1 × 0", "store 1", "2 × 0"]);
  assert.is(simulation.skipped.unmappable, 1);
});
test.run();
