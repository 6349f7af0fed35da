/** The fuzzer's operations while tables run out, and once more: a seed always makes the same run. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm } from "../../src/index.ts";
import { fuzzFor } from "./fuzz-for.ts";
import { runSeed } from "./replay.ts";

const EXHAUST_STEPS = 250;
const test = suite("fuzz: exhausted");

test(`nothing breaks and nothing is lost over ${EXHAUST_STEPS} operations while tables run out`, () => {
  fuzzFor(EXHAUST_STEPS, true);
});

test("a run is reproducible", () => {
  const { module } = Hmm.createSync({ systemMemory: 4096, deviceMemory: 0 });
  const { steps, failure } = runSeed(1, module);
  assert.is(failure, null);
  assert.is(runSeed(1, module).steps, steps);
});

test.run();
