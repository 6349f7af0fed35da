/** `heteromem run`: replays a trace or a workload in a simulation, and prints the report. */
import { ConfigError, feedAll, Simulation, SimulationError } from "../sim.ts";
import { forEachReference } from "../sim/first-pass.ts";
import { References } from "../sim/policies/references.ts";
import { HmmError } from "../index.ts";
import { simulationFields } from "../sim/config.ts";
import { configError, type Configured } from "./config.ts";
import { UserError } from "./errors.ts";
import { INTERRUPTED, PARTIAL, STOPPED } from "./exit.ts";
import { TraceInput } from "./input.ts";
import { keepHeapSmall } from "./heap.ts";
import { demandInput, openInput } from "./open-input.ts";
import type { Picture } from "../report/picture.ts";
import { Pictures } from "./pictures.ts";
import { Progress } from "./progress.ts";
import { formatReport, type RunReport } from "./report.ts";
import { runReport } from "./run-report.ts";
import { count } from "./words.ts";

/** How the report is printed. */
export interface RunOptions {
  json: boolean;
  quiet: boolean;
  version: string;
}

/** Runs the command and returns its exit code. Throws UserError, and then has printed nothing to stdout. */
export async function run(configured: Configured, options: RunOptions): Promise<number> {
  demandInput(configured.config);
  keepHeapSmall();
  const { trace } = configured.config;
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
  let picture: Picture | null;
  let pictures: Pictures | null = null;
  const terminal = !options.json && process.stdout.isTTY;
  try {
    pictures = new Pictures(configured, terminal);
    const watch = { progress, signal, version: options.version, pictures };
    ({ report, picture } = await replay(configured, file, watch));
  } catch (error) {
    pictures?.discard();
    throw error;
  } finally {
    progress.stop();
    process.off("SIGINT", interrupt);
    file?.close();
  }
  const seconds = (performance.now() - start) / 1000;
  const text = options.json
    ? JSON.stringify(report, null, 2)
    : formatReport(report, terminal ? picture : null);
  process.stdout.write(`${text}\n`);
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
  /** Draws the run; null: nobody asks for it. */
  pictures: Pictures | null;
  /** Makes the simulation. Default: {@link Simulation.create}. */
  create?: typeof Simulation.create;
}

const createOwn: typeof Simulation.create = (config, future) => Simulation.create(config, future);

/** Replays an open trace, or a workload, and returns the report: all of `run` but the printing. */
export async function replay(
  configured: Configured,
  file: TraceInput | null,
  { progress, signal, version, pictures, create = createOwn }: Watch,
): Promise<{ report: RunReport; picture: Picture | null }> {
  const { config, nameOf } = configured;
  // A workload that does not exist is said before an engine is made.
  let input = file === null ? await openInput(configured, file) : null;
  const future = config.evict === "opt" ? await lookAhead(configured, file) : undefined;
  using simulation = await createSimulation(configured, future, create);
  input ??= await openInput(configured, file);
  const { source } = input;
  pictures?.listen(simulation);
  const onProgress = (): void => progress.update(input.counts().lines);
  let partial: string | null = null;
  try {
    await feedAll(simulation, source, { onProgress, signal });
  } catch (error) {
    const stopped = signal.aborted && !(error instanceof SimulationError);
    partial = stopped ? STOPPED : input.explain(inOptions(error, nameOf));
  }
  if (signal.aborted) partial = STOPPED;
  const report = runReport(input, simulation, partial, version);
  return { report, picture: pictures?.write(report, source) ?? null };
}

/**
 * Returns the device's accesses by a first pass over the input. Throws UserError if it cannot be read twice.
 */
async function lookAhead(configured: Configured, file: TraceInput | null): Promise<References> {
  const { config, nameOf } = configured;
  if (file !== null && file.size === undefined)
    throw new UserError(`${nameOf("evict")} opt: expected a trace that can be read twice, not ${file.name}`);
  const again = file === null ? null : await TraceInput.open(config.trace!);
  const references = new References();
  const input = await openInput(configured, again);
  try {
    await forEachReference(input.source, simulationFields(config), (unit) => references.add(unit));
  } catch (error) {
    if (error instanceof ConfigError) throw configError(error, nameOf);
    input.explain(error); // a trace that ends early has this much
  } finally {
    again?.close();
  }
  return references;
}

async function createSimulation(
  { config, nameOf }: Configured,
  future: References | undefined,
  create: typeof Simulation.create,
): Promise<Simulation> {
  try {
    return await create(simulationFields(config), future);
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
