/** The bench rows of page tables run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("page-tables");
