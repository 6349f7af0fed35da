/** `heteromem run TRACE`: reads and decodes a trace, replays it in a simulation, and prints the report. */
import { HmmError } from "../index.ts";
import type { Backing, Policy } from "../sim/report.ts";
import { Simulation, SimulationError } from "../sim/simulation.ts";
import { isHmt } from "../text/hmt.ts";
import { loadText } from "../text/index.ts";
import { LackeyDecoder, type LackeyStats } from "../text/lackey.ts";
import type { NamedRange } from "./args.ts";
import { UserError } from "./errors.ts";
import { TraceInput } from "./input.ts";
import { lineOfRecord } from "./locate.ts";
import { Progress } from "./progress.ts";
import { formatReport, type RunReport } from "./report.ts";
import { replayHmt } from "./run-hmt.ts";

/** The command's options, parsed. */
export interface RunOptions {
  offload: NamedRange[];
  systemMemory: number;
  deviceMemory: number;
  policy: Policy;
  backing: Backing;
  /** The number of the allocation inside the engine that is to fail; null: none. */
  failAlloc: number | null;
  json: boolean;
  quiet: boolean;
  version: string;
}

/** The exit code after Ctrl-C: 128 + SIGINT, as in shells. */
const INTERRUPTED = 130;
const LINE_FEED = 0x0a;

/** Runs the command and returns its exit code. Throws UserError, and then has printed nothing to stdout. */
export async function run(path: string, options: RunOptions): Promise<number> {
  const input = await TraceInput.open(path);
  const interrupt = (): void => input.stop();
  process.once("SIGINT", interrupt);
  const progress = new Progress(input, options.quiet);
  let report: RunReport;
  try {
    report = await replay(input, options, progress);
  } finally {
    progress.stop();
    process.off("SIGINT", interrupt);
    input.close();
  }
  process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : formatReport(report)}\n`);
  return report.partial ? INTERRUPTED : 0;
}

/** Replays an open trace and returns the report: all of `run` but the printing. Bench row P15 measures it. */
export async function replay(input: TraceInput, options: RunOptions, progress: Progress): Promise<RunReport> {
  using simulation = await createSimulation(options);
  if (options.failAlloc !== null) simulation.failAllocation(options.failAlloc);
  const start = performance.now();
  const stats = await replayAll(input, options.offload, simulation, progress);
  const wallSeconds = (performance.now() - start) / 1000;
  if (!input.stopped) checkTrace(input, stats, options.offload);
  return makeReport(input, stats, simulation, options, wallSeconds);
}

async function createSimulation(options: RunOptions): Promise<Simulation> {
  const { policy, backing, systemMemory, deviceMemory } = options;
  try {
    return await Simulation.create({ policy, backing, systemMemory, deviceMemory });
  } catch (error) {
    if (!(error instanceof HmmError) && !(error instanceof RangeError)) throw error;
    const advice = backing === "data" ? "; --backing metadata simulates more memory than there is" : "";
    throw new UserError(`--system-memory and --device-memory: ${error.message}${advice}`);
  }
}

type TraceStats = LackeyStats & Pick<RunReport["trace"], "format">;

/** Decodes and replays a trace in the format that its first bytes name. */
async function replayAll(
  input: TraceInput,
  offload: readonly NamedRange[],
  simulation: Simulation,
  progress: Progress,
): Promise<TraceStats> {
  const decoder = new LackeyDecoder(loadText(), { offload, file: input.name });
  const chunks = input.chunks(() => decoder.stats().lines);
  const first = await chunks.next();
  const all = prepend(first, chunks);
  if (first.done !== true && isHmt(first.value))
    return { format: "hmt", ...(await replayHmt(input, all, simulation, progress, offload)) };
  return { format: "lackey", ...(await replayLackey(input, all, decoder, simulation, progress)) };
}

/** Yields the chunk that was read to recognize the format, then the others. */
async function* prepend<T>(first: IteratorResult<T, void>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

/** Decodes and replays chunk by chunk, until the trace ends or Ctrl-C stops it. */
async function replayLackey(
  input: TraceInput,
  chunks: AsyncIterable<Uint8Array>,
  decoder: LackeyDecoder,
  simulation: Simulation,
  progress: Progress,
): Promise<LackeyStats> {
  let tail: Uint8Array = new Uint8Array(); // the incomplete line before the chunk
  for await (const chunk of chunks) {
    const { lines } = decoder.stats();
    let before = 0; // records of this chunk in earlier batches
    decoder.feed(chunk, (records) => {
      replayBatch(simulation, records, input, (index) =>
        lineOfRecord(Buffer.concat([tail, chunk]).toString("latin1"), before + index, lines + 1),
      );
      before += records.length;
    });
    tail = incomplete(tail, chunk);
    progress.update(lines);
    await turn();
  }
  return finish(input, decoder, simulation);
}

/** Ends the decoding. After an interruption an incomplete line is no line. */
function finish(input: TraceInput, decoder: LackeyDecoder, simulation: Simulation): LackeyStats {
  if (!input.stopped) {
    return decoder.end((records) => replayBatch(simulation, records, input, () => decoder.stats().lines));
  }
  const stats = decoder.stats();
  decoder.close();
  return stats;
}

/** Lets the bar's timer and Ctrl-C have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A copy of the incomplete line at the end of `tail` and `chunk`. */
function incomplete(tail: Uint8Array, chunk: Uint8Array): Uint8Array {
  const end = chunk.lastIndexOf(LINE_FEED);
  return end < 0 ? Buffer.concat([tail, chunk]) : new Uint8Array(chunk.subarray(end + 1));
}

/** Replays a batch. Throws UserError that names the line of an access that cannot be made. */
function replayBatch(
  simulation: Simulation,
  records: BigUint64Array,
  input: TraceInput,
  lineOf: (index: number) => number,
): void {
  try {
    simulation.replay(records);
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    throw new UserError(`${input.name}:${lineOf(error.record)}: ${error.message}`);
  }
}

/** Throws UserError for a trace without accesses, and for a range that no instruction is in. */
function checkTrace(input: TraceInput, stats: LackeyStats, ranges: readonly NamedRange[]): void {
  const { lines, loads, stores, modifies } = stats;
  if (loads + stores + modifies === 0) {
    const why =
      lines === 0
        ? "the trace is empty"
        : "no load or store in this trace: was it recorded with --trace-mem=yes?";
    throw new UserError(`${input.name}:${Math.max(lines, 1)}: ${why}`);
  }
  const unused = stats.offload.findIndex((range) => range.entries === 0);
  if (unused >= 0) {
    const { name, origin } = ranges[unused];
    throw new UserError(`${origin}: no instruction of ${input.name} is in the range ${name}`);
  }
}

function makeReport(
  input: TraceInput,
  stats: TraceStats,
  simulation: Simulation,
  options: RunOptions,
  wallSeconds: number,
): RunReport {
  const replayed = simulation.replayed;
  return {
    version: options.version,
    partial: input.stopped,
    trace: {
      file: input.name,
      format: stats.format,
      lines: stats.lines,
      instructions: stats.instructions,
      accesses: replayed,
      skippedKernel: stats.kernelSkipped,
      skippedUnmappable: simulation.skipped,
      comments: stats.comments,
    },
    offload: options.offload.map(({ name, start, end }, i) => ({
      name,
      start: `0x${start.toString(16)}`,
      end: `0x${end.toString(16)}`,
      entries: stats.offload[i].entries,
    })),
    ...simulation.report(),
    failedAllocation: simulation.failedAllocation,
    wallSeconds,
    accessesPerSecond: replayed / wallSeconds,
  };
}
