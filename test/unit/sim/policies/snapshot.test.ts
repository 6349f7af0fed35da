/** A simulation goes on from a snapshot with its policies where they were, a user's own included. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  EVICTIONS,
  openWorkload,
  referencesOf,
  Simulation,
  type Evict,
  type EvictPolicy,
  type SimulationConfig,
} from "../../../../src/sim.ts";

const test = suite("sim: policies in snapshots");
const WORKLOAD = "zipf:size=2MiB,accesses=4000,exponent=1.1,writes=0.3,seed=5";
const CONFIG = { deviceFrames: 600, systemMemory: "4MiB", cluster: "4K", prefetch: "none" } as const;

/** The records of the workload, in four blocks. */
function blocks(): BigUint64Array[] {
  const all = [...openWorkload(WORKLOAD).blocks()].flatMap((block) => [...block]);
  const quarter = 2 * Math.ceil(all.length / 8);
  return [0, 1, 2, 3].map((i) => BigUint64Array.from(all.slice(i * quarter, (i + 1) * quarter)));
}

for (const evict of Object.keys(EVICTIONS) as Evict[]) {
  test(evict, async () => {
    const needs = ["lru-64k", "sl", "tbn"].includes(evict) ? { prefetch: "tbn" as const } : {};
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
  });
}

/** Evicts the unit with the highest number. */
const highest: EvictPolicy = {
  about: "the highest address",
  uses: "none",
  create({ state }) {
    const units = new Map(state as [slot: number, unit: number][] | undefined);
    return {
      arrived: (slot, unit) => void units.set(slot, unit),
      used() {},
      left: (slot) => void units.delete(slot),
      victim(_incoming, skip) {
        const free = [...units].filter(([slot]) => !skip(slot));
        return free.reduce((a, b) => (b[1] > a[1] ? b : a), [-1, -1])[0];
      },
      state: () => [...units],
    };
  },
};
test("a policy of the user's own, which a restored simulation is given again", async () => {
  using simulation = await Simulation.create({ ...CONFIG, deviceFrames: 100, evict: highest });
  for (const block of blocks().slice(0, 2)) simulation.feed(block);
  assert.is(simulation.report().evict, "custom");
  const snapshot = simulation.snapshot();
  assert.throws(
    () => Simulation.restore(snapshot),
    /evict custom: expected the policy that the simulation had/,
  );
  using restored = Simulation.restore(snapshot, { evict: highest });
  for (const block of blocks().slice(2)) {
    simulation.feed(block);
    restored.feed(block);
  }
  assert.equal(restored.report(), simulation.report());
  assert.ok(restored.report().evictions > 0);
});
test.run();
