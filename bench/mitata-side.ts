/** Calls that take less than a clock's reading costs, as a side: mitata makes samples of 4096 calls each. */
import { measure } from "mitata";
import type { Side } from "./harness.ts";

/** Nanoseconds that mitata spends on one figure, and its options for a smoke run. */
const TIME = 30e6;
const SMOKE = { min_cpu_time: 1, min_samples: 2, batch_samples: 16, warmup_threshold: 0 };

/** Returns a side that measures `call` with mitata. `hash` runs after the clock has stopped. */
export function mitataSide(call: () => unknown, smoke: boolean, hash: () => number): Side {
  return {
    async run() {
      const { avg } = await measure(call, smoke ? SMOKE : { min_cpu_time: TIME });
      return { ns: avg, hash: hash() >>> 0 };
    },
  };
}
