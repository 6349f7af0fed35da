/** Allocations of a short trace fail, one at a time, and every byte is compared. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PROGRAM } from "../cli/program.ts";
import { countTraceAllocations, runTrace, shortTrace } from "./trace.ts";

/** Every ninth allocation. */
const TRACE_STEP = 9;

const test = suite("fail-alloc: a trace");

test("allocations of a trace, with every byte compared", () => {
  const accesses = shortTrace(PROGRAM.accesses);
  const count = countTraceAllocations(accesses);
  let reported = 0;
  for (let nth = 1; nth <= count; nth += TRACE_STEP) {
    const trial = runTrace(accesses, nth);
    assert.is(trial.left, 0, "the failure has come");
    if (trial.reported !== undefined) reported++;
  }
  assert.ok(reported > 0 && reported < count);
});

test.run();
