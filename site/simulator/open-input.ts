/** Opens what a run replays: a workload, or the file of a trace of any format. */
import { makeDecoder, recognizeTrace } from "../../src/cli/open-trace.ts";
import { checkRanges, offloadValue, type NamedRange } from "../../src/cli/offload-value.ts";
import { UserError } from "../../src/cli/errors.ts";
import { HmtInput } from "../../src/cli/run-hmt.ts";
import { LackeyInput } from "../../src/cli/run-lackey.ts";
import { LinesInput } from "../../src/cli/run-lines.ts";
import { WorkloadInput } from "../../src/cli/run-workload.ts";
import type { InputFile, RunInput } from "../../src/cli/trace-input.ts";
import type { Calls } from "../../src/sim.ts";
import { timesInstructions } from "../../src/sim/time/machine.ts";
import { loadText } from "../../src/text/index.ts";
import type { Config } from "./question.ts";
import { TraceBytes } from "./trace-bytes.ts";

/** An input, and how far it was read. */
export interface OpenInput {
  input: RunInput;
  /** Null: not known. */
  share(): number | null;
}

/** The ranges of code that a config names; only a program's file would tell addresses of names. */
function offloadOf(config: Config): NamedRange[] {
  const values = (config.offload ?? []) as string | string[];
  const ranges = (typeof values === "string" ? [values] : values).map((value) => {
    const range = offloadValue(`offload ${value}`, value);
    if ("symbol" in range)
      throw new UserError(
        `offload ${value}: expected [NAME=]0xSTART-0xEND; the command knows functions' names`,
      );
    return range;
  });
  return checkRanges(ranges);
}

/**
 * Opens a config's input.
 * @param file the trace's; null: the config names a workload
 * @param state whether the run was stopped
 * @throws UserError for what cannot be read
 */
export async function openInput(
  config: Config,
  file: Blob | null,
  state: Pick<InputFile, "stopped">,
): Promise<OpenInput> {
  if (typeof config.workload === "string")
    return { input: new WorkloadInput(config.workload, "workload"), share: () => null };
  if (file === null) throw new UserError("expected a trace or a workload");
  const named = {
    name: String(config.trace),
    get stopped() {
      return state.stopped;
    },
  };
  const offload = offloadOf(config);
  const bytes = new TraceBytes(file);
  const format = typeof config.format === "string" ? config.format : null;
  const found = await recognizeTrace(bytes.chunks(), format);
  return { input: await decoded(config, named, offload, found), share: () => bytes.share };
}

async function decoded(
  config: Config,
  file: InputFile,
  offload: NamedRange[],
  found: Awaited<ReturnType<typeof recognizeTrace>>,
): Promise<RunInput> {
  const name = found.format?.name;
  const instructions = timesInstructions(config.time);
  if (name === "lackey") {
    const calls = (config.calls ?? null) as Calls | null;
    const pid = (config.pid ?? null) as number | null;
    const skipForeign = config.skipForeign === true;
    return new LackeyInput({ input: file, offload, calls, pid, skipForeign, instructions }, found.chunks);
  }
  if (name === "hmt") return new HmtInput(file, found.chunks, offload);
  return new LinesInput(file, await makeDecoder(loadText(), found, file.name, instructions), offload);
}
