/** Allocations of a device's accesses and migrations in recorded runs fail, one at a time: a sample. */
import { testSample } from "./sample.ts";

testSample("devices");
