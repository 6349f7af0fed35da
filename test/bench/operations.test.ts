/** The bench rows of operations of the engine run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("P1 to P8");
