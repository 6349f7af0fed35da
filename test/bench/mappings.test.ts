/** The bench rows of fork, protection and mirrors run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("mappings");
