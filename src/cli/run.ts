/** `heteromem run TRACE`: reads and decodes a trace, replays it in a simulation, and prints the report. */
import { HmmError } from "../index.ts";
import type { Backing, Policy } from "../sim/report.ts";
import { Simulation } from "../sim/simulation.ts";
import { isHmt } from "../text/hmt.ts";
import type { NamedRange } from "./args.ts";
import { UserError } from "./errors.ts";
import { TraceInput } from "./input.ts";
import { resolveOffload, type OffloadOptions } from "./offload.ts";
import type { TraceOutcome } from "./outcome.ts";
import { Progress } from "./progress.ts";
import { formatReport, type RunReport } from "./report.ts";
import { replayHmt } from "./run-hmt.ts";
import { replayLackey } from "./run-lackey.ts";
import { address } from "./words.ts";

/** The command's options, parsed. */
export interface RunOptions {
  offload: OffloadOptions;
  /** The process whose accesses are replayed; null: of all processes. */
  pid: number | null;
  /** Skip and count lines that are no trace's. */
  skipForeign: boolean;
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

/** The exit code of a report on a trace that ends early. */
const PARTIAL = 3;
/** The exit code after Ctrl-C: 128 + SIGINT, as in shells. */
const INTERRUPTED = 130;

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
  if (!report.partial) return 0;
  return input.stopped ? INTERRUPTED : PARTIAL;
}

/** Replays an open trace and returns the report: all of `run` but the printing. Bench row P15 measures it. */
export async function replay(input: TraceInput, options: RunOptions, progress: Progress): Promise<RunReport> {
  const { ranges, calls } = await resolveOffload(options.offload, input);
  using simulation = await createSimulation(options);
  if (options.failAlloc !== null) simulation.failAllocation(options.failAlloc);
  const start = performance.now();
  let lines = (): number => 0;
  const chunks = input.chunks(() => lines());
  const first = await chunks.next();
  const all = prepend(first, chunks);
  const setting = { input, chunks: all, simulation, progress, offload: ranges };
  const outcome =
    first.done !== true && isHmt(first.value)
      ? await replayHmt(setting)
      : await replayLackey({
          ...setting,
          calls,
          pid: options.pid,
          skipForeign: options.skipForeign,
          onLines: (count) => (lines = count),
        });
  const wallSeconds = (performance.now() - start) / 1000;
  return makeReport(input, outcome, simulation, options, ranges, wallSeconds);
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

/** Yields the chunk that was read to recognize the format, then the others. */
async function* prepend<T>(first: IteratorResult<T, void>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function makeReport(
  input: TraceInput,
  { format, counts, partial, warnings }: TraceOutcome,
  simulation: Simulation,
  options: RunOptions,
  ranges: readonly NamedRange[],
  wallSeconds: number,
): RunReport {
  const replayed = simulation.replayed;
  return {
    version: options.version,
    partial: partial !== null,
    partialReason: partial,
    warnings,
    trace: {
      file: input.name,
      format,
      lines: counts.lines,
      instructions: counts.instructions,
      accesses: replayed,
      skippedKernel: counts.kernelSkipped,
      skippedUnmappable: simulation.skipped,
      comments: counts.comments,
      superblocks: counts.superblocks,
      foreign: counts.foreign,
      processes: counts.processes,
      calls: counts.calls,
    },
    offload: ranges.map(({ name, start, end }, i) => ({
      name,
      start: address(start),
      end: address(end),
      entries: counts.offload[i].entries,
    })),
    ...simulation.report(),
    failedAllocation: simulation.failedAllocation,
    wallSeconds,
    accessesPerSecond: replayed / wallSeconds,
  };
}
