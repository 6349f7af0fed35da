/** Calls of mirrors, notifiers and HMM ranges refuse wrong arguments. */
import { refusals } from "./refusals.ts";
import { mirrorRows } from "./rows-mirror.ts";

await refusals(mirrorRows);
