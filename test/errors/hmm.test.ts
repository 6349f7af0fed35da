/** Calls of engines refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { hmmRows } from "./rows-hmm.ts";

await refusals(hmmRows);
