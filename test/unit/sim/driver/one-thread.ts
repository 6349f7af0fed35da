/** Runs of one thread of a managed device, for the suites of rooms by pages. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { openWorkload, simulate, Simulation, type SimulationConfig } from "../../../../src/sim.ts";

const MANAGED = {
  memoryModel: "managed",
  backing: "metadata",
  systemMemory: "64MiB",
  initial: "host",
} as const;

/** Runs a workload on one thread of a managed device, checking the engine's invariants after each block. */
export async function run(spec: string, config: SimulationConfig) {
  using simulation = await Simulation.create({ ...MANAGED, deviceThreads: "one", ...config });
  const workload = openWorkload(spec);
  for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
  for (const block of workload.blocks()) {
    simulation.feed(block);
    simulation.verify();
  }
  const report = simulation.report();
  simulation.verify();
  return report;
}

/** Policies that keep pages in queues. */
const QUEUES = ["fifo", "sieve", "s3-fifo", "arc", "segfifo"];
/** Policies by groups name nothing without prefetch, and OPT looks ahead. */
const OTHERS = ["opt", "lru-2m", "lfu-2m", "lru-64k", "sl", "tbn"];

/** Tests that the policies with queues, or all others, evict what demand paging evicts page by page. */
export function testDemandPaging(test: Test, { queues }: { queues: boolean }): void {
  const spec = "zipf:size=2MiB,accesses=1500,exponent=0.8,writes=1,seed=5";
  const common = { agent: "device", deviceFrames: 100, cluster: "4K", prefetch: "none" } as const;
  for (const evict of Object.keys(EVICTORS) as (keyof typeof EVICTORS)[]) {
    if (OTHERS.includes(evict) || QUEUES.includes(evict) !== queues) continue;
    test(`stores of one thread are demand paging, page by page, with ${evict}`, async () => {
      const { device } = await simulate(openWorkload(spec), { ...common, evict, backing: "metadata" });
      const config = { deviceFrames: 100, prefetch: "none", evict, initial: "none" } as const;
      const { device: managed } = await run(spec, config);
      assert.equal([managed.pagesIn, managed.pagesOutDirty], [device.pagesIn, device.pagesOutDirty]);
    });
  }
}
