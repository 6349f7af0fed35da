/** Calls of pages refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { pageRows } from "./rows-page.ts";

await refusals(pageRows);
