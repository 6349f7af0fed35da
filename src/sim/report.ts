/**
 * The report of a simulation. The keys are stable: `heteromem run --json` prints this object, and docs/run.md
 * describes every key. Amounts of memory are in bytes, times in picoseconds.
 */
import type {
  Accesses,
  Counts,
  DeviceAccesses,
  DeviceFaults,
  DeviceTraffic,
  Invalidations,
  LinkCounts,
} from "./counts.ts";
import type { Cause } from "./driver/transfers.ts";
import type { ManagedPrefetch, ManagedSettings } from "./managed-config.ts";
import type { Backing, Evict, Initial, MemoryModel, Placement, Prefetch } from "./names.ts";
import type { Direction, PagingCounts } from "./paging-counts.ts";
import type { TimingReport } from "./time/timing.ts";

/** The name of the report's form; it changes when a key changes its meaning or goes. */
export const REPORT_SCHEMA = "heteromem-report/1";

/** A part of the run between two accesses, numbered from 0 in the order of the trace. */
export interface EpochReport extends Counts {
  /** Its first access, and the first one after it. */
  from: number;
  to: number;
  /** With epochs by kernel: the kernel that ran; null between kernels, and with epochs of N accesses. */
  kernel: string | null;
}

/** What happened while a kernel ran. While several run, it counts for the one that began last. */
export interface KernelReport extends Counts {
  name: string;
  /** How often a thread began it. */
  begins: number;
}

/**
 * What is counted by range: accesses by their first byte, faults and moves by their page, fault groups by the
 * first page that they ask for, transfers as a whole by their first byte.
 */
export interface RangeFigures extends PagingCounts {
  accesses: { cpu: Accesses; device: DeviceAccesses };
  faults: { cpu: number; device: number };
  bytesIn: number;
  bytesOut: number;
  bytesOutEvicted: number;
}

/** What happened to a named range. */
export interface RangeReport extends RangeFigures {
  name: string;
  /** First byte of the first range of this name, as 0x…. */
  start: string;
  /** Bytes of all ranges of this name. */
  bytes: number;
}

/** What happened to one device. */
export interface DeviceReport extends DeviceTraffic, PagingCounts {
  /** `device 1` and so on: agent 1 of the records is the first one. */
  name: string;
  accesses: Accesses;
  /** The sum of faultsByKind. */
  faults: number;
  faultsByKind: DeviceFaults;
  /** The most bytes that were in its memory at one time. */
  bytesPeak: number;
  evictions: number;
  /** The sum of invalidationsByEvent. */
  invalidations: number;
  invalidationsByEvent: Invalidations;
  /** Bytes in its memory at the end. */
  residency: number;
  /** Its links to other devices. */
  links: LinkReport[];
}

/** What a device did with the memory of another one, over the link between the two. */
export interface LinkReport extends LinkCounts {
  /** The other device. */
  name: string;
}

/** What came of an allocation that was made to fail. */
export interface FailedAllocation {
  /** Its number among the core's allocations, counted from 1 at the first record. */
  number: number;
  /** Whether the run made that many allocations; if not, the other fields mean nothing. */
  reached: boolean;
  /** Accesses that were made before it. */
  access: number;
  /** The error of the access, which was then repeated; null: the simulation did without the allocation. */
  error: string | null;
}

/** The least that any policy could have done. */
export interface BoundReport {
  /** Pages that Belady's OPT brings in: whole clusters (or pages), each when the device accesses it. */
  opt: { pagesIn: number };
}

/** The transfers of one direction and cause. */
export interface TransferReport {
  direction: Direction;
  cause: Cause;
  count: number;
  bytes: number;
  /** How many transfers there were of each size in bytes, the smallest first. */
  sizes: { bytes: number; count: number }[];
}

/** A count over several orders of warps. */
export interface Spread {
  least: number;
  median: number;
  most: number;
}

/** What only managed memory reports. */
export interface ManagedReport {
  /** From the beginning of the run on, those that occurred. */
  transfers: TransferReport[];
  /** How many orders of warps ran. */
  schedules: number;
  /** By count: its least, median and most over these orders, from the beginning of the run on. */
  spread: Record<string, Spread>;
}

/** What happened in a simulation so far. */
export interface SimulationReport extends Counts {
  schema: typeof REPORT_SCHEMA;
  placement: Placement;
  /** Bytes of a cluster. */
  cluster: number;
  prefetch: Prefetch | ManagedPrefetch;
  prefetchFull: Prefetch | ManagedPrefetch;
  /** "custom": a policy of the user's own. */
  evict: Evict | "custom" | ManagedSettings["evict"];
  seed: number;
  initial: Initial;
  memoryModel: MemoryModel;
  /** The time model's name. */
  time: string;
  backing: Backing;
  /** Bytes of each kind of memory, as configured; of the device, those of each device. */
  memory: { system: number; device: number };
  /** The accesses that the counts are of: from the first to before the last. `to` is null: to the end. */
  roi: { from: number; to: number | null };
  device: DeviceTraffic & {
    /** The most bytes that were in the devices' memory at one time. */
    bytesPeak: number;
  };
  /** Each device by itself; `accesses.device`, `device` and so on are the sums. */
  devices: DeviceReport[];
  /** Where pages are at the end, in bytes. */
  residency: { system: number; device: number };
  /** Bytes of the resident set at the end; pages in device memory count, as in Linux. */
  rss: number;
  space: {
    /** Mappings, and the bytes that they cover. */
    vmas: number;
    bytes: number;
    /** How often the address space grew. */
    growths: number;
  };
  epochs: EpochReport[];
  kernels: KernelReport[];
  ranges: RangeReport[];
  /** What happened outside of all named ranges; null if there are none. */
  elsewhere: RangeFigures | null;
  /** What the config's `bound` asks for; null: nothing. */
  bound: BoundReport | null;
  /** What only managed memory has to report; null under another memory model. */
  driver: ManagedReport | null;
  /** What took how long; null without a time model. */
  timing: TimingReport | null;
  failedAllocation: FailedAllocation | null;
}
