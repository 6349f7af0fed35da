/** What a trace cannot tell, and what was left out of it: the report says so, with counts. */
import type { LackeyStats } from "../sim.ts";
import { plural } from "./words.ts";

/** What a warning is about; docs/run.md describes each. */
export type WarningKind =
  "switches" | "missed" | "stacks" | "no-return" | "calls" | "processes" | "foreign" | "other-process";

/** Something that the reader of a report should know. */
export interface Warning {
  kind: WarningKind;
  /** How often it occurred. */
  count: number;
  text: string;
}

/**
 * Returns the warnings of a trace. `told`: the options say how the machine calls. `whole`: it was read to its
 * end.
 */
export function warningsOf(
  stats: LackeyStats,
  { told, whole }: { told: boolean; whole: boolean },
): Warning[] {
  const { switches, missed, stacks, foreign, processes, otherPid } = stats;
  const entries = stats.offload.reduce((sum, range) => sum + range.entries, 0);
  const guessed = !told && stats.calls !== "push";
  const several = otherPid === 0 && processes.length > 1;
  const all: [kind: WarningKind, count: number, text: string][] = [
    [
      "switches",
      switches,
      `control left device code without a call or return ${plural(switches, "time")}: another thread, a ` +
        "signal, or code that lies elsewhere; its accesses count for whoever ran before",
    ],
    [
      "missed",
      missed,
      `${plural(missed, "region")} of device code ended without a return (longjmp, an exception, another ` +
        "thread): accesses count for the device until the next call of device code",
    ],
    [
      "stacks",
      stacks,
      `device code began on another stack ${plural(stacks, "time")}: the program has threads, which lackey ` +
        "does not name; what other threads do while the device runs counts for the device",
    ],
    [
      "no-return",
      whole && stats.waiting ? 1 : 0,
      "device code had not returned when the trace ended: all accesses since its last call count for the " +
        "device",
    ],
    [
      "calls",
      guessed ? entries : 0,
      "no instruction has an odd length: calls are taken for those of a machine with a link register, and " +
        "offload ranges for whole functions; --calls says how it is",
    ],
    [
      "processes",
      several ? processes.length : 0,
      `${processes.length} processes are in this trace (${processes.join(", ")}): their address spaces lie ` +
        "over each other; --pid selects one",
    ],
    ["foreign", foreign, `${plural(foreign, "line")} of other text skipped`],
    ["other-process", otherPid, `${plural(otherPid, "line")} of other processes skipped`],
  ];
  return all.filter(([, count]) => count > 0).map(([kind, count, text]) => ({ kind, count, text }));
}
