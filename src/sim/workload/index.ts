/** Workloads by name: `openWorkload("gups:size=8GiB,seed=1")`. */
import { fdtd2d } from "./fdtd.ts";
import { bfs, pagerank } from "./graphs.ts";
import { hotspot } from "./hotspot.ts";
import { kvcache } from "./kv-cache.ts";
import { matmul } from "./matmul.ts";
import { WorkloadModule } from "./module.ts";
import { KIND } from "./nest.ts";
import { parseValues, splitSpec, WorkloadError, type Parameter } from "./spec.ts";
import { stencil2d, stencil3d } from "./stencils.ts";
import { add, stream4 } from "./streams.ts";
import { chase, gups, hashjoin, zipf } from "./tables.ts";
import type { Plan, Workload, WorkloadRange } from "./workload.ts";

export { WorkloadError } from "./spec.ts";
export type { WorkloadRange } from "./workload.ts";

/** All workloads. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  add,
  stream: stream4,
  stencil2d,
  stencil3d,
  fdtd2d,
  hotspot,
  matmul,
  gups,
  chase,
  zipf,
  bfs,
  pagerank,
  hashjoin,
  kvcache,
};

/** A workload with values for its parameters. */
export interface OpenWorkload {
  name: string;
  /** All parameters, defaults included. */
  parameters: Readonly<Record<string, number | string>>;
  ranges: readonly WorkloadRange[];
  /** The names of the kernels that have begun so far, in order; a marker's id is an index of it. */
  kernels: readonly string[];
  /**
   * The records, block by block: two words each (assembly/abi/record.ts), with a marker where a kernel
   * begins and where it ends. A block is valid until the next one is asked for.
   */
  blocks(): Generator<BigUint64Array>;
}

/**
 * Reads a workload's name and parameters.
 * @throws WorkloadError for a name or a value that does not exist
 */
export function openWorkload(text: string): OpenWorkload {
  const { name, given } = splitSpec(text);
  if (!Object.hasOwn(WORKLOADS, name)) {
    throw new WorkloadError(`no workload is named "${name}"; there are ${Object.keys(WORKLOADS).join(", ")}`);
  }
  const workload = WORKLOADS[name];
  const parameters = parseValues(name, workload.parameters, given);
  const plan = workload.plan(parameters);
  const kernels: string[] = [];
  return { name, parameters, ranges: plan.ranges, kernels, blocks: () => run(plan, kernels) };
}

/** Runs a plan: fills the module's records again and again. */
function* run({ graph, kernels }: Plan, names: string[]): Generator<BigUint64Array> {
  const module = WorkloadModule.take(graph);
  const { exports, records, halves } = module;
  const capacity = exports.recordsMax();
  let n = 0;
  const mark = (kind: number): void => {
    records[2 * n] = 0n;
    halves[4 * n + 2] = kind;
    halves[4 * n + 3] = names.length - 1;
    n++;
  };
  try {
    for (const kernel of kernels(module)) {
      names.push(kernel.name);
      mark(KIND.kernelBegin);
      for (const step of kernel.steps) {
        step.begin(module);
        for (;;) {
          n = step.run(module, n);
          if (step.done(module)) break;
          yield records.subarray(0, 2 * n);
          n = 0;
        }
        if (n + 2 > capacity) {
          yield records.subarray(0, 2 * n);
          n = 0;
        }
      }
      mark(KIND.kernelEnd);
      if (n + 2 > capacity) {
        yield records.subarray(0, 2 * n);
        n = 0;
      }
    }
    if (n > 0) yield records.subarray(0, 2 * n);
  } finally {
    WorkloadModule.give(module);
  }
}

/** One line for each parameter of a workload: its name, default and meaning. */
export function describeParameters(name: string): string[] {
  const shown = ({ default: value, kind }: Parameter): string =>
    kind === "bytes" && Number(value) % 1024 === 0 ? `${Number(value) / 1024}KiB` : `${value}`;
  return Object.entries(WORKLOADS[name].parameters).map(([key, parameter]) => {
    const choices = parameter.kind === "choice" ? ` (${parameter.choices.join(", ")})` : "";
    return `${key}=${shown(parameter)}  ${parameter.about}${choices}`;
  });
}
