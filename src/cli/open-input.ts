/** Opens what a run replays: a trace of any format, or a workload. */
import { timesInstructions } from "../sim/time/machine.ts";
import { loadText } from "../text/index.ts";
import { parseAddress, parseOffload } from "./args.ts";
import type { Configured, RunConfig } from "./config.ts";
import { UserError } from "./errors.ts";
import { STOPPED } from "./exit.ts";
import type { TraceInput } from "./input.ts";
import { resolveOffload } from "./offload.ts";
import { makeDecoder, recognizeTrace } from "./open-trace.ts";
import { HmtInput } from "./run-hmt.ts";
import { LackeyInput } from "./run-lackey.ts";
import { LinesInput } from "./run-lines.ts";
import { WorkloadInput } from "./run-workload.ts";
import type { RunInput } from "./trace-input.ts";

/** Throws UserError unless the config names either a trace or a workload. */
export function demandInput({ trace, workload }: RunConfig): void {
  if ((trace === undefined) === (workload === undefined))
    throw new UserError("expected a trace or --workload, and not both");
}

/** Opens a workload, or recognizes a trace by its first bytes. Throws UserError. */
export async function openInput({ config, nameOf }: Configured, file: TraceInput | null): Promise<RunInput> {
  if (file === null) return new WorkloadInput(config.workload!, nameOf("workload"));
  let input: RunInput | null = null;
  input = await openTrace(file, config, () => input?.counts().lines ?? 0);
  return input;
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
  const instructions = timesInstructions(config.time);
  if (format === "lackey")
    return new LackeyInput({ input: file, offload: ranges, calls, pid, skipForeign, instructions }, all);
  if (format === "hmt") return new HmtInput(file, all, ranges);
  if (pid !== null || skipForeign)
    throw new UserError(`${pid === null ? "--skip-foreign" : "--pid"}: ${file.name} is no trace of lackey`);
  const trace = { ...found, chunks: all };
  return new LinesInput(file, await makeDecoder(loadText(), trace, file.name, instructions), ranges);
}

/** Throws where the trace was stopped: what is there of its last line is none. */
async function* untilStopped<T>(chunks: AsyncIterable<T>, file: TraceInput): AsyncGenerator<T, void, void> {
  yield* chunks;
  if (file.stopped) throw new Error(STOPPED);
}
