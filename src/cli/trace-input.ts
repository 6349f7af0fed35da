/** What a run replays, and what the command says about it. */
import type { LackeyStats, RecordSource, Simulation } from "../sim.ts";
import type { NamedRange } from "./offload-value.ts";
import type { Warning } from "./warnings.ts";

/** The counts that a report takes over. Of an .hmt trace, lines are its blocks. */
export type TraceCounts = Pick<
  LackeyStats,
  "lines" | "instructions" | "kernelSkipped" | "comments" | "superblocks" | "foreign" | "processes" | "calls"
> & { offload: { name: string; entries: number }[] };

/** The counts of a source that has none of its own. */
export const NO_COUNTS: TraceCounts = {
  lines: 0,
  instructions: 0,
  kernelSkipped: 0,
  comments: 0,
  superblocks: 0,
  foreign: 0,
  processes: [],
  calls: null,
  offload: [],
};

/** The file of a trace, as far as those who replay it ask. */
export interface InputFile {
  /** What messages call it. */
  readonly name: string;
  /** Whether the user has stopped the run: the trace seems to end early. */
  readonly stopped: boolean;
}

/** How far the records of an input were used: what a simulation says of itself. */
export type Replayed = Pick<Simulation, "done" | "replayed" | "skipped">;

/** A trace or a workload. */
export interface RunInput {
  /** A format of src/text/formats.ts, or `workload`. */
  readonly format: string;
  /** What messages and the report call it. */
  readonly name: string;
  readonly source: RecordSource;
  /** Device code by address. */
  readonly offload: readonly NamedRange[];
  /** A workload's parameters, defaults included. */
  readonly parameters: Readonly<Record<string, number | string>> | null;
  /** How far it was decoded: lines, or blocks. */
  counts(): TraceCounts;
  /**
   * Says why the source ended early, if what came before is good. Throws UserError for an error that the user
   * can correct, and the error itself otherwise.
   */
  explain(error: unknown): string;
  /**
   * Checks a run that has come to its end (`partial` is null) or to where the trace ends early, and returns
   * what the reader of the report should know. Throws UserError for a trace that gave nothing.
   */
  finish(simulation: Replayed, partial: string | null): { partial: string | null; warnings: Warning[] };
}
