/** The bench rows of simulations run, and their rivals do the same work. */
import { testRows } from "./smoke.ts";

testRows("simulations");
