/** As snapshot, with the policies by groups, and with a policy of the user's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Simulation, type EvictPolicy } from "../../../../src/sim.ts";
import { blocks, CONFIG, testPolicies } from "./continued.ts";

const test = suite("sim: policies by groups in snapshots");
testPolicies(test, { byGroups: true });

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
