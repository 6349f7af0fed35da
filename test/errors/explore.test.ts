/** Calls of explore() and its parts refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { exploreRows } from "./rows-explore.ts";

await refusals(exploreRows);
