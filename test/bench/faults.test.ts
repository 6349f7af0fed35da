/** The bench rows of faults on a device and back run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("faults");
