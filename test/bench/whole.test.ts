/** The bench rows of calls, memory and whole runs run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("P9 and above");
