/** Calls of device tables refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { tableRows } from "./rows-table.ts";

await refusals(tableRows);
