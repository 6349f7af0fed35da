/** The sweep whose results the suites of `heteromem results` read, and how they read them. */
import type { FlatRow } from "../../src/sweep/tables.ts";
import { heteromem } from "./command.ts";

export const SPEC = {
  name: "a <small> sweep",
  base: { systemMemory: "2MiB", backing: "metadata", workload: "gups:size=256KiB,updates=300" },
  axes: { deviceMemory: ["64KiB", "128KiB"], evict: ["lru", "fifo"] },
  replicate: 2,
};

/** The rows of a sweep's results. */
export function resultsOf(out: string): FlatRow[] {
  return JSON.parse(heteromem(["results", out, "--json"]).stdout) as FlatRow[];
}
