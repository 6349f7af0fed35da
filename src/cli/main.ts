/**
 * The heteromem command. Exit codes: 0 done, 1 jobs failed (of commands that run several), 2 wrong usage or
 * input, 3 done as far as the trace goes, which ends early, 130 interrupted (after a partial report).
 */
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { Command, CommanderError } from "commander";
import {
  BACKINGS,
  BOUNDS,
  EVICTIONS,
  INITIALS,
  MEMORY_MODELS,
  PEER_FAULTS,
  PLACEMENTS,
  PREFETCHERS,
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MANAGED_PREFETCHERS,
  TIME_MODELS,
  TraceError,
} from "../sim.ts";
import packageJson from "../../package.json" with { type: "json" };
import { compare } from "./compare.ts";
import { configured, type RunConfig } from "./config.ts";
import { addBench } from "./bench-command.ts";
import { addConvert } from "./convert-command.ts";
import { addCurve } from "./curve-command.ts";
import { UserError } from "./errors.ts";
import { ADVICE_NAMES } from "../sim/managed-config.ts";
import { addInput, inputOf, numeric, several, type InputFlags } from "./input-options.ts";
import { addModel } from "./model-command.ts";
import { run } from "./run.ts";
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

/** The choices of an option, and what each does. */
function listed(names: Record<string, string>): string {
  return Object.entries(names)
    .map(([name, what]) => `${name}: ${what}`)
    .join("; ");
}

/** The choices of an option, and the one that is the default. */
function choices(names: Record<string, string>, first = Object.keys(names)[0]): string {
  return `${listed(names)} (default: ${first})`;
}

/** Adds the options that say what is simulated and counted. */
function addSimulation(command: Command): Command {
  return command
    .option("--system-memory <SIZE>", "RAM (default: 1GiB)")
    .option("--device-memory <SIZE>", "memory of each device (default: 256MiB)")
    .option("--device-frames <N>", "device memory in frames of 4 KiB, in place of --device-memory")
    .option("--devices <N>", "devices: agent n of the trace is device n (default: 1, which all agents are)")
    .option("--peers <none|all|A-B,…>", "links between devices (default: none; repeatable)", several)
    .option("--peer-fault <NAME>", `a fault on a page of a linked device: ${choices(PEER_FAULTS)}`)
    .option(
      "--home <NAME=N|interleave>",
      "whose memory a page comes to that is on no device (default: of the device that faults; repeatable)",
      several,
    )
    .option(
      "--placement <NAME>",
      `what a device fault does: ${choices(PLACEMENTS)}; managed: ${choices(MANAGED_PLACEMENTS)}`,
    )
    .option("--policy <NAME>", "another name of --placement")
    .option("--cluster <SIZE>", "what moves together, 4K or 64K (default: 64K with cluster64K, else 4K)")
    .option(
      "--prefetch <NAME>",
      `what moves along: ${choices(PREFETCHERS)}; managed (density:51): ${listed(MANAGED_PREFETCHERS)}`,
    )
    .option("--prefetch-full <NAME>", "what moves along once device memory was full (default: as before)")
    .option(
      "--evict <NAME>",
      `what makes room: ${choices(EVICTIONS)}; managed: ${choices(MANAGED_EVICTIONS)}`,
    )
    .option("--reserve <PERCENT>", "percent of the order of use, from its oldest end on, that is no victim")
    .option("--free-buffer <PERCENT>", "percent of the device's memory that evictions keep free (default: 0)")
    .option("--seed <N>", "seed of the policies that draw random numbers (default: 1)")
    .option("--initial <WHERE>", `where untouched pages lie: ${choices(INITIALS)}`)
    .option("--bound <NAME>", `a bound beside the counts: ${choices(BOUNDS, "none")}`)
    .option("--memory-model <NAME>", `how memory is shared: ${choices(MEMORY_MODELS)}`)
    .option("--time <MODEL>", `what times are computed by: ${choices(TIME_MODELS)}; or a model's file`)
    .option("--backing <NAME>", choices(BACKINGS))
    .option("--agent <WHO>", "who accesses: trace, cpu, device[@N] or threads:LIST (default: trace)")
    .option(
      "--device-range <[NAME=]0xSTART-0xEND[@N]>",
      "data that the device, or device N, accesses (repeatable)",
      several,
    )
    .option("--range <[NAME=]0xSTART-0xEND>", "data that is counted by name (repeatable)", several)
    .option("--skip <N>", "do not replay the first N accesses")
    .option("--roi <FROM-TO>", "count accesses FROM to before TO; replay those before, and end at TO")
    .option("--epoch <N|kernel>", "counts for each N accesses, or for each kernel")
    .option(
      "--fail-alloc <N>",
      "make the N-th allocation inside the engine fail once; the report says what came of it",
    );
}

/** Adds the options that only managed memory has. */
function addManaged(command: Command): Command {
  return command
    .option(
      "--advise <NAME=ADVICE>",
      `advice about ranges of a name: ${ADVICE_NAMES.join(", ")} (repeatable)`,
      several,
    )
    .option("--thrashing <on|off>", "whether the driver looks for thrashing (default: on)")
    .option(
      "--counter-threshold <N>",
      "remote accesses to 2 MiB that migrate with counters (default: 256); the threshold of adaptive (8)",
    )
    .option(
      "--remote-reads <adaptive|always|oversubscribed>",
      "when a read brings its page with --placement adaptive (default: adaptive)",
    )
    .option("--remote-penalty <N>", "factor of adaptive's threshold once memory was full (default: 8)")
    .option(
      "--device-threads <trace|one|split:N>",
      "whose the device's accesses are: the records' threads, one, or a loop's iterations (default: trace)",
    )
    .option("--sms <N>", "the device's SMs; two share a µTLB (default: 80)")
    .option("--outstanding <N>", "faults that a µTLB has outstanding (default: 56)")
    .option(
      "--replay <batch-flush|batch|block|once>",
      "when the driver replays faults (default: batch-flush)",
    )
    .option(
      "--fetch <complete|timed>",
      "when it fetches faults: when no warp can go on, or as soon as one faulted (default: complete)",
    )
    .option("--thrashing-lapse <US>", "how far apart a thrashing page's events are (default: 500 µs)")
    .option(
      "--schedules <N>",
      "run N orders of warps and report each count's least, median and most (default: 1)",
    );
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
  addManaged(addSimulation(addInput(command)))
    .option("--html <FILE>", "write the run's page: pictures and tables, in one file of HTML")
    .option("--perfetto <FILE>", "write the run's trace for Perfetto (ui.perfetto.dev); needs --time")
    .option("--json", "print the report as JSON")
    .option("--quiet", "no progress bar, and no time on stderr")
    .addHelpText("after", RUN_HELP)
    .action(runCommand);
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
