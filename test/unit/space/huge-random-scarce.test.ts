/** As huge-random, with so little memory that allocations fail: the even seeds. */
import { runSeeds } from "./huge-random/seeds.ts";

runSeeds("release", { scarce: true });
