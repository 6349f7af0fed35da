/** Allocations of a device's accesses in recorded runs fail, one at a time: a sample. */
import { testSample } from "./sample.ts";

testSample("devices");
