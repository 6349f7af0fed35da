/** As huge-random, on the debug build. */
import { runSeeds } from "./huge-random/seeds.ts";

runSeeds("debug", { scarce: false });
