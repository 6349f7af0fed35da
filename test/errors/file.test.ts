/** Calls of files and their mappings refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { fileRows } from "./rows-file.ts";

await refusals(fileRows);
