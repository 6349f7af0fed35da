/**
 * Random sequences of the operations that make, split, move, share and drop huge pages. After each step
 * hmm.verify() holds and every page equals a shadow copy; at the end all memory is free again.
 *
 *   HUGE_STEPS=2000 HUGE_SEED=1 HUGE_RUNS=1 node tools/test.mjs huge-random
 *
 * These are the odd seeds. Even seeds have little memory, so that allocations fail: huge-random-scarce. A
 * failure prints its seed and the steps that it needs.
 */
import { runSeeds } from "./huge-random/seeds.ts";

runSeeds("huge pages at random", false);
