/** Calls of address spaces refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { mmRows } from "./rows-mm.ts";

await refusals(mmRows);
