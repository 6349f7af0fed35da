/**
 * Random sequences of the operations that make, split, move, share and drop huge pages. After each step
 * hmm.verify() holds and every page equals a shadow copy; at the end all memory is free again.
 *
 *   HUGE_STEPS=2000 HUGE_SEED=1 HUGE_RUNS=2 node tools/test.mjs huge-random
 *
 * Even seeds have little memory, so that allocations fail. A failure prints its seed and the steps that it
 * needs.
 */
import { onEachBuild } from "../../util/builds.ts";
import { runSteps, shortened, type StepError } from "./huge-random/run.ts";

const STEPS = Number(process.env.HUGE_STEPS ?? 1500);
const SEED = Number(process.env.HUGE_SEED ?? 1);
const RUNS = Number(process.env.HUGE_RUNS ?? 2);

onEachBuild("huge pages at random", (test, module) => {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    test(`seed ${seed}`, () => {
      try {
        runSteps(module, seed, [...Array(STEPS).keys()]);
      } catch (error) {
        throw shortened(module, seed, error as StepError);
      }
    });
  }
}).run();
