/** The bench rows of migration run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("migration");
