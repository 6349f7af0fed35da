/** What a workload is: parameters, the ranges that it accesses, and the kernels that it runs. */
import type { Graph, WorkloadModule } from "./module.ts";
import { beginNest, type Nest } from "./nest.ts";
import type { Parameters, Values } from "./spec.ts";

/** A named piece of the address space. */
export interface WorkloadRange {
  name: string;
  /** First byte: a multiple of 2 MiB. */
  start: number;
  bytes: number;
}

/**
 * Work that the module does in several calls: each appends records after the first n and says how many there
 * are.
 */
export interface Step {
  /** Begins it. */
  begin(module: WorkloadModule): void;
  run(module: WorkloadModule, n: number): number;
  done(module: WorkloadModule): boolean;
}

/** Steps that belong together: one launch on the device, or one phase of the CPU's. */
export interface Kernel {
  name: string;
  steps: Iterable<Step>;
}

export interface Plan {
  ranges: readonly WorkloadRange[];
  /** A graph that the module must have room for. */
  graph?: Graph;
  kernels: (module: WorkloadModule) => Iterable<Kernel>;
}

/** A workload by its name. */
export interface Workload {
  /** What it does, in one sentence. */
  about: string;
  parameters: Parameters;
  plan(values: Values<Parameters>): Plan;
}

/** A workload whose plan knows the types of its own parameters. */
export function workload<const P extends Parameters>(definition: {
  about: string;
  parameters: P;
  plan(values: Values<P>): Plan;
}): Workload {
  return definition;
}

/** A loop nest as a step. */
function nestStep(nest: Nest): Step {
  return {
    begin: (module) => beginNest(module, nest),
    run: (module, n) => module.exports.runNest(n),
    done: (module) => module.exports.nestDone() !== 0,
  };
}

/** A kernel of loop nests, which are asked for one after the other. */
export function nestKernel(name: string, nests: Iterable<Nest>): Kernel {
  function* steps(): Generator<Step> {
    for (const nest of nests) yield nestStep(nest);
  }
  return { name, steps: steps() };
}

/**
 * Where ranges are placed: from 1 TiB on, as far from a program's own addresses as they can be told apart.
 */
const FIRST_ADDRESS = 2 ** 40;
const ALIGNMENT = 2 ** 21;

/** Places ranges one after the other, each at a multiple of 2 MiB (a managed allocation's block). */
export function place(sizes: Readonly<Record<string, number>>): WorkloadRange[] {
  let at = FIRST_ADDRESS;
  return Object.entries(sizes).map(([name, bytes]) => {
    const start = at;
    at += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return { name, start, bytes };
  });
}

/** Who touches a range from its first byte to its last. */
interface Sweep {
  agent: Nest["agent"];
  kind: "load" | "store";
  /** Bytes of an access. */
  grain: number;
}

/** A nest that touches a range from its first byte to its last. */
function sweep(ranges: readonly WorkloadRange[], index: number, { agent, kind, grain }: Sweep): Nest {
  const { start, bytes } = ranges[index];
  const access = { kind, range: index, base: start, size: grain, strides: [grain] } as const;
  return { agent, trips: [Math.floor(bytes / grain)], accesses: [access] };
}

/** The kernel that initialises ranges on the CPU; none without `init`. */
export function initialise(
  init: string,
  ranges: readonly WorkloadRange[],
  indices: number[],
  grain: number,
): Kernel[] {
  if (init === "none") return [];
  const nests = indices.map((i) => sweep(ranges, i, { agent: "cpu", kind: "store", grain }));
  return [nestKernel("initialize", nests)];
}

/** The kernel in which the CPU reads a result; none without `read`. */
export function readBack(
  read: string,
  ranges: readonly WorkloadRange[],
  index: number,
  grain: number,
): Kernel[] {
  if (read === "none") return [];
  return [nestKernel("read back", [sweep(ranges, index, { agent: "cpu", kind: "load", grain })])];
}

const MIB = 2 ** 20;

/** Parameters that most workloads share. */
export const SIZE = { kind: "bytes", default: 64 * MIB, min: 16, about: "bytes of all arrays" } as const;
export const GRAIN = {
  kind: "bytes",
  default: 64,
  min: 1,
  max: 32768,
  about: "bytes of an access: 8 for each element, 64 for each line, 4KiB for each page",
} as const;
export const SEED = { kind: "count", default: 1, min: 0, about: "seed of the random numbers" } as const;
export const INIT = {
  kind: "choice",
  default: "cpu",
  choices: ["cpu", "none"],
  about: "who writes the inputs first",
} as const;
export const READ = {
  kind: "choice",
  default: "cpu",
  choices: ["cpu", "none"],
  about: "who reads the result at the end",
} as const;
export const ITERATIONS = { kind: "count", default: 1, min: 1, about: "how often the kernel runs" } as const;
