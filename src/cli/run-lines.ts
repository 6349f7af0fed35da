/** Replays a trace of any format other than lackey and .hmt (docs/formats.md). */
import { type RecordSource, SimulationError } from "../sim.ts";
import type { DecodedBlock, DecoderStats } from "../text/decoder.ts";
import type { NamedRange } from "./offload-value.ts";
import { DamagedError, UserError } from "./errors.ts";
import { asUserError, endOf, type OpenTrace } from "./open-trace.ts";
import { NO_COUNTS, type InputFile, type Replayed, type RunInput, type TraceCounts } from "./trace-input.ts";
import type { Warning } from "./warnings.ts";
import { count } from "./words.ts";

/** A trace of lines, or of ChampSim, as the input of a run. Throws UserError for offload ranges. */
export class LinesInput implements RunInput {
  readonly format: string;
  readonly name: string;
  readonly offload = [];
  readonly parameters = null;
  readonly source: RecordSource;
  readonly #input: InputFile;
  readonly #trace: OpenTrace;
  #stats: DecoderStats | undefined;
  /** Why the trace is not whole; null: it is, or it is not known yet. */
  #cut: string | null = null;

  constructor(input: InputFile, trace: OpenTrace, offload: readonly NamedRange[]) {
    this.name = input.name;
    this.format = trace.format.name;
    this.#input = input;
    this.#trace = trace;
    const origin = offload.at(0)?.origin;
    if (origin !== undefined) {
      trace.decoder.close();
      throw new UserError(
        `${origin}: ${input.name} is ${trace.format.about}, which does not have all instructions; ` +
          "--agent or --device-range say what the device does",
      );
    }
    this.source = { blocks: () => this.#blocks() };
  }

  async *#blocks(): AsyncGenerator<DecodedBlock, void, void> {
    const { decoder, chunks } = this.#trace;
    try {
      for await (const chunk of chunks) yield* decoder.blocks(chunk);
      this.#cut = yield* decoder.rest();
    } finally {
      this.#stats = decoder.stats();
      decoder.close();
    }
  }

  get #counted(): DecoderStats {
    return this.#stats ?? this.#trace.decoder.stats();
  }

  counts(): TraceCounts {
    const { lines, instructions, kernelSkipped, skipped } = this.#counted;
    return { ...NO_COUNTS, lines, instructions, kernelSkipped, comments: skipped };
  }

  explain(error: unknown): string {
    const { accesses, lines } = this.#counted;
    if (error instanceof SimulationError)
      throw new UserError(`${this.name}: an access before line ${lines + 1}: ${error.message}`);
    if (error instanceof DamagedError && accesses > 0) return error.reason;
    const end = accesses > 0 ? endOf(error) : null;
    if (end !== null) return end;
    throw asUserError(error);
  }

  finish(simulation: Replayed, partial: string | null): { partial: string | null; warnings: Warning[] } {
    if (this.#input.stopped || simulation.done) return { partial, warnings: [] };
    const { accesses, kernelSkipped } = this.#counted;
    if (accesses === 0) {
      const why =
        kernelSkipped === 0
          ? "no access in this trace"
          : `all ${count(kernelSkipped)} accesses are at 2^47 or above, where no program's memory is; ` +
            "are the addresses decimal? --format addr-rw:decimal reads them";
      throw new UserError(`${this.name}: ${why}`);
    }
    return { partial: partial ?? this.#cut, warnings: [] };
  }
}
