/**
 * Random sequences of the operations that make, split, move, share and drop huge pages. After each step
 * hmm.verify() holds and every page equals a shadow copy; at the end all memory is free again.
 *
 *   HUGE_STEPS=2000 HUGE_SEED=1 HUGE_RUNS=1 node tools/test.mjs huge-random
 *
 * These are the odd seeds on the release build; huge-random-debug has the debug build. Even seeds have little
 * memory, so that allocations fail: huge-random-scarce and huge-random-scarce-debug. A failure prints its
 * seed and the steps that it needs.
 */
import { runSeeds } from "./huge-random/seeds.ts";

runSeeds("release", { scarce: false });
