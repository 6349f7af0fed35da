/** Calls of the reference driver and heteromem/testing refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { testingRows } from "./rows-testing.ts";

await refusals(testingRows);
