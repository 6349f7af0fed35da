/** The bench rows of snapshots and checkpoints run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("snapshots");
