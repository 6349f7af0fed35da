/** Describing loop nests to the workload module (assembly/workload/nest.ts). */
import {
  RECORD_KIND_LOAD,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_MARK_KERNEL_BEGIN,
  RECORD_MARK_KERNEL_END,
} from "../../../assembly/abi/record.ts";
import type { WorkloadModule } from "./module.ts";

/** Kinds of records. A trace's other kinds are in docs/hmt.md. */
export const KIND = {
  load: RECORD_KIND_LOAD,
  store: RECORD_KIND_STORE,
  modify: RECORD_KIND_MODIFY,
  kernelBegin: RECORD_MARK_KERNEL_BEGIN,
  kernelEnd: RECORD_MARK_KERNEL_END,
} as const;
/** Who accesses. */
export const AGENT = { cpu: 0, device: 1 } as const;

/** How an access finds its address. */
const MODE = { affine: 0, gather: 1, random: 2, permuted: 3, zipf: 4 } as const;

/** One access of a nest's innermost iteration. */
export interface NestAccess {
  kind: "load" | "store" | "modify";
  /** The range that it belongs to. */
  range: number;
  /** Its address where all indices are 0. */
  base: number;
  /** Bytes, 1 to 65,535. */
  size: number;
  /** By how many bytes each loop moves it, the outermost first; absent: none does. */
  strides?: readonly number[];
  /**
   * Where it goes besides: `gather`: on by the offset that the gathered loop selects; `random`: to one of
   * `count` units; `permuted`: to each of `count` units (a power of two) in turn, in a shuffled order;
   * `zipf`: to one of `count` units by frequency, in a nest of one loop and this access alone.
   */
  mode?: keyof typeof MODE;
  count?: number;
  /** Bytes from one unit to the next. */
  unit?: number;
  /** The share of a load's repetitions that are stores, 0 to 1. */
  writes?: number;
}

export interface Nest {
  agent: keyof typeof AGENT;
  /** How often each loop runs, the outermost first: one to four. */
  trips: readonly number[];
  /** One to eight accesses, in program order. */
  accesses: readonly NestAccess[];
  /** By how much each loop moves the thread's number, modulo 65,536; absent: thread 0 does it all. */
  threads?: readonly number[];
  /** The loop whose index selects one of `offsets`. */
  gathered?: number;
  offsets?: readonly number[];
  /** Chooses the shuffled orders. */
  key?: number;
}

const LOOPS = 4;
const ACCESSES_FROM = 16;
const ACCESS_WORDS = 16;

/** Writes the description of a nest and begins it. */
export function beginNest(module: WorkloadModule, nest: Nest): void {
  const { description } = module;
  description.fill(0);
  description[0] = nest.trips.length;
  description[1] = nest.accesses.length;
  description.set(nest.trips, 2);
  description.set(nest.threads ?? [], 6);
  description[10] = nest.gathered ?? LOOPS;
  description[11] = nest.key ?? 0;
  nest.accesses.forEach((access, i) => {
    const at = ACCESSES_FROM + ACCESS_WORDS * i;
    const { kind, base, size, range, mode = "affine" } = access;
    description.set([MODE[mode], base, size, KIND[kind], AGENT[nest.agent], range], at);
    description.set(access.strides ?? [], at + 6);
    description.set([access.count ?? 0, access.unit ?? 0, access.writes ?? 0], at + 10);
  });
  if (nest.offsets) module.offsets.set(nest.offsets);
  module.exports.beginNest();
}
