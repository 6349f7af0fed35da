/** Replays a trace of valgrind's lackey, and says what is wrong with it. */
import { type Calls, decodeLackey, type LackeyTrace, SimulationError, TraceError } from "../sim.ts";
import { CodeAreas } from "./code-areas.ts";
import { DamagedError, UserError } from "./errors.ts";
import { whyNoAccess, whyNoTrace, whyUnused } from "./reasons.ts";
import type { NamedRange } from "./offload-value.ts";
import type { InputFile, Replayed, RunInput, TraceCounts } from "./trace-input.ts";
import { warningsOf, type Warning } from "./warnings.ts";

export interface LackeySetting {
  input: InputFile;
  offload: readonly NamedRange[];
  /** How the machine calls; null: the trace tells. */
  calls: Calls | null;
  pid: number | null;
  skipForeign: boolean;
  /** Whether instructions give records. */
  instructions: boolean;
}

/** Bytes of the file's beginning that are kept, to name its format. */
const HEAD_BYTES = 4096;

/** A trace of lackey as the input of a run. */
export class LackeyInput implements RunInput {
  readonly format = "lackey";
  readonly name: string;
  readonly offload: readonly NamedRange[];
  readonly parameters = null;
  readonly source: LackeyTrace;
  readonly #setting: LackeySetting;
  readonly #areas = new CodeAreas();
  /** The file's first bytes. */
  #head = new Uint8Array();

  constructor(setting: LackeySetting, chunks: AsyncIterable<Uint8Array>) {
    const { input, offload, calls, pid, skipForeign, instructions } = setting;
    this.name = input.name;
    this.offload = offload;
    this.#setting = setting;
    this.source = decodeLackey(this.#look(chunks), {
      offload,
      file: input.name,
      skipForeign,
      instructions,
      ...(calls === null ? {} : { calls }),
      ...(pid === null ? {} : { pid }),
    });
  }

  counts(): TraceCounts {
    return this.source.stats;
  }

  explain(error: unknown): string {
    if (error instanceof SimulationError)
      throw new UserError(`${this.name}:${this.source.lineOf(error.record)}: ${error.message}`);
    const { loads, stores, modifies } = this.source.stats;
    const empty = loads + stores + modifies === 0;
    if (error instanceof DamagedError && !empty) return error.reason;
    if (!(error instanceof TraceError)) throw error;
    if (empty) throw whyNoTrace(this.name, error, this.#head);
    if (error.kind === "nul" || error.kind === "valgrind") return `line ${error.line}: ${error.reason}`;
    if (this.source.finishing) return `line ${error.line} is cut off`;
    throw whyNoTrace(this.name, error, null);
  }

  finish(simulation: Replayed, partial: string | null): { partial: string | null; warnings: Warning[] } {
    const { calls, pid, input } = this.#setting;
    const { stats } = this.source;
    if (!input.stopped && !simulation.done) this.#check(simulation, partial, pid);
    const whole = partial === null && !simulation.done;
    return { partial, warnings: warningsOf(stats, { told: calls !== null, whole }) };
  }

  /** Throws UserError for a trace without accesses, and for ranges that no instruction is in. */
  #check(simulation: Replayed, partial: string | null, pid: number | null): void {
    const { stats } = this.source;
    const { kernel, unmappable } = simulation.skipped;
    if (simulation.replayed === 0 && stats.loads + stats.stores + stats.modifies === kernel + unmappable)
      throw whyNoAccess(this.name, stats, unmappable, pid, this.#head);
    if (partial !== null) return;
    const { offload } = this;
    const entered = new Set(
      offload.filter((_, i) => stats.offload[i].entries > 0).map(({ origin }) => origin),
    );
    const unused = offload.find(({ origin }) => !entered.has(origin));
    if (unused !== undefined) throw whyUnused(this.name, unused, this.#areas.describe());
  }

  /** Looks at the chunks on their way to the decoder. */
  async *#look(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      if (this.#head.length === 0) this.#head = new Uint8Array(chunk.subarray(0, HEAD_BYTES));
      if (this.offload.length > 0) this.#areas.look(chunk);
      yield chunk;
    }
  }
}
