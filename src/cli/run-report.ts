/** Puts the report of a run together: the simulation's, and what is known of the input. */
import type { Simulation } from "../sim.ts";
import type { RunReport } from "./report.ts";
import type { RunInput } from "./trace-input.ts";
import { address } from "./words.ts";

/**
 * Returns the report of a run that has come to its end, or to where it was stopped or the trace ends.
 * @param early why it ended there; null: it is on all of the input
 * @throws UserError for a trace that gave nothing
 */
export function runReport(
  input: RunInput,
  simulation: Simulation,
  early: string | null,
  version: string,
): RunReport {
  const { format, name, offload, parameters } = input;
  const { partial, warnings } = input.finish(simulation, early);
  const counts = input.counts();
  const { schema, ...report } = simulation.report();
  const skipped = simulation.skipped;
  return {
    schema,
    version,
    partial: partial !== null,
    partialReason: partial,
    warnings,
    trace: {
      file: name,
      format,
      lines: counts.lines,
      instructions: counts.instructions,
      accesses: simulation.replayed,
      skippedKernel: counts.kernelSkipped + skipped.kernel,
      skippedUnmappable: skipped.unmappable,
      comments: counts.comments,
      superblocks: counts.superblocks,
      foreign: counts.foreign,
      processes: counts.processes,
      calls: counts.calls,
    },
    parameters,
    offload: offload.map(({ name, start, end }, i) => ({
      name,
      start: address(start),
      end: address(end),
      entries: counts.offload[i].entries,
    })),
    ...report,
  };
}
