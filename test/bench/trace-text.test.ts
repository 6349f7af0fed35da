/** The bench row of traces as text runs, and its rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("trace-text");
