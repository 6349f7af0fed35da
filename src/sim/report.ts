/**
 * The report of a simulation. The keys are stable: `heteromem run --json` prints this object, and docs/run.md
 * describes every key. Pages are 4 KiB.
 */

/** What a device fault does: move the cluster to the device, or map the page where it is. */
export type Policy = "migrate" | "mirror";
/** Whether pages have bytes. */
export type Backing = "data" | "metadata";

export const POLICIES: readonly Policy[] = ["migrate", "mirror"];
export const BACKINGS: readonly Backing[] = ["data", "metadata"];

/** The loads and stores of the CPU or the device; a modify is one of each. */
export interface Accesses {
  loads: number;
  stores: number;
}

/**
 * The device's loads and stores, and how many of them were of RAM, over its link; the others were of its
 * memory.
 */
export interface DeviceAccesses extends Accesses {
  ram: Accesses;
}

/** CPU faults by what they did. */
export interface CpuFaults {
  /** A read of untouched memory: the zero page was mapped. */
  zero: number;
  /** The first write to untouched memory: a fresh page. */
  anon: number;
  /** The first write after a read of untouched memory: a copy of the zero page. */
  cow: number;
  /** A write to a read-only page that belonged to this process alone. */
  reuse: number;
  /** The page was in device memory and came back. */
  device: number;
  /** All others: another fault had mapped the page. */
  other: number;
}

/** Device faults by what the driver did. */
export interface DeviceFaults {
  /** Moved the cluster to device memory. */
  migrate: number;
  /** Mapped the page, and what is present of its cluster, where it is. */
  mirror: number;
}

/** Invalidations by the reason why the CPU's table was about to change (Linux's mmu_notifier_event). */
export interface Invalidations {
  migrate: number;
  clear: number;
  protection: number;
  unmap: number;
  other: number;
}

/** What happened in a simulation so far. */
export interface SimulationReport {
  policy: Policy;
  backing: Backing;
  /** Bytes of each kind of memory, as configured. */
  memory: { system: number; device: number };
  accesses: { cpu: Accesses; device: DeviceAccesses };
  faults: { cpu: number; device: number };
  faultsByKind: { cpu: CpuFaults; device: DeviceFaults };
  device: {
    /**
     * Pages that came to be in device memory: pagesCopied moved there from RAM, the others were made there.
     */
    pagesIn: number;
    pagesCopied: number;
    /** Of pagesIn: pages that had left the device before. Thrashing. */
    pagesInAgain: number;
    /** Pages that left it: evicted, or because the CPU touched them or a page of their cluster. */
    pagesOut: number;
    /** Of pagesOut: pages that the device had written since they came in. */
    pagesOutDirty: number;
    pagesOutEvicted: number;
    /** The most pages that were in device memory at one time. */
    pagesPeak: number;
    /** pagesCopied and pagesOut in bytes. */
    bytesIn: number;
    bytesOut: number;
  };
  /** Clusters that were moved out to make room. */
  evictions: number;
  /** Notices to the device that a range of the CPU's table was about to change. */
  invalidations: number;
  invalidationsByEvent: Invalidations;
  /** Where pages are at the end. */
  residency: { system: number; device: number };
  /** Resident set at the end; pages in device memory count, as in Linux. */
  rss: { pages: number; bytes: number };
  space: {
    /** Mappings, and the bytes that they cover. */
    vmas: number;
    bytes: number;
    /** How often the address space grew. */
    growths: number;
  };
}

/** What the device's driver counts; SimulationReport describes each. */
export interface DeviceCounts {
  pagesIn: number;
  pagesCopied: number;
  pagesInAgain: number;
  pagesOut: number;
  pagesOutDirty: number;
  pagesOutEvicted: number;
  pagesPeak: number;
  evictions: number;
}
