/** The scenarios of the kernel's HMM self-tests that need huge pages, with device-private memory. */
import { scenarios } from "./hmm-tests-huge.ts";

scenarios.run("hmm-tests: huge pages", [false]);
