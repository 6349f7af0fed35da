/**
 * What the engine layer knows of the objects that the layers above register in a {@link Context}: small
 * interfaces, one for each registry. The classes that implement them are named in the comments.
 */
import type { AccessFlags, MmuNotifyEvent } from "./protocol.ts";

/** An object that its owner ends with `close()`. */
export interface Closable {
  close(): void;
}

/** What is known of one mapping: a Vma. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly pgoff: number;
  readonly file: number;
}

/** An open address space: an Mm. */
export interface AddressSpace extends Closable {
  readonly id: number;
  /** Oldest first. Replaced, never changed: an invalidation may be walking the list. */
  readonly subscribers: readonly Subscriber[];
  /** The part of MmapSem that a scan over all address spaces takes. */
  readonly mmapSem: { enterRead(op: string): void; leaveRead(op: string): void };
  /** Invalidates the tracked ranges (hmmVmaFault, hmmVmaGetPfns) that overlap [start, end). */
  invalidateRanges(start: number, end: number): void;
  /** The handle of the mapping at `pointer`, an address in linear memory. */
  vmaAt(pointer: number): Mapping;
  vmas(): Mapping[];
  lookupPte(addr: number): { flags: number; pfn: number } | null;
}

/** What is about to change: the engine's view of MmuNotifierRange. */
export interface Invalidation {
  mm: AddressSpace;
  start: number;
  /** Exclusive. */
  end: number;
  event: MmuNotifyEvent;
  owner: unknown;
}

/** A subscription to an address space's invalidations: an HmmMirror or a MmuIntervalNotifier. */
export interface Subscriber {
  readonly kind: "mirror" | "notifier";
  /** The stable name that snapshots use. */
  readonly id: string;
  /** The core's id of the subscription. */
  readonly notifier: number;
  readonly start: number;
  /** Inclusive. */
  readonly last: number;
  readonly closed: boolean;
  /** Whether it has no callback: the core serves it alone. */
  readonly silent: boolean;
  /**
   * Tells the subscriber, before the entries change. Returns false if the subscriber ignores the event: its
   * sequence number stays as it is.
   */
  notify(range: Invalidation, seq: number): boolean;
  /**
   * The address space goes away. A mirror is told before the core closes it, and leaves the list of
   * subscribers; a notifier is told afterwards, when the core has dropped the subscription.
   */
  mmClosed(): void;
}

/** A range whose pfns stay valid until an invalidation overlaps it: an HmmRange of the 2018 calls. */
export interface TrackedRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly pfns: Uint32Array | null;
  readonly valid: boolean;
  invalidate(start: number, end: number): void;
  /** The address space is gone: it no longer tracks the range. */
  mmClosed(): void;
}

/** A device's memory: an HmmDevmem. */
export interface DeviceMemory extends Closable {
  readonly id: string;
  readonly zone: number;
  readonly ownerNumber: number;
  readonly coherent: boolean;
  /** Whether its driver has a faultAsync callback. */
  readonly faultsAsync: boolean;
  /** Has the driver bring a page back. Returns what the driver answers, which is still to be checked. */
  fault(vma: Mapping, address: number, page: number, flags: AccessFlags, order: number): unknown;
  /** As `fault`, with the driver's faultAsync callback, which must exist. */
  faultAsync(vma: Mapping, address: number, page: number, flags: AccessFlags, order: number): unknown;
  /** Migrates what it can of pages [first, first + n) to system memory. Returns how many pages moved. */
  evict(first: number, n: number): number;
  /** Reports freed pages to the driver. */
  deliverFreed(): void;
}

/** An open migration: a Migration. */
export interface OpenMigration extends Closable {
  readonly id: number;
  readonly mm: AddressSpace | null;
  readonly npages: number;
  /** Settles when the migration is finalized. */
  readonly ended: Promise<void>;
  /** The address of src if these are the migration's own arrays and it is open (dst follows src), else 0. */
  addressOf(src: unknown, dst: unknown): number;
}

/** A device's page table: a DeviceTable. */
export interface OpenDeviceTable extends Closable {
  readonly id: number;
  readonly mm: AddressSpace | null;
}

/** An array in the arena: a PfnArray or an AddressArray. */
export interface ArenaArray extends Closable {
  readonly byteOffset: number;
}

/** A device fault that a driver is to serve. */
export interface FaultRequest {
  mm: AddressSpace;
  devmem: DeviceMemory;
  vma: Mapping;
  address: number;
  /** The page, which the core holds locked and referenced. */
  page: number;
  flags: AccessFlags;
  /** How much the faulting entry maps: 0 one page, 9 the aligned 2 MiB. */
  order: number;
}
