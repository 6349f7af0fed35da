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
test.run();
