/** Runs of the fuzzer with the seeds 1, 2, 3, …: a few in `npm test`, many in `npm run test:fuzz`. */
import { Hmm } from "../../src/index.ts";
import { runSeed } from "./replay.ts";
import { describe } from "./report.ts";
import { shrink } from "./shrink.ts";

const { module } = Hmm.createSync({ systemMemory: 4096, deviceMemory: 0 });

/**
 * Runs seeds until they have performed `steps` operations. With `exhaust` the engine runs alone while
 * its tables run out. Throws Error at the first difference.
 */
export function fuzzFor(steps: number, exhaust: boolean): void {
  for (let seed = 1, done = 0; done < steps; seed++) {
    const run = runSeed(seed, module, exhaust);
    done += run.steps;
    if (run.failure) throw new Error(describe(run.failure, shrink(run.failure, module)));
  }
}
