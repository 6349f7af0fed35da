/** The arguments and options of `heteromem convert`. */
import type { Command } from "commander";
import { convert } from "./convert.ts";

const CONVERT_HELP = `
IN is a trace of any format of docs/formats.md, plain, gzip or zstd, or a workload; - reads standard input.
OUT is a file, whose name tells the format, or - for standard output with --to.
What OUT's format cannot hold is said on stderr.

Examples:
  heteromem convert prog.lackey.gz prog.hmt
  heteromem convert workload:gups:size=64MiB,seed=1 gups.hmt
  heteromem convert gups.hmt gups.champsimtrace

Exit codes: 0 done, 2 wrong usage or input, 3 IN ends early (OUT has what comes before), 130 interrupted.`;

interface ConvertFlags {
  format?: string;
  to?: string;
  plain?: true;
  instructions?: true;
  quiet?: true;
}

/** Adds the command to the program, whose version files name. */
export function addConvert(program: Command, version: string): void {
  program
    .command("convert")
    .description("convert a trace, or a workload, to another format")
    .argument("<in>", "the trace, or workload:NAME:PARAMETER=VALUE,…")
    .argument("<out>", "the file to write")
    .option("--format <NAME[:OPTION,…]>", "the format of IN (default: recognized by its content)")
    .option("--to <NAME>", "the format of OUT (default: its name tells)")
    .option("--plain", "write .hmt blocks without compressing them")
    .option("--instructions", "keep in .hmt how many instructions IN has between its accesses")
    .option("--quiet", "no progress bar, and no summary on stderr")
    .addHelpText("after", CONVERT_HELP)
    .action(async (from: string, to: string, flags: ConvertFlags) => {
      process.exitCode = await convert(from, to, {
        format: flags.format ?? null,
        to: flags.to ?? null,
        plain: flags.plain ?? false,
        instructions: flags.instructions ?? false,
        quiet: flags.quiet ?? false,
        version,
      });
    });
}
