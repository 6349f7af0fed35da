/** Allocations of a CPU's accesses, and what no other file has, fail in recorded runs: a sample. */
import { testSample } from "./sample.ts";

testSample("accesses");
