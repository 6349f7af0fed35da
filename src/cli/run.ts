/** `heteromem run`: replays a trace or a workload in a simulation, and prints the report. */
import { ConfigError, feedAll, Simulation, SimulationError } from "../sim.ts";
import { HmmError } from "../index.ts";
import { loadText } from "../text/index.ts";
import { parseAddress, parseOffload } from "./args.ts";
import { configError, simulationConfig, type Configured, type RunConfig } from "./config.ts";
import { UserError } from "./errors.ts";
import { INTERRUPTED, PARTIAL, STOPPED } from "./exit.ts";
import { TraceInput } from "./input.ts";
import { resolveOffload } from "./offload.ts";
import { makeDecoder, recognizeTrace } from "./open-trace.ts";
import { Progress } from "./progress.ts";
import { formatReport, type RunReport } from "./report.ts";
import { HmtInput } from "./run-hmt.ts";
import { LackeyInput } from "./run-lackey.ts";
import { LinesInput } from "./run-lines.ts";
import { WorkloadInput } from "./run-workload.ts";
import type { RunInput } from "./trace-input.ts";
import { address, count } from "./words.ts";

/** How the report is printed. */
export interface RunOptions {
  json: boolean;
  quiet: boolean;
  version: string;
}

/** Runs the command and returns its exit code. Throws UserError, and then has printed nothing to stdout. */
export async function run(configured: Configured, options: RunOptions): Promise<number> {
  const { trace, workload } = configured.config;
  if ((trace === undefined) === (workload === undefined))
    throw new UserError("expected a trace or --workload, and not both");
  const file = trace === undefined ? null : await TraceInput.open(trace);
  const signal = { aborted: false, reason: new Error(STOPPED) };
  const interrupt = (): void => {
    signal.aborted = true;
    file?.stop();
  };
  process.once("SIGINT", interrupt);
  const progress = new Progress(file, options.quiet);
  const start = performance.now();
  let report: RunReport;
  try {
    report = await replay(configured, file, { progress, signal, version: options.version });
  } finally {
    progress.stop();
    process.off("SIGINT", interrupt);
    file?.close();
  }
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : formatReport(report)}\n`);
  if (!options.quiet) process.stderr.write(speed(report.trace.accesses, seconds));
  if (!report.partial) return 0;
  return signal.aborted ? INTERRUPTED : PARTIAL;
}

function speed(accesses: number, seconds: number): string {
  return `${seconds.toFixed(2)} s, ${count(Math.round(accesses / seconds))} accesses a second\n`;
}

/** What a run is watched and stopped by. */
export interface Watch {
  progress: Progress;
  signal: { aborted: boolean; reason: Error };
  version: string;
}

/** Replays an open trace, or a workload, and returns the report: all of `run` but the printing. */
export async function replay(
  { config, nameOf }: Configured,
  file: TraceInput | null,
  { progress, signal, version }: Watch,
): Promise<RunReport> {
  let input: RunInput | null = null;
  const open = async (): Promise<RunInput> =>
    file === null
      ? new WorkloadInput(config.workload!, nameOf("workload"))
      : openTrace(file, config, () => input?.counts().lines ?? 0);
  // A workload that does not exist is said before an engine is made.
  if (file === null) input = await open();
  using simulation = await createSimulation(config, nameOf);
  input ??= await open();
  const { source } = input;
  const onProgress = (): void => progress.update(input.counts().lines);
  let partial: string | null = null;
  try {
    await feedAll(simulation, source, { onProgress, signal });
  } catch (error) {
    const stopped = signal.aborted && !(error instanceof SimulationError);
    partial = stopped ? STOPPED : input.explain(inOptions(error, nameOf));
  }
  if (signal.aborted) partial = STOPPED;
  return makeReport(input, simulation, partial, version);
}

/** Recognizes a trace by its first bytes, and opens it. */
async function openTrace(file: TraceInput, config: RunConfig, lines: () => number): Promise<RunInput> {
  const { ranges, calls } = await resolveOffload(
    {
      values: parseOffload(config.offload ?? []),
      binary: config.binary ?? null,
      base: config.base === undefined ? null : parseAddress("--base", config.base),
      calls: config.calls ?? null,
    },
    file,
  );
  const found = await recognizeTrace(file.chunks(lines), config.format ?? null);
  const all = untilStopped(found.chunks, file);
  const { pid = null, skipForeign = false } = config;
  // A file of which nothing is recognized may be a log with other text before the trace.
  const format = found.format?.name ?? "lackey";
  if (format === "lackey")
    return new LackeyInput({ input: file, offload: ranges, calls, pid, skipForeign }, all);
  if (format === "hmt") return new HmtInput(file, all, ranges);
  if (pid !== null || skipForeign)
    throw new UserError(`${pid === null ? "--skip-foreign" : "--pid"}: ${file.name} is no trace of lackey`);
  return new LinesInput(file, await makeDecoder(loadText(), { ...found, chunks: all }, file.name), ranges);
}

async function createSimulation(config: RunConfig, nameOf: Configured["nameOf"]): Promise<Simulation> {
  try {
    return await Simulation.create(simulationConfig(config));
  } catch (error) {
    if (error instanceof ConfigError) throw configError(error, nameOf);
    if (!(error instanceof HmmError) && !(error instanceof RangeError)) throw error;
    const advice =
      config.backing === "metadata" ? "" : "; --backing metadata simulates more memory than there is";
    throw new UserError(`${nameOf("systemMemory")} and ${nameOf("deviceMemory")}: ${error.message}${advice}`);
  }
}

/** A simulation's error in the words of the command's options. */
function inOptions(error: unknown, nameOf: Configured["nameOf"]): unknown {
  if (!(error instanceof SimulationError)) return error;
  const message = error.message.replace(/^(?:systemMemory|devices)(?= )/, nameOf);
  return new SimulationError(error.record, message, error.cause);
}

/** Throws where the trace was stopped: what is there of its last line is none. */
async function* untilStopped<T>(chunks: AsyncIterable<T>, file: TraceInput): AsyncGenerator<T, void, void> {
  yield* chunks;
  if (file.stopped) throw new Error(STOPPED);
}

function makeReport(
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
