/**
 * Huge pages under random sequences of everything that makes, splits, moves, shares and drops them. After each step
 * hmm.verify() holds, and every page has what a shadow copy says; at the end all memory is free again.
 *
 *   HUGE_STEPS=2000 HUGE_SEED=1 HUGE_RUNS=2 node tools/test.mjs huge-random
 *
 * Even seeds have little memory, so that allocations fail. A failure names its seed, and the steps that are left when those
 * it does not need are taken out.
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
