/** What came of reading and replaying a trace, whatever its format. */
import type { LackeyStats } from "../text/lackey.ts";
import type { Warning } from "./warnings.ts";

/** The counts that a report takes over. Of an .hmt trace, lines are its blocks. */
export type TraceCounts = Pick<
  LackeyStats,
  "lines" | "instructions" | "kernelSkipped" | "comments" | "superblocks" | "foreign" | "processes" | "calls"
> & { offload: { name: string; entries: number }[] };

export interface TraceOutcome {
  format: "lackey" | "hmt";
  counts: TraceCounts;
  /** Why the figures are those of a part of the trace; null: they are those of all of it. */
  partial: string | null;
  warnings: Warning[];
}
