/** The bench row of the replay runs, and its rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("replay");
