/** The contract test of replacement policies: every policy passes, and broken ones do not. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Evictor, EvictorOptions, EvictPolicy } from "../../../src/sim.ts";
import { EVICTORS } from "../../../src/sim/policies/evict/index.ts";
import { checkEvictPolicy } from "../../../src/testing.ts";

const test = suite("testing: checkEvictPolicy");
for (const [name, policy] of Object.entries<EvictPolicy>(EVICTORS)) {
  if (name === "opt") continue; // which needs to know what comes
  test(`${name} passes`, () => checkEvictPolicy(policy));
  if (policy.parameter === undefined) continue;
  const { min, max } = policy.parameter;
  for (const parameter of [min, max])
    test(`${name}:${parameter} passes`, () => checkEvictPolicy(policy, { parameter, seeds: 20 }));
}

/** A policy whose evictors are fifo's, but for some methods. */
function broken(change: (evictor: Evictor, options: EvictorOptions) => Partial<Evictor>): EvictPolicy {
  return {
    about: "broken",
    uses: "none",
    create(options) {
      const evictor = EVICTORS.fifo.create(options);
      const methods: Evictor = {
        arrived: (...args) => evictor.arrived(...args),
        used: (...args) => evictor.used(...args),
        left: (...args) => evictor.left(...args),
        victim: (...args) => evictor.victim(...args),
        state: () => evictor.state(),
      };
      return Object.assign(methods, change(evictor, options));
    },
  };
}

let calls = 0;
const BROKEN: [what: string, policy: EvictPolicy, says: RegExp][] = [
  ["names no slot", broken(() => ({ victim: () => 0.5 })), /seed \d+: victim\(\) returned 0\.5/],
  ["names none", broken(() => ({ victim: () => -1 })), /no victim, though one unit may leave/],
  [
    "asks not what must stay",
    broken((evictor) => ({ victim: (unit) => evictor.victim(unit, () => false) })),
    /named slot \d+, which is empty or must stay/,
  ],
  ["forgets its state", broken(() => ({ state: () => [] })), /no victim, though one unit may leave/],
  [
    "keeps something beside its state",
    broken((evictor, { capacity }) => ({
      victim: (unit, skip) => {
        const slot = calls++ % capacity;
        return skip(slot) ? evictor.victim(unit, skip) : slot;
      },
    })),
    /the same calls gave other victims|is empty or must stay/,
  ],
  ["has a group of three", broken(() => ({ group: 3 })), /group is 3, which is no power of two/],
];
for (const [what, policy, says] of BROKEN)
  test(`a policy that ${what} fails`, () => assert.throws(() => checkEvictPolicy(policy), says));
test.run();
