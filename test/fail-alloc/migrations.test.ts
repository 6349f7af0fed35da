/** Allocations of migrations in recorded runs fail, one at a time: a sample. */
import { testSample } from "./sample.ts";

testSample("migrations");
