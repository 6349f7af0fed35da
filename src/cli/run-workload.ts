/** Replays the accesses of a workload, which a generator makes. */
import { openWorkload, type RecordSource, SimulationError, WorkloadError } from "../sim.ts";
import { UserError } from "./errors.ts";
import { NO_COUNTS, type RunInput, type TraceCounts } from "./trace-input.ts";
import type { Warning } from "./warnings.ts";

/** A workload as the input of a run. Throws UserError for one that does not exist. */
export class WorkloadInput implements RunInput {
  readonly format = "workload";
  readonly name: string;
  readonly offload = [];
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly source: RecordSource;

  /** @param option what messages call the option that names the workload */
  constructor(spec: string, option: string) {
    this.name = spec;
    try {
      const workload = openWorkload(spec);
      this.source = workload;
      this.parameters = workload.parameters;
    } catch (error) {
      throw error instanceof WorkloadError ? new UserError(`${option} ${spec}: ${error.message}`) : error;
    }
  }

  counts(): TraceCounts {
    return NO_COUNTS;
  }

  explain(error: unknown): string {
    throw error instanceof SimulationError ? new UserError(`${this.name}: ${error.message}`) : error;
  }

  finish(_simulation: unknown, partial: string | null): { partial: string | null; warnings: Warning[] } {
    return { partial, warnings: [] };
  }
}
