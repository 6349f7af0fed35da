/** The choices of a simulation's config by name, with what each does. A new choice is a new entry. */
import { EVICTORS } from "./policies/evict/index.ts";
import { TIME_PRESETS } from "./time/presets/index.ts";
import { PREFETCHERS as PREFETCH_POLICIES } from "./policies/prefetch/index.ts";

/** Returns what each policy of a table does. */
function abouts<T extends Record<string, { readonly about: string }>>(
  table: T,
): { readonly [K in keyof T]: string } {
  const entries = Object.entries(table).map(([name, { about }]) => [name, about]);
  return Object.fromEntries(entries) as { [K in keyof T]: string };
}

/** What a device fault does. */
export const PLACEMENTS = {
  migrate: "moves the cluster around the fault to the device",
  mirror: "leaves pages in RAM, where the device accesses them over its link",
  explicit: "nothing faults: the program copies a kernel's arrays before it, and what it wrote after it",
  resident: "nothing faults: arrays stay on the device, and are copied only after the other side wrote them",
} as const;

/** Returns the placement that a config means: `first-touch` and `remote` are other names of two. */
export function placementNamed(value: unknown): unknown {
  if (value === "first-touch") return "migrate";
  return value === "remote" ? "mirror" : value;
}

/** Where pages lie that nobody has touched. */
export const INITIALS = {
  none: "nowhere: the device's first touch makes them, zeroed, in its own memory",
  host: "in RAM: the device's first touch copies them",
} as const;

/** What bounds a report can state. */
export const BOUNDS = {
  opt: "the least that any policy brings in by demand: Belady's OPT",
} as const;

/** What moves along with the cluster that faulted. */
export const PREFETCHERS = abouts(PREFETCH_POLICIES);

/** What makes room on the device. */
export const EVICTIONS = abouts(EVICTORS);

/** How memory is shared. */
export const MEMORY_MODELS = {
  hmm: "all memory of the process, as Linux's HMM mirrors it",
  managed:
    "blocks of 2 MiB, which NVIDIA's driver serves for the CPU, too, and a device that runs in parallel",
} as const;

/** What the run's time is computed by. */
export const TIME_MODELS: Readonly<Record<string, string>> = {
  none: "no times, only counts",
  ...abouts(TIME_PRESETS),
};

/** Whether pages have bytes. */
export const BACKINGS = {
  data: "pages have contents, which migrations copy",
  metadata: "pages have none: the counts are the same, for memories larger than the host's",
} as const;

export type Placement = keyof typeof PLACEMENTS | "counters" | "adaptive" | "smart";
export type Initial = keyof typeof INITIALS;
export type Bound = keyof typeof BOUNDS;
export type Prefetch = keyof typeof PREFETCHERS | `sequential:${number}`;
export type Evict = keyof typeof EVICTIONS | `segfifo:${number}` | `s3-fifo:${number}`;
export type MemoryModel = keyof typeof MEMORY_MODELS;
export type TimeModelName = "none" | "pcie3-1080ti" | "uvm-smart" | "pcie4-a5000" | "gh200" | "mi300a";
export type Backing = keyof typeof BACKINGS;
