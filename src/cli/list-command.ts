/** `heteromem list`: what each policy, time model and workload does. */
import type { Command } from "commander";
import {
  BACKINGS,
  BOUNDS,
  EVICTIONS,
  INITIALS,
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MANAGED_PREFETCHERS,
  MEMORY_MODELS,
  PEER_FAULTS,
  PLACEMENTS,
  PREFETCHERS,
  TIME_MODELS,
} from "../sim.ts";
import { WORKLOADS } from "../sim/workload/index.ts";
import type { Parameter } from "../sim/workload/spec.ts";
import { UserError } from "./errors.ts";
import { bytes } from "./words.ts";

/** Lines of a list: a name, and what it does. */
type Entries = readonly (readonly [name: string, about: string])[];

/** A list: what it chooses, and its entries. */
type List = readonly [title: string, entries: () => Entries];

const choices =
  (of: Readonly<Record<string, string>>): (() => Entries) =>
  () =>
    Object.entries(of);

/** A parameter of a workload: its default and its limits. */
function aboutParameter(parameter: Parameter): string {
  const { kind, about } = parameter;
  const shown = kind === "bytes" ? bytes(parameter.default) : String(parameter.default);
  const limits = kind === "choice" ? `: ${parameter.choices.join(", ")}` : "";
  return `${about}${limits} (default: ${shown})`;
}

/** All workloads with their parameters. */
function workloads(): Entries {
  return Object.entries(WORKLOADS).flatMap(([name, { about, parameters }]) => [
    [name, about] as const,
    ...Object.entries(parameters).map(([own, of]) => [`  ${own}`, aboutParameter(of)] as const),
  ]);
}

/** The lists by the options that take their entries. */
const LISTS: Readonly<Record<string, readonly List[]>> = {
  placement: [
    ["what a device fault does", choices(PLACEMENTS)],
    ["with --memory-model managed", choices(MANAGED_PLACEMENTS)],
  ],
  prefetch: [
    ["what moves along with what faulted", choices(PREFETCHERS)],
    ["with --memory-model managed", choices(MANAGED_PREFETCHERS)],
  ],
  evict: [
    ["what makes room on the device", choices(EVICTIONS)],
    ["with --memory-model managed", choices(MANAGED_EVICTIONS)],
  ],
  "memory-model": [["how memory is shared", choices(MEMORY_MODELS)]],
  time: [["what times are computed by", choices(TIME_MODELS)]],
  initial: [["where untouched pages lie", choices(INITIALS)]],
  "peer-fault": [["what a fault on a page of a linked device does", choices(PEER_FAULTS)]],
  backing: [["whether pages have contents", choices(BACKINGS)]],
  bound: [["a bound beside the counts", choices(BOUNDS)]],
  workload: [["what accesses are generated, with parameters: NAME:PARAMETER=VALUE,…", workloads]],
};

/** The lines of one option's lists. */
function linesOf(option: string): string {
  return LISTS[option]
    .map(([title, entries]) => {
      const list = entries();
      const width = Math.max(...list.map(([name]) => name.length));
      const lines = list.map(([name, about]) => `  ${name.padEnd(width)}  ${about}\n`);
      return `--${option}: ${title}\n${lines.join("")}`;
    })
    .join("\n");
}

/** Prints the lists of an option, or all. Throws UserError for an option that has none. */
function list(option: string | undefined): void {
  if (option !== undefined && !Object.hasOwn(LISTS, option))
    throw new UserError(`list ${option}: expected one of ${Object.keys(LISTS).join(", ")}`);
  const shown = option === undefined ? Object.keys(LISTS) : [option];
  process.stdout.write(shown.map(linesOf).join("\n"));
}

/** Adds the command. */
export function addList(program: Command): void {
  program
    .command("list")
    .description("say what each policy, time model and workload does")
    .argument("[option]", `only what this option takes: ${Object.keys(LISTS).join(", ")}`)
    .action(list);
}
