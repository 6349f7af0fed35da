/** The bench rows of migration, fork, protection and mirrors run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("mappings");
