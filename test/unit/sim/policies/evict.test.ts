/** Replacement policies equal plain second implementations, and what their papers' words imply. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import type { EvictPolicy } from "../../../../src/sim/policies/evict/evictor.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { References } from "../../../../src/sim/policies/references.ts";
import * as reference from "./reference.ts";
import { traceOf } from "./traces.ts";

const TRACES = 1000;
const PAIRS: [name: keyof typeof EVICTORS, parameter: number | undefined, plain: reference.Reference][] = [
  ["lru", undefined, reference.lru],
  ["fifo", undefined, reference.fifo],
  ["mru", undefined, reference.mru],
  ["clock", undefined, reference.clock],
  ["clock:hit", undefined, reference.clockHit],
  ["sieve", undefined, reference.sieve],
  ["s3-fifo", undefined, reference.s3Fifo(2)],
  ["s3-fifo", 3, reference.s3Fifo(3)],
  ["arc", undefined, reference.arc],
  ["segfifo", 30, reference.segFifo(30)],
  ["segfifo", 0, reference.fifo],
  ["segfifo", 100, reference.lru],
];

/** The misses of a policy on a trace. */
function misses(policy: EvictPolicy, trace: readonly number[], capacity: number, parameter?: number): number {
  const future = new References();
  for (const page of trace) future.add(page);
  const paging = new Paging(policy, { capacity, parameter, future });
  for (const page of trace) paging.access(page);
  return paging.counts.in;
}

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
          const says = `trace ${n}, ${frames} frames, access ${i}`;
          assert.is(hit, there.has(page), says);
          there.add(page);
          if (expected[i] !== null) there.delete(expected[i]);
        });
        assert.is(
          paging.counts.in,
          reference.missesOf(trace, frames, expected),
          `trace ${n}, ${frames} frames`,
        );
      }
    }
  });
}
test("opt misses as often as a plain implementation, and less than or as often as every policy", () => {
  for (let n = 0; n < TRACES; n++) {
    const trace = traceOf(n);
    const distinct = new Set(trace).size;
    for (let frames = 1; frames <= distinct; frames++) {
      const least = misses(EVICTORS.opt, trace, frames);
      assert.is(
        least,
        reference.missesOf(trace, frames, reference.opt(trace, frames)),
        `trace ${n}, ${frames}`,
      );
      for (const [name, parameter] of [...PAIRS, ["random", undefined] as const]) {
        const others = misses(EVICTORS[name], trace, frames, parameter);
        assert.ok(others >= least, `trace ${n}, ${frames} frames: ${name} ${others}, opt ${least}`);
      }
    }
  }
});
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
