/** The bench row of sweeps runs, and its rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("sweeps");
