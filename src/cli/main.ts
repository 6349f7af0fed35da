/**
 * The heteromem command. Exit codes: 0 done, 2 wrong usage or input, 3 done as far as the trace goes, which
 * ends early, 130 interrupted (after a partial report).
 */
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { CLUSTER_SIZE } from "../sim/cluster.ts";
import { BACKINGS, POLICIES } from "../sim/report.ts";
import { TraceError } from "../text/lackey.ts";
import { parseAddress, parseChoice, parseCount, parseOffload, parseSize } from "./args.ts";
import { convert } from "./convert.ts";
import { UserError } from "./errors.ts";
import { run } from "./run.ts";

const WRONG_USAGE = 2;

const RUN_HELP = `
TRACE is an .hmt trace of the recorder, or the output of valgrind --tool=lackey --trace-mem=yes; plain or
gzip. - reads standard input.
SIZE is a number of bytes, or a number with a unit: 256KiB, 64MiB, 1.5GiB.

Examples:
  heteromem run jacobi.lackey.gz --offload sweep=0x401615-0x401695 --device-memory 256KiB
  heteromem run prog.lackey --binary ./prog --offload sweep

Exit codes: 0 done, 2 wrong usage or input, 3 the trace ends early (the report is on what there is),
130 interrupted (Ctrl-C prints the report so far).`;

const CONVERT_HELP = `
IN is a trace of any format of docs/formats.md, plain, gzip or zstd, or a workload; - reads standard input.
OUT is a file, whose name tells the format, or - for standard output with --to.
What OUT's format cannot hold is said on stderr.

Examples:
  heteromem convert prog.lackey.gz prog.hmt
  heteromem convert workload:gups:size=64MiB,seed=1 gups.hmt
  heteromem convert gups.hmt gups.champsimtrace

Exit codes: 0 done, 2 wrong usage or input, 3 IN ends early (OUT has what comes before), 130 interrupted.`;

const CALLS = ["push", "register"] as const;

interface RunFlags {
  offload?: string[];
  binary?: string;
  base?: string;
  calls?: string;
  pid?: string;
  skipForeign?: true;
  systemMemory: string;
  deviceMemory: string;
  policy: string;
  backing: string;
  failAlloc?: string;
  json?: true;
  quiet?: true;
}

async function runCommand(trace: string, flags: RunFlags): Promise<void> {
  process.exitCode = await run(trace, {
    offload: {
      values: parseOffload(flags.offload ?? []),
      binary: flags.binary ?? null,
      base: flags.base === undefined ? null : parseAddress("--base", flags.base),
      calls: flags.calls === undefined ? null : parseChoice("--calls", flags.calls, CALLS),
    },
    pid: flags.pid === undefined ? null : parseCount("--pid", flags.pid),
    skipForeign: flags.skipForeign ?? false,
    systemMemory: parseSize("--system-memory", flags.systemMemory, CLUSTER_SIZE),
    deviceMemory: parseSize("--device-memory", flags.deviceMemory, CLUSTER_SIZE),
    policy: parseChoice("--policy", flags.policy, POLICIES),
    backing: parseChoice("--backing", flags.backing, BACKINGS),
    failAlloc: flags.failAlloc === undefined ? null : parseCount("--fail-alloc", flags.failAlloc),
    json: flags.json ?? false,
    quiet: flags.quiet ?? false,
    version: packageJson.version,
  });
}

interface ConvertFlags {
  format?: string;
  to?: string;
  plain?: true;
  quiet?: true;
}

async function convertCommand(from: string, to: string, flags: ConvertFlags): Promise<void> {
  process.exitCode = await convert(from, to, {
    format: flags.format ?? null,
    to: flags.to ?? null,
    plain: flags.plain ?? false,
    quiet: flags.quiet ?? false,
    version: packageJson.version,
  });
}

function addConvert(program: Command): void {
  program
    .command("convert")
    .description("convert a trace, or a workload, to another format")
    .argument("<in>", "the trace, or workload:NAME:PARAMETER=VALUE,…")
    .argument("<out>", "the file to write")
    .option("--format <NAME[:OPTION,…]>", "the format of IN (default: recognized by its content)")
    .option("--to <NAME>", "the format of OUT (default: its name tells)")
    .option("--plain", "write .hmt blocks without compressing them")
    .option("--quiet", "no progress bar, and no summary on stderr")
    .addHelpText("after", CONVERT_HELP)
    .action(convertCommand);
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
  program
    .command("run")
    .description(
      "replay the memory trace of a real program over a CPU and a device that share one address space",
    )
    .argument("<trace>", "the trace")
    .option(
      "--offload <[NAME=]0xSTART-0xEND>",
      "code that runs on the device, calls included; END is the first address after it; " +
        "or [NAME=]FUNCTION of --binary; @FILE reads them from a file (repeatable)",
      (value: string, before: string[] = []) => [...before, value],
    )
    .option("--binary <PROGRAM>", "the program that was traced, for the functions of --offload")
    .option(
      "--base <ADDRESS>",
      "where a position-independent program was loaded: added to --offload's addresses",
    )
    .option(
      "--calls <HOW>",
      "push: calls push their return address (x86); register: they do not (default: recognized)",
    )
    .option("--pid <N>", "replay only the accesses of process N, where a log has several")
    .option("--skip-foreign", "skip and count lines that are no trace's, such as the program's own output")
    .option("--system-memory <SIZE>", "RAM", "1GiB")
    .option("--device-memory <SIZE>", "device memory", "256MiB")
    .option(
      "--policy <POLICY>",
      "migrate: move 64 KiB clusters on a device fault; mirror: access RAM",
      "migrate",
    )
    .option(
      "--backing <BACKING>",
      "data: pages have bytes; metadata: they have none, for large memories",
      "data",
    )
    .option(
      "--fail-alloc <N>",
      "make the N-th allocation inside the engine fail once; the report says what came of it",
    )
    .option("--json", "print the report as JSON")
    .option("--quiet", "no progress bar")
    .addHelpText("after", RUN_HELP)
    .action(runCommand);
  addConvert(program);
  return program;
}

/** Prints an error for the user. Returns the exit code for it. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // it is printed
  if (error instanceof UserError || error instanceof TraceError) {
    process.stderr.write(`heteromem: ${error.message}\n`);
    return WRONG_USAGE;
  }
  throw error;
}

// A reader that stops early (heteromem … | head) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await makeProgram().parseAsync();
} catch (error) {
  process.exitCode = fail(error);
}
