/** The bench rows of faults and huge pages on a device run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("faults");
