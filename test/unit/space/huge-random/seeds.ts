/** Defines the tests of random sequences on one build: a test for each seed. */
import type { Test } from "uvu";
import { onEachBuild } from "../../../util/builds.ts";
import { runSteps, shortened, type StepError } from "./run.ts";

const STEPS = Number(process.env.HUGE_STEPS ?? 1500);
const SEED = Number(process.env.HUGE_SEED ?? 1);
const RUNS = Number(process.env.HUGE_RUNS ?? 1);

/** Runs some seeds from SEED on: odd ones, or even ones, which have little memory. */
export function runSeeds(build: "release" | "debug", { scarce }: { scarce: boolean }): void {
  const first = (SEED % 2 === 0) === scarce ? SEED : SEED + 1;
  const name = scarce ? "huge pages at random, little memory" : "huge pages at random";
  const define = (test: Test, module: WebAssembly.Module): void => {
    for (let seed = first; seed < first + 2 * RUNS; seed += 2) {
      test(`seed ${seed}`, () => {
        try {
          runSteps(module, seed, [...Array(STEPS).keys()]);
        } catch (error) {
          throw shortened(module, seed, error as StepError);
        }
      });
    }
  };
  onEachBuild(name, define, build).run();
}
