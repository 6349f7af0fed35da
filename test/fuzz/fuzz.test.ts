/**
 * The engine agrees with the reference model over random operations with fixed seeds. exhausted.test.ts runs
 * them while tables run out, long.test.ts runs more of the same seeds, `npm run fuzz` others;
 * canaries.test.ts shows that the fuzzer notices mistakes.
 */
import { suite } from "uvu";
import { fuzzFor } from "./fuzz-for.ts";

const STEPS = 1000;
const test = suite("fuzz");

test(`engine and model agree over ${STEPS} operations`, () => fuzzFor(STEPS, false));

test.run();
