/** Pages and entries of the reference model, and the constants that all its files use. */
import type { ModelFile } from "./file.ts";
import type { Folio } from "./huge.ts";
import type { Block } from "./hugetlb.ts";
import type { Item } from "./ksm.ts";
import type { Slot } from "./swap.ts";
import type { AnonVma } from "./vma.ts";

export const PAGE = 4096;
/** Pages of a huge page, which begins at a multiple of this. */
export const HUGE_PAGES = 512;
export const R = 1;
export const W = 2;
export const X = 4;
export const RWX = R | W | X;

export const EPERM = 1;
export const ENOENT = 2;
export const EIO = 5;
/** The answer of a fault that ends in SIGBUS. */
export const EBUS = 7;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EINVAL = 22;
export const EOPNOTSUPP = 95;

/** A notifier event: [name, first page, end page, owner]; owner is a device number, -1 for nobody. */
export type EventName = "migrate" | "clear" | "prot_vma" | "prot_page" | "unmap" | "exclusive";
export type Event = readonly [name: EventName, first: number, end: number, owner: number];

/** The 4096 bytes of a page: one repeated value until a write of less than a page. */
export class Content {
  fill = 0;
  bytes: Uint8Array | null = null;

  set(value: number): void {
    this.fill = value & 255;
    this.bytes = null;
  }

  setByte(offset: number, value: number): void {
    this.bytes ??= new Uint8Array(PAGE).fill(this.fill);
    this.bytes[offset] = value;
  }

  /** Returns the byte at an offset. */
  at(offset: number): number {
    return this.bytes?.[offset] ?? this.fill;
  }

  copyFrom(other: Content): void {
    this.fill = other.fill;
    this.bytes = other.bytes?.slice() ?? null;
  }

  /** Returns a number if all bytes are equal, else first byte and FNV-1a hash, "bb:hhhhhhhh". */
  digest(): number | string {
    const bytes = this.bytes;
    if (bytes === null) return this.fill;
    if (bytes.every((b) => b === bytes[0])) return bytes[0];
    let hash = 0x811c9dc5;
    for (const b of bytes) hash = Math.imul(hash ^ b, 0x01000193) >>> 0;
    return `${hex(bytes[0], 2)}:${hex(hash, 8)}`;
  }
}

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

export const RAM = -1;

/**
 * The counter of a process for a resident page. A driver's own pages count as a file's; hugetlb pages do not
 * count.
 */
export type PageKind = "anon" | "file" | "shmem" | "hugetlb";

/** A page. Migration changes its place and nothing else. */
export class Page {
  readonly content = new Content();
  /** RAM, or the number of the page's device. */
  place = RAM;
  /** Whether the page is on a device whose memory CPUs cannot access. */
  hidden = false;
  /** Number of entries that name the page, in all processes. */
  maps = 0;
  /** Further references, which keep the page in place. */
  pins = 0;
  /** How many of them are pins for long. */
  longPins = 0;
  /** The entry that lends it to a device, if one does and is no mapping meanwhile (6.12). */
  lender: Entry | null = null;
  /** Whether MADV_FREE gave the page up, so that MADV_PAGEOUT may drop it (7.3). */
  givenUp = false;
  /** Whether an open migration has locked the page: accesses wait. */
  locked = false;
  /** Whether the page belongs to one process, which may write in place. */
  exclusive = true;
  /**
   * The mirror that migrated the page to its device; the golden driver drops that mirror's entry on the way
   * back.
   */
  mover: object | null = null;
  /** The order in which pages came to devices. */
  arrival = 0;
  /** Whether the memory cgroup counts the page. */
  charged = true;
  /** Of a merged page: the addresses that share it, newest first. */
  merged: Item[] | null = null;
  /** Of a hugetlb page: its block. */
  block: Block | null = null;
  /** The slot for which the swap cache has the page. */
  slot: Slot | null = null;
  /** The file whose page cache has the page. */
  cached = false;
  /** Of a disk file: whether the page was written since the last write-back. */
  dirty = false;
  /** Whether a batch of unlocked pages has a reference (World.drain). */
  batched = false;
  /** The huge page of which the page is a part. */
  folio: Folio | null = null;

  constructor(
    readonly kind: PageKind,
    /**
     * The anon_vma of the vmas that could map the page; null before the first mapping and for a driver's
     * page.
     */
    public home: AnonVma | ModelFile | null,
    /** The page's offset in the anon_vma. */
    public index: number,
  ) {}

  /** Whether the page is lent to a device for exclusive access. */
  get lent(): boolean {
    return this.lender?.lent === true;
  }

  /** Is it, or a page that it comes and goes with, pinned for long? */
  get pinnedLong(): boolean {
    const pages = this.folio?.pages ?? this.block?.pages ?? [this];
    return pages.some(({ longPins }) => longPins > 0);
  }

  /** References that no migration can take away: pins, and of an entry that lends it. */
  get held(): number {
    return this.pins + (this.lent ? 1 : 0);
  }

  /** All references: entries, pins, and a cache's. */
  get refs(): number {
    return this.maps + this.pins + (this.cached ? 1 : 0) + (this.slot ? 1 : 0) + (this.batched ? 1 : 0);
  }
}

/**
 * One page-table entry. Device pages have entries too. A null page is the zero page, unless `slot` (swapped
 * out) or `raw` (memory without a page) is set.
 */
export interface Entry {
  page: Page | null;
  write: boolean;
  /** Of a shared mapping: whether the entry was written, so that mprotect may restore the write bit. */
  dirty?: boolean;
  /** Whether the entry lends its page to a device. */
  lent?: boolean;
  slot?: Slot;
  /** Of a swapped page: whether it was exclusive when it left. */
  own?: boolean;
  raw?: boolean;
}

/** Whether a CPU can read through this entry without a fault. */
export function present(entry: Entry | undefined): boolean {
  if (!entry || entry.slot || entry.lent) return false;
  return !entry.page || (!entry.page.locked && !entry.page.hidden);
}

/** Whether the entry is the zero page's. */
export function isZero({ page, slot, raw }: Entry): boolean {
  return !page && !slot && !raw;
}

/** The kind of a fault, by its name in hmm.stats. */
export const FAULT_KINDS = [
  "zero",
  "anon",
  "cow",
  "reuse",
  "device",
  "file",
  "swap",
  "exclusive",
  "spurious",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Failures of a CPU access. */
export type Signal = "SIGSEGV/1" | "SIGSEGV/2" | "SIGBUS/2" | "OOM" | "EAGAIN";

/** The signal of each error of a fault. */
export const SIGNALS = new Map<number, Signal>([
  [-EAGAIN, "EAGAIN"],
  [-EBUS, "SIGBUS/2"],
  [-ENOMEM, "OOM"],
]);
