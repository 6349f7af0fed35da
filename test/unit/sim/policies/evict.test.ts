/** Replacement policies equal plain second implementations, and what their papers' words imply. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { misses, PAIRS, TRACES } from "./pairs.ts";
import { missesOf } from "./reference.ts";
import { traceOf } from "./traces.ts";

const test = suite("sim: replacement policies");
for (const [name, parameter, plain] of PAIRS) {
  const text = parameter === undefined ? name : `${name}:${parameter}`;
  test(`${text} evicts what a plain implementation does, on ${TRACES} traces at all sizes`, () => {
    for (let n = 0; n < TRACES; n++) {
      const trace = traceOf(n);
      const distinct = new Set(trace).size;
      for (let frames = 1; frames <= distinct; frames++) {
        const expected = plain(trace, frames);
        const paging = new Paging(EVICTORS[name], { capacity: frames, parameter });
        const there = new Set<number>();
        trace.forEach((page, i) => {
          const hit = paging.access(page);
          // Text for millions of accesses would take longer than they do.
          if (hit !== there.has(page)) assert.is(hit, !hit, `trace ${n}, ${frames} frames, access ${i}`);
          there.add(page);
          if (expected[i] !== null) there.delete(expected[i]);
        });
        assert.is(paging.counts.in, missesOf(trace, frames, expected), `trace ${n}, ${frames} frames`);
      }
    }
  });
}
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
