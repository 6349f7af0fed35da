/** The bench rows of mappings that change: migration, fork, protection, mirrors run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("mappings");
