/** Snapshots of managed simulations: restored in the middle, they end with the same bytes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Simulation } from "../../../../src/sim.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { blocks, MANAGED, run, testConfigs } from "./interrupted.ts";

const test = suite("driver: snapshots");
testConfigs(test, [
  { placement: "counters", counterThreshold: 8, schedules: 3 },
  { placement: "adaptive", evict: "lru", reserve: 20, freeBuffer: 10, backing: "data" },
  { placement: "smart", initial: "host", advise: ["a=accessed-by-device"] },
]);
test("a policy of the user's own is given again", async () => {
  const evict = EVICTORS.clock;
  assert.is(await run({ evict }, [5], { evict }), await run({ evict }, []));
});
test("a simulation can have several futures, and the snapshot's stays as it was", async () => {
  using simulation = await Simulation.create(MANAGED);
  const [first, second, third] = blocks(1);
  simulation.feed(first);
  const snapshot = simulation.snapshot();
  const futures = [second, third, second].map((block) => {
    using future = Simulation.restore(snapshot);
    future.feed(block);
    return JSON.stringify(future.report());
  });
  assert.is(futures[0], futures[2]);
  assert.is.not(futures[0], futures[1]);
});
test.run();
