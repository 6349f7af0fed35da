/** As fuzz.test.ts, for a minute and a half: `npm run test:fuzz`. */
import { suite } from "uvu";
import { fuzzFor } from "./fuzz-for.ts";

const STEPS = 100_000;
const EXHAUST_STEPS = 20_000;
const test = suite("fuzz: long");

test(`engine and model agree over ${STEPS} operations`, () => fuzzFor(STEPS, false));

test(`nothing breaks and nothing is lost over ${EXHAUST_STEPS} operations while tables run out`, () => {
  fuzzFor(EXHAUST_STEPS, true);
});

test.run();
