/** Comparisons of replacement policies with their plain second implementations. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { PAIRS, TRACES } from "./pairs.ts";
import { missesOf } from "./reference.ts";
import { traceOf } from "./traces.ts";

type Pair = (typeof PAIRS)[number];

function compare([name, parameter, plain]: Pair): void {
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
}

/** Policies that sort pages into several queues. */
const SEVERAL_QUEUES = ["s3-fifo", "arc", "segfifo"];

/** Tests the policies that sort pages into several queues, or all others. */
export function testPairs(test: Test, { severalQueues }: { severalQueues: boolean }): void {
  for (const pair of PAIRS) {
    const [name, parameter] = pair;
    if (SEVERAL_QUEUES.includes(name) !== severalQueues) continue;
    const text = parameter === undefined ? name : `${name}:${parameter}`;
    test(`${text} evicts what a plain implementation does, on ${TRACES} traces at all sizes`, () =>
      compare(pair));
  }
}
