/**
 * The heteromem command. Exit codes: 0 done, 1 jobs failed (of commands that run several), 2 wrong usage or
 * input, 3 done as far as the trace goes, which ends early, 130 interrupted (after a partial report).
 */
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { Command, CommanderError } from "commander";
import { TraceError } from "../sim.ts";
import packageJson from "../../package.json" with { type: "json" };
import { compare } from "./compare.ts";
import { configured, type RunConfig } from "./config.ts";
import { addBench } from "./bench-command.ts";
import { addConvert } from "./convert-command.ts";
import { addCurve } from "./curve-command.ts";
import { UserError } from "./errors.ts";
import { addInput, inputOf, numeric, type InputFlags } from "./input-options.ts";
import { addList } from "./list-command.ts";
import { addModel } from "./model-command.ts";
import { run } from "./run.ts";
import { addManaged, addSimulation } from "./simulation-options.ts";
import { SweepError } from "../sweep/error.ts";
import { engineVersion } from "./sweep/engine-version.ts";
import { addResults, addSweep, addWorker } from "./sweep/command.ts";

/** What the workers of a sweep call: they load this file. */
export { runJob } from "./sweep/task.ts";

const WRONG_USAGE = 2;

const RUN_HELP = `
TRACE is an .hmt trace of the recorder, the output of valgrind --tool=lackey --trace-mem=yes, or a trace of
another format (docs/formats.md); plain, gzip or zstd. - reads standard input. In place of a trace,
--workload generates the accesses.
heteromem list says what each policy, time model and workload does; docs/run.md has all options.
SIZE is a number of bytes, or a number with a unit: 256KiB, 64MiB, 1.5GiB. K, KB and KiB are the same.

Examples:
  heteromem run jacobi.lackey.gz --offload sweep=0x401615-0x401695 --device-memory 256KiB
  heteromem run prog.lackey --binary ./prog --offload sweep
  heteromem run --workload gups:size=8GiB,seed=1 --system-memory 16GiB --device-memory 4GiB --backing metadata

Exit codes: 0 done, 2 wrong usage or input, 3 the trace ends early (the report is on what there is),
130 interrupted (Ctrl-C prints the report so far).`;

/** The options as commander gives them. */
interface RunFlags extends InputFlags {
  systemMemory?: string;
  deviceMemory?: string;
  deviceFrames?: string;
  devices?: string;
  peers?: string[];
  peerFault?: string;
  home?: string[];
  placement?: string;
  policy?: string;
  cluster?: string;
  prefetch?: string;
  prefetchFull?: string;
  evict?: string;
  reserve?: string;
  freeBuffer?: string;
  seed?: string;
  initial?: string;
  bound?: string;
  memoryModel?: string;
  time?: string;
  backing?: string;
  skip?: string;
  roi?: string;
  epoch?: string;
  agent?: string;
  deviceRange?: string[];
  range?: string[];
  failAlloc?: string;
  advise?: string[];
  thrashing?: string;
  counterThreshold?: string;
  remoteReads?: string;
  remotePenalty?: string;
  deviceThreads?: string;
  sms?: string;
  outstanding?: string;
  replay?: string;
  fetch?: string;
  thrashingLapse?: string;
  schedules?: string;
  json?: true;
  quiet?: true;
  html?: string;
  perfetto?: string;
}

async function runCommand(trace: string | undefined, flags: RunFlags): Promise<void> {
  const { skip, epoch, failAlloc, deviceFrames, seed, devices, peers, home, deviceRange, range, ...rest } =
    flags;
  const { policy, config, json, quiet, ...same } = rest;
  if (policy !== undefined && same.placement !== undefined)
    throw new UserError("--policy is another name of --placement: give one of them");
  // What an option says is checked where the config is: its type there is what it ought to be.
  const options = {
    ...inputOf(same),
    trace,
    placement: same.placement ?? policy,
    devices: numeric(devices),
    peers: peersOf(peers),
    homes: home,
    skip: numeric(skip),
    epoch: numeric(epoch),
    failAlloc: numeric(failAlloc),
    deviceFrames: numeric(deviceFrames),
    seed: numeric(seed),
    reserve: numeric(same.reserve),
    freeBuffer: numeric(same.freeBuffer),
    counterThreshold: numeric(same.counterThreshold),
    remotePenalty: numeric(same.remotePenalty),
    sms: numeric(same.sms),
    outstanding: numeric(same.outstanding),
    thrashingLapse: numeric(same.thrashingLapse),
    schedules: numeric(same.schedules),
    deviceRanges: deviceRange,
    ranges: range,
  } as RunConfig;
  const aliases: Record<string, string> = policy === undefined ? {} : { placement: "--policy" };
  const report = { json: json ?? false, quiet: quiet ?? false, version: packageJson.version };
  process.exitCode = await run(await configured(config, options, aliases), report);
}

/** The links between devices, as options name them: none, all, or pairs, several in one with commas. */
function peersOf(given: string[] | undefined): string | string[] | undefined {
  if (given === undefined || given.length > 1 || given[0].includes("-"))
    return given?.flatMap((item) => item.split(","));
  return given[0];
}

function makeProgram(): Command {
  const program = new Command("heteromem")
    .description(
      "Linux's Heterogeneous Memory Management (HMM) as a library: simulations from the command line",
    )
    .version(packageJson.version)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "heteromem: ")) })
    .showSuggestionAfterError(false) // one line is enough
    .exitOverride();
  const command = program
    .command("run")
    .description(
      "replay the memory trace of a real program, or a generated workload, over a CPU and a device that " +
        "share one address space",
    );
  addManaged(addSimulation(addInput(command.optionsGroup("Input:"))))
    .optionsGroup("Output:")
    .option("--html <FILE>", "write the run's page: pictures and tables, in one file of HTML")
    .option("--perfetto <FILE>", "write the run's trace for Perfetto (ui.perfetto.dev); needs --time")
    .option("--json", "print the report as JSON")
    .option("--quiet", "no progress bar, and no time on stderr")
    .addHelpText("after", RUN_HELP)
    .action(runCommand);
  addList(program);
  addCurve(program);
  addConvert(program, packageJson.version);
  addModel(program);
  const own = { version: engineVersion(packageJson.version), filename: fileURLToPath(import.meta.url) };
  addSweep(program, own);
  addWorker(program, own);
  addResults(program);
  addBench(program);
  program
    .command("compare")
    .description("show what differs between reports of `heteromem run --json`")
    .argument("<a>", "the first report")
    .argument("<b>", "the second report")
    .argument("[more...]", "further reports, each compared with the first")
    .option("--html <FILE>", "write a page that shows the runs side by side")
    .option("--json", "print the differences as JSON")
    .action(compare);
  return program;
}

/** Prints an error for the user. Returns the exit code for it. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // it is printed
  if (error instanceof UserError || error instanceof TraceError || error instanceof SweepError) {
    process.stderr.write(`heteromem: ${error.message}\n`);
    return WRONG_USAGE;
  }
  throw error;
}

/** Runs the command that process.argv names, and sets process.exitCode. */
export async function main(): Promise<void> {
  // A reader that stops early (heteromem … | head) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  try {
    await makeProgram().parseAsync();
  } catch (error) {
    process.exitCode = fail(error);
  }
}

if (isMainThread) await main();
