/** What a page is in the reference model, and the small constants that every file of it uses. */
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
/** What a fault answers that ends in SIGBUS. */
export const EBUS = 7;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EINVAL = 22;

/** A notifier event: [name, first page, end page, owner]; owner is a device number, -1 for nobody. */
export type EventName = "migrate" | "clear" | "prot_vma" | "prot_page" | "unmap" | "exclusive";
export type Event = readonly [name: EventName, first: number, end: number, owner: number];

/** The 4096 bytes of a page: one value repeated, until somebody writes less than a whole page. */
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

  /** The byte at an offset. */
  at(offset: number): number {
    return this.bytes?.[offset] ?? this.fill;
  }

  copyFrom(other: Content): void {
    this.fill = other.fill;
    this.bytes = other.bytes?.slice() ?? null;
  }

  /** A number when all bytes are equal, else first byte and FNV-1a hash as "bb:hhhhhhhh". */
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

/** By which counter of a process a page is resident; a driver's own pages count as a file's, no one is shown hugetlb's. */
export type PageKind = "anon" | "file" | "shmem" | "hugetlb";

/** A page. Migration changes its place; everything else about it stays. */
export class Page {
  readonly content = new Content();
  /** RAM, or the number of the device it is on. */
  place = RAM;
  /** On a device whose memory no CPU reaches. */
  hidden = false;
  /** Entries that name it, in all processes. */
  maps = 0;
  /** Further references: they keep it where it is. */
  pins = 0;
  /** How many of them are pins for long. */
  longPins = 0;
  /** The entry that lends it to a device, if one does. */
  lender: Entry | null = null;
  /** In an open migration: its entries wait, and nobody gets at it. */
  locked = false;
  /** Known to belong to one process: may be written where it is. */
  exclusive = true;
  /** Who migrated it to its device (the golden driver drops that one's entry when it comes back). */
  mover: object | null = null;
  /** Pages came to devices in this order. */
  arrival = 0;
  /** Counted by the memory cgroup. */
  charged = true;
  /** KSM has merged it: the addresses that share it, the newest first. */
  merged: Item[] | null = null;
  /** Of a hugetlb mapping: the pages that it comes and goes with. */
  block: Block | null = null;
  /** The swap cache has it, as the page of this slot. */
  slot: Slot | null = null;
  /** Of a file: the page cache has it. */
  cached = false;
  /** Of a disk file: written since it was last written back. */
  dirty = false;
  /** The huge page that it is a part of. */
  folio: Folio | null = null;

  constructor(
    readonly kind: PageKind,
    /** The vmas that could map it are in here (null: nobody has mapped it yet, or it is a driver's) … */
    public home: AnonVma | ModelFile | null,
    /** … around this offset. */
    public index: number,
  ) {}

  /** Is it lent to a device for exclusive access? */
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

  /** References: entries, pins, and a cache's. */
  get refs(): number {
    return this.maps + this.pins + (this.cached ? 1 : 0) + (this.slot ? 1 : 0);
  }
}

/**
 * One page-table entry. Device pages have entries too; a null page is the zero page, unless `slot` (swapped out) or
 * `raw` (memory without a page behind it) says something else.
 */
export interface Entry {
  page: Page | null;
  write: boolean;
  /** Written through, of a shared mapping: mprotect may give the write bit back. */
  dirty?: boolean;
  /** Lent to a device for exclusive access. */
  lent?: boolean;
  slot?: Slot;
  /** Of a swapped page: it was exclusive when it left. */
  own?: boolean;
  raw?: boolean;
}

/** Can a CPU read through this entry as it is? */
export function present(entry: Entry | undefined): boolean {
  if (!entry || entry.slot || entry.lent) return false;
  return !entry.page || (!entry.page.locked && !entry.page.hidden);
}

/** Is this the zero page's entry? */
export function isZero({ page, slot, raw }: Entry): boolean {
  return !page && !slot && !raw;
}

/** What a fault did, by the name that hmm.stats has for it. */
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
