/** As huge-random-scarce, on the debug build. */
import { runSeeds } from "./huge-random/seeds.ts";

runSeeds("debug", { scarce: true });
