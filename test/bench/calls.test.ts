/** The bench rows of one-page calls run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("calls");
