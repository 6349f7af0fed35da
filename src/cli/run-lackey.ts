/** Replays a trace of valgrind's lackey: decodes it chunk by chunk, and says what is wrong with it. */
import type { Simulation } from "../sim/simulation.ts";
import { SimulationError } from "../sim/simulation.ts";
import { loadText } from "../text/index.ts";
import {
  LackeyDecoder,
  TraceError,
  type Calls,
  type LackeyOptions,
  type LackeyStats,
} from "../text/lackey.ts";
import type { NamedRange } from "./args.ts";
import { CodeAreas } from "./code-areas.ts";
import { DamagedError, UserError } from "./errors.ts";
import type { TraceInput } from "./input.ts";
import { lineOfRecord } from "./locate.ts";
import type { TraceOutcome } from "./outcome.ts";
import type { Progress } from "./progress.ts";
import { whyNoAccess, whyNoTrace, whyUnused } from "./reasons.ts";
import { warningsOf } from "./warnings.ts";

export interface LackeySetting {
  input: TraceInput;
  chunks: AsyncIterable<Uint8Array>;
  simulation: Simulation;
  progress: Progress;
  offload: readonly NamedRange[];
  /** How the machine calls; null: the trace tells. */
  calls: Calls | null;
  pid: number | null;
  skipForeign: boolean;
  /** Is given the function that says how many lines are decoded. */
  onLines: (lines: () => number) => void;
}

const LINE_FEED = 0x0a;
/** Bytes of the file's beginning that are kept, to name its format. */
const HEAD_BYTES = 4096;

/** What the text of a trace that goes wrong is called by. */
interface Reading {
  decoder: LackeyDecoder;
  options: LackeyOptions;
  areas: CodeAreas;
  /** The file's first bytes. */
  head: Uint8Array;
  /** The incomplete line before the next chunk. */
  tail: Uint8Array;
}

/** Decodes and replays chunk by chunk, until the trace ends or Ctrl-C stops it. Throws UserError. */
export async function replayLackey(setting: LackeySetting): Promise<TraceOutcome> {
  const { input, offload, calls, pid, skipForeign } = setting;
  const options: LackeyOptions = {
    offload,
    file: input.name,
    skipForeign,
    ...(calls === null ? {} : { calls }),
    ...(pid === null ? {} : { pid }),
  };
  const decoder = new LackeyDecoder(loadText(), options);
  setting.onLines(() => decoder.stats().lines);
  const reading = {
    decoder,
    options,
    areas: new CodeAreas(),
    head: new Uint8Array(),
    tail: new Uint8Array(),
  };
  try {
    const partial = await readAll(reading, setting);
    const stats = decoder.stats();
    check(reading, setting, stats, partial);
    const whole = partial === null;
    return {
      format: "lackey",
      counts: stats,
      partial,
      warnings: warningsOf(stats, { told: calls !== null, whole }),
    };
  } finally {
    decoder.close();
  }
}

/** Replays the whole trace. Returns why it ended early, or null. */
async function readAll(reading: Reading, setting: LackeySetting): Promise<string | null> {
  const { decoder } = reading;
  try {
    for await (const chunk of setting.chunks) {
      if (reading.head.length === 0) reading.head = new Uint8Array(chunk.subarray(0, HEAD_BYTES));
      if (setting.offload.length > 0) reading.areas.look(chunk);
      replayChunk(reading, setting, chunk);
      setting.progress.update(decoder.stats().lines);
      await turn();
    }
    if (setting.input.stopped) return "interrupted";
    decoder.finish((records) => replayBatch(setting, records, () => decoder.stats().lines));
    return null;
  } catch (error) {
    const { loads, stores, modifies } = decoder.stats();
    const empty = loads + stores + modifies === 0;
    if (error instanceof DamagedError && !empty) return error.reason;
    if (!(error instanceof TraceError)) throw error;
    const cut = decoder.finishing;
    if (empty) throw whyNoTrace(setting.input.name, error, reading.head);
    if (error.kind === "nul" || error.kind === "valgrind") return `line ${error.line}: ${error.reason}`;
    if (cut) return `line ${error.line} is cut off`;
    throw whyNoTrace(setting.input.name, error, null);
  }
}

function replayChunk(reading: Reading, setting: LackeySetting, chunk: Uint8Array): void {
  const { decoder, options, tail } = reading;
  const { lines, currentPid } = decoder.stats();
  let before = 0; // records of this chunk in earlier batches
  decoder.feed(chunk, (records) => {
    replayBatch(setting, records, (index) =>
      lineOfRecord(Buffer.concat([tail, chunk]), before + index, { ...options, currentPid }, lines + 1),
    );
    before += records.length / 2;
  });
  const end = chunk.lastIndexOf(LINE_FEED);
  reading.tail = end < 0 ? Buffer.concat([tail, chunk]) : new Uint8Array(chunk.subarray(end + 1));
}

/** Lets the bar's timer and Ctrl-C have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Replays a batch. Throws UserError that names the line of an access that cannot be made. */
function replayBatch(
  { simulation, input }: LackeySetting,
  records: BigUint64Array,
  lineOf: (index: number) => number,
): void {
  try {
    simulation.replay(records);
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    throw new UserError(`${input.name}:${lineOf(error.record)}: ${error.message}`);
  }
}

/** Throws UserError for a trace without accesses, and for ranges that no instruction is in. */
function check(reading: Reading, setting: LackeySetting, stats: LackeyStats, partial: string | null): void {
  const { input, offload, simulation, pid } = setting;
  if (input.stopped) return;
  if (simulation.replayed === 0) throw whyNoAccess(input.name, stats, simulation.skipped, pid, reading.head);
  if (partial !== null) return;
  const entered = new Set(offload.filter((_, i) => stats.offload[i].entries > 0).map(({ origin }) => origin));
  const unused = offload.find(({ origin }) => !entered.has(origin));
  if (unused !== undefined) throw whyUnused(input.name, unused, reading.areas.describe());
}
