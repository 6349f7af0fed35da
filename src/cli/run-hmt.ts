/** Replays an .hmt trace (docs/hmt.md), whose records say themselves who accesses. */
import { decodeHmt, HmtFormatError, type HmtTrace, SimulationError } from "../sim.ts";
import { UserError } from "./errors.ts";
import type { NamedRange } from "./offload-value.ts";
import { NO_COUNTS, type InputFile, type Replayed, type RunInput, type TraceCounts } from "./trace-input.ts";
import type { Warning } from "./warnings.ts";
import { plural } from "./words.ts";

/** An .hmt trace as the input of a run. Throws UserError for offload ranges. */
export class HmtInput implements RunInput {
  readonly format = "hmt";
  readonly name: string;
  readonly offload = [];
  readonly parameters = null;
  readonly source: HmtTrace;
  readonly #input: InputFile;

  constructor(input: InputFile, chunks: AsyncIterable<Uint8Array>, offload: readonly NamedRange[]) {
    this.name = input.name;
    this.#input = input;
    const origin = offload.at(0)?.origin;
    if (origin !== undefined)
      throw new UserError(
        `${origin}: ${input.name} says itself what the device does; HETEROMEM_DEVICE marks it`,
      );
    this.source = decodeHmt(chunks, { file: input.name });
  }

  counts(): TraceCounts {
    return { ...NO_COUNTS, lines: this.source.stats?.blocks ?? 0 };
  }

  explain(error: unknown): string {
    if (error instanceof SimulationError)
      throw new UserError(`${this.name}: block ${this.counts().lines}: ${error.message}`);
    throw error instanceof HmtFormatError ? new UserError(error.message) : error;
  }

  finish(simulation: Replayed, partial: string | null): { partial: string | null; warnings: Warning[] } {
    const { stats } = this.source;
    if (this.#input.stopped || simulation.done || stats === undefined) return { partial, warnings: [] };
    if (stats.accesses === 0) throw new UserError(`${this.name}: no access in this trace`);
    const cut = `${this.name} is cut off after ${plural(stats.blocks, "whole block")}`;
    return { partial: stats.cut ? cut : partial, warnings: [] };
  }
}
