/** The bench rows of memory that the engine takes, and its growth run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("memory");
