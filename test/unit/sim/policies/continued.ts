/** Simulations that go on from a snapshot, for the suites of policies in snapshots. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import {
  EVICTIONS,
  openWorkload,
  referencesOf,
  Simulation,
  type Evict,
  type SimulationConfig,
} from "../../../../src/sim.ts";

const WORKLOAD = "zipf:size=2MiB,accesses=4000,exponent=1.1,writes=0.3,seed=5";
export const CONFIG = { deviceFrames: 600, systemMemory: "4MiB", cluster: "4K", prefetch: "none" } as const;

/** The records of the workload, in four blocks. */
export function blocks(): BigUint64Array[] {
  const all = [...openWorkload(WORKLOAD).blocks()].flatMap((block) => [...block]);
  const quarter = 2 * Math.ceil(all.length / 8);
  return [0, 1, 2, 3].map((i) => BigUint64Array.from(all.slice(i * quarter, (i + 1) * quarter)));
}

/** Policies that evict what the tree-based prefetcher groups. */
const BY_GROUPS: readonly Evict[] = ["lru-64k", "sl", "tbn"];

async function goOn(evict: Evict): Promise<void> {
  const needs = BY_GROUPS.includes(evict) ? { prefetch: "tbn" as const } : {};
  const small = ["lru-2m", "lfu-2m"].includes(evict) ? {} : { deviceFrames: 100 };
  const config: SimulationConfig = { ...CONFIG, evict, ...needs, ...small, bound: "opt" };
  const future = evict === "opt" ? await referencesOf(blocks(), config) : undefined;
  using whole = await Simulation.create(config, future);
  for (const block of blocks()) whole.feed(block);
  using first = await Simulation.create(config, future);
  for (const block of blocks().slice(0, 2)) first.feed(block);
  using second = Simulation.restore(first.snapshot(), { future });
  for (const block of blocks().slice(2)) second.feed(block);
  second.verify();
  assert.equal(second.report(), whole.report());
  if (small.deviceFrames !== undefined) assert.ok(whole.report().evictions > 100);
  assert.ok(whole.report().device.pagesIn >= whole.report().bound!.opt.pagesIn);
}

/** Tests that simulations with the policies by groups, or with all others, go on as if uninterrupted. */
export function testPolicies(test: Test, { byGroups }: { byGroups: boolean }): void {
  for (const evict of Object.keys(EVICTIONS) as Evict[])
    if (BY_GROUPS.includes(evict) === byGroups) test(evict, () => goOn(evict));
}
