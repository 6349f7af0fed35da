/** The options that say what is replayed, which several commands have. */
import type { Command } from "commander";
import { parseChoice, parseCount } from "./args.ts";
import type { RunConfig } from "./config.ts";

const CALLS = ["push", "register"] as const;

/** The options as commander gives them. */
export interface InputFlags {
  config?: string;
  workload?: string;
  format?: string;
  offload?: string[];
  binary?: string;
  base?: string;
  calls?: string;
  pid?: string;
  skipForeign?: true;
}

/** Collects the values of an option that is repeatable. */
export const several = (value: string, before: string[] = []): string[] => [...before, value];

/** Returns a number that is written in digits; other texts stay, for the config's own message. */
export function numeric(text: string | undefined): number | undefined {
  return (text !== undefined && /^\d+$/.test(text) ? Number(text) : text) as number | undefined;
}

/** Returns the options as fields of a config. Throws UserError for a value that cannot be. */
export function inputOf<T extends InputFlags>({
  calls,
  pid,
  ...same
}: T): Omit<T, "calls" | "pid"> & Pick<RunConfig, "calls" | "pid"> {
  return {
    ...same,
    ...(calls === undefined ? {} : { calls: parseChoice("--calls", calls, CALLS) }),
    ...(pid === undefined ? {} : { pid: parseCount("--pid", pid) }),
  };
}

/** Adds the options that say what is replayed. */
export function addInput(command: Command): Command {
  return command
    .argument("[trace]", "the trace")
    .option("--workload <SPEC>", "generate the accesses: NAME:PARAMETER=VALUE,…")
    .option("--format <NAME[:OPTION,…]>", "the format of the trace (default: recognized by its content)")
    .option("--config <FILE>", "read options from a JSON file; options on the command line win")
    .option(
      "--offload <[NAME=]0xSTART-0xEND>",
      "code that runs on the device, calls included; END is the first address after it; " +
        "or [NAME=]FUNCTION of --binary; @FILE reads them from a file (repeatable)",
      several,
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
    .option("--skip-foreign", "skip and count lines that are no trace's, such as the program's own output");
}
