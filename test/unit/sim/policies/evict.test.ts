/**
 * Replacement policies equal plain second implementations, and what their papers' words imply. evict-queues
 * has those with several queues.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { misses } from "./pairs.ts";
import { testPairs } from "./plain.ts";

const test = suite("sim: replacement policies");
testPairs(test, { severalQueues: false });
test("fifo has Belady's anomaly: nine misses with three frames, ten with four", () => {
  const trace = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5];
  assert.equal(
    [3, 4].map((frames) => misses(EVICTORS.fifo, trace, frames)),
    [9, 10],
  );
});
test("random draws the same victims for the same seed, and each slot about as often", () => {
  const hits = (seed: number): string => {
    const paging = new Paging(EVICTORS.random, { capacity: 4, seed });
    return Array.from({ length: 200 }, (_, i) => (paging.access((i * 7) % 11) ? "h" : "m")).join("");
  };
  assert.is(hits(1), hits(1));
  assert.is.not(hits(1), hits(2));
  // 4,000 draws of four slots: 1,000 each, within five standard deviations of 27.
  const options = { capacity: 4, unitPages: 1, seed: 1, written: () => false };
  const evictor = EVICTORS.random.create(options);
  for (let slot = 0; slot < 4; slot++) evictor.arrived(slot, slot, "load");
  const drawn = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) drawn[evictor.victim(9, () => false)]++;
  assert.ok(
    drawn.every((times) => Math.abs(times - 1000) < 137),
    drawn.join(),
  );
});
test.run();
