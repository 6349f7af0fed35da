/** Calls of the handles of address spaces, their locks and their groups refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { handleRows } from "./rows-mm.ts";

await refusals(handleRows);
