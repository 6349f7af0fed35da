/** The choices of a simulation's config by name, with what each does. A new choice is a new entry. */

/** What a device fault does. */
export const PLACEMENTS = {
  migrate: "moves the cluster of 64 KiB around the fault to the device",
  mirror: "leaves pages in RAM, where the device accesses them over its link",
} as const;

/** What moves along with the page that faulted. */
export const PREFETCHERS = {
  cluster64K: "the rest of the aligned 64 KiB around the page, clipped to its mapping",
} as const;

/** What makes room on the device. */
export const EVICTIONS = {
  lru: "the cluster of the least recently used page goes to RAM",
} as const;

/** How memory is shared. */
export const MEMORY_MODELS = {
  hmm: "all memory of the process, as Linux's HMM mirrors it",
  managed:
    "blocks of 2 MiB, which NVIDIA's driver serves for the CPU, too, and a device that runs in parallel",
} as const;

/** What the run's time is computed by. */
export const TIME_MODELS = {
  none: "no times, only counts",
} as const;

/** Whether pages have bytes. */
export const BACKINGS = {
  data: "pages have contents, which migrations copy",
  metadata: "pages have none: the counts are the same, for memories larger than the host's",
} as const;

export type Placement = keyof typeof PLACEMENTS | "counters";
export type Prefetch = keyof typeof PREFETCHERS;
export type Evict = keyof typeof EVICTIONS;
export type MemoryModel = keyof typeof MEMORY_MODELS;
export type TimeModel = keyof typeof TIME_MODELS;
export type Backing = keyof typeof BACKINGS;
