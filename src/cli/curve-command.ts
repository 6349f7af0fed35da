/** The arguments and options of `heteromem curve`. */
import type { Command } from "commander";
import { configured, type RunConfig } from "./config.ts";
import { curve } from "./curve.ts";
import { addInput, inputOf, several, type InputFlags } from "./input-options.ts";

const CURVE_HELP = `
TRACE and the options that say what the device does are those of heteromem run. The curve is of the device's
accesses under demand paging: each miss brings in one cluster. LRU's misses are computed for every size in one
pass; OPT, which knows the accesses to come, misses least of all policies.

Examples:
  heteromem curve prog.lackey.gz --agent device
  heteromem curve --workload zipf:size=256MiB --opt 64MiB,128MiB
  heteromem curve prog.hmt --cluster 64K --json

Exit codes: 0 done, 2 wrong usage or input.`;

interface CurveFlags extends InputFlags {
  agent?: string;
  deviceRange?: string[];
  cluster?: string;
  opt?: string[];
  json?: true;
  quiet?: true;
}

async function curveCommand(trace: string | undefined, flags: CurveFlags): Promise<void> {
  const { config, opt = [], json = false, quiet = false, deviceRange, ...same } = flags;
  const options = { ...inputOf(same), trace, deviceRanges: deviceRange } as RunConfig;
  await curve(await configured(config, options, {}), { opt, json, quiet });
}

/** Adds the command to the program. */
export function addCurve(program: Command): void {
  const command = program
    .command("curve")
    .description(
      "show what the device's accesses would miss at every size of memory: LRU's curve, and OPT's",
    );
  addInput(command)
    .option("--agent <WHO>", "who accesses: trace, cpu, device or threads:LIST (default: trace)")
    .option("--device-range <[NAME=]0xSTART-0xEND>", "data that the device accesses (repeatable)", several)
    .option("--cluster <SIZE>", "what a miss brings in, 4K or 64K (default: 4K)")
    .option(
      "--opt <SIZE,…>",
      "sizes of memory at which OPT's misses are computed",
      (value: string, before: string[] = []) => [...before, ...value.split(",")],
    )
    .option("--json", "print the curve as JSON: LRU's misses at every number of clusters")
    .option("--quiet", "no progress bar")
    .addHelpText("after", CURVE_HELP)
    .action(curveCommand);
}
