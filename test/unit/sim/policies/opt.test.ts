/** Belady's OPT equals a plain second implementation, and no policy misses less often. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { misses, PAIRS, TRACES } from "./pairs.ts";
import { missesOf, opt } from "./reference.ts";
import { traceOf } from "./traces.ts";

const test = suite("sim: opt");

test("opt misses as often as a plain implementation, and less than or as often as every policy", () => {
  for (let n = 0; n < TRACES; n++) {
    const trace = traceOf(n);
    const distinct = new Set(trace).size;
    for (let frames = 1; frames <= distinct; frames++) {
      const least = misses(EVICTORS.opt, trace, frames);
      assert.is(least, missesOf(trace, frames, opt(trace, frames)), `trace ${n}, ${frames}`);
      for (const [name, parameter] of [...PAIRS, ["random", undefined] as const]) {
        const others = misses(EVICTORS[name], trace, frames, parameter);
        assert.ok(others >= least, `trace ${n}, ${frames} frames: ${name} ${others}, opt ${least}`);
      }
    }
  }
});

test.run();
