// Folios: a record of 16 bytes for each frame. It is drawn in abi/frame.ts.

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FLAGS,
  FOLIO_INDEX,
  FOLIO_KSM,
  FOLIO_LAZYFREE,
  FOLIO_MAPPING,
  FOLIO_MAPS,
  FOLIO_REFERENCED,
  FOLIO_REFS,
  FOLIO_SHMEM,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FOLIOS, HDR_FRAMES } from "../../abi/header";
import { header } from "../base/layout";
import { DEBUG } from "../base/panic";

/** What is known of a frame. */
@unmanaged
export class Folio {
  /** memcg id << 24 | references */
  refs: u32;
  /** index bits 32…39 << 24 | mappings; a migration entry is none */
  maps: u32;
  /** index bits 0…31 */
  index: u32;
  /** The id of the anon_vma or file. */
  mapping: u16;
  /** FOLIO_* */
  flags: u16;

  /** References: of entries, of pins and drivers, of a cache, of an open migration. */
  @inline get refcount(): u32 {
    return this.refs & FOLIO_COUNT_MASK;
  }
  /** Entries that map the page. */
  @inline get mapcount(): u32 {
    return this.maps & FOLIO_COUNT_MASK;
  }
  /** Both words that hold counts: `refs`, and `maps` in the high half. */
  @inline get counts(): u64 {
    return load<u64>(changetype<usize>(this));
  }
  /** The id of the group that the page is charged to; 0: none. */
  @inline get memcg(): u32 {
    return this.refs >> 24;
  }
  /** Sets the group; the references stay. */
  @inline set memcg(id: u32) {
    this.refs = (this.refs & FOLIO_COUNT_MASK) | (id << 24);
  }
  /** The page's offset in its anon_vma or file, in pages: 40 bits. */
  @inline get pgoff(): u64 {
    return ((<u64>(this.maps >> 24)) << 32) | this.index;
  }
  /** Sets the offset; the mappings stay. */
  @inline set pgoff(value: u64) {
    this.index = <u32>value;
    this.maps = (this.maps & FOLIO_COUNT_MASK) | ((<u32>(value >> 32)) << 24);
  }
  /** Tells whether any of the bits `flag` is set. */
  @inline has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }
  /** Sets the bits `flag`. */
  @inline set(flag: u32): void {
    this.flags = <u16>(this.flags | flag);
  }
  /** Clears the bits `flag`. */
  @inline clear(flag: u32): void {
    this.flags = <u16>(this.flags & ~flag);
  }
}

if (offsetof<Folio>() != FOLIO_SIZE) ERROR("FOLIO_SIZE");
if (offsetof<Folio>("refs") != FOLIO_REFS) ERROR("FOLIO_REFS");
if (offsetof<Folio>("maps") != FOLIO_MAPS) ERROR("FOLIO_MAPS");
if (offsetof<Folio>("index") != FOLIO_INDEX) ERROR("FOLIO_INDEX");
if (offsetof<Folio>("mapping") != FOLIO_MAPPING) ERROR("FOLIO_MAPPING");
if (offsetof<Folio>("flags") != FOLIO_FLAGS) ERROR("FOLIO_FLAGS");

/** Returns the record of a frame. */
@inline
export function folioOf(pfn: u32): Folio {
  return changetype<Folio>(header(HDR_FOLIOS) + pfn * FOLIO_SIZE);
}

/** Tells whether a pfn lies above system memory: in device memory, or in swap space. */
@inline
export function isDevicePfn(pfn: u32): bool {
  return pfn >= header(HDR_DEVICE_BASE);
}

/**
 * Returns the address of a frame's bytes. Where frames have none, frameOf(0) is 0, and no other result means
 * anything.
 */
@inline
export function frameOf(pfn: u32): usize {
  return header(HDR_FRAMES) + (pfn << 12);
}

// ── Rules ──────────────────────────────────────────────────────────────────────────────────────────────────
//
// What holds for a page in each form of the code that handles it: one page, a run of pages, a large folio.

/**
 * The flags that move with a page to another frame. The others belong to the frame: its lock, its place on
 * the LRU.
 */
const FOLIO_MOVES: u32 =
  FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_DIRTY | FOLIO_REFERENCED | FOLIO_KSM | FOLIO_LAZYFREE;
/** The flags of an anonymous page that do not matter when its only mapping goes away. */
export const FOLIO_MARKS: u32 = FOLIO_DIRTY | FOLIO_ANON_EXCLUSIVE | FOLIO_REFERENCED | FOLIO_LAZYFREE;
/** The bits of Folio.counts that are counts: references in the low half, mappings in the high half. */
export const FOLIO_COUNTS: u64 = ((<u64>FOLIO_COUNT_MASK) << 32) | FOLIO_COUNT_MASK;
/** The counts (Folio.counts & FOLIO_COUNTS) of a sole page: one mapping, whose reference is the only one. */
export const FOLIO_SOLE: u64 = 0x0000000100000001;

/** Returns the mask of a folio's bits that move with a page: memcg, offset, mapping and FOLIO_MOVES. */
@inline
function moving(): v128 {
  return i32x4(~FOLIO_COUNT_MASK, ~FOLIO_COUNT_MASK, -1, (FOLIO_MOVES << 16) | 0xffff);
}

/**
 * Returns the mask of a folio's bits that a frame keeps when a page moves to it: both counts, and its flags.
 */
@inline
function staying(): v128 {
  return i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, 0xffff0000);
}

/**
 * Makes `to` the page that `from` was (folio_migrate_mapping and folio_migrate_flags): place, FOLIO_MOVES and
 * charge go to `to`. The counts of both stay; `from` has `refs` references. `from` keeps its place, by which
 * the reverse map finds its migration entries.
 */
@inline
export function moveFolio(from: Folio, refs: u32, to: Folio): void {
  const source = changetype<usize>(from);
  const target = changetype<usize>(to);
  let flags: u32 = 0;
  let counts: u64 = 0;
  if (DEBUG) {
    flags = to.flags | (from.flags & FOLIO_MOVES);
    counts = (to.counts & FOLIO_COUNTS) | (from.counts & ~FOLIO_COUNTS);
  }
  v128.store(target, v128.or(v128.and(v128.load(target), staying()), v128.and(v128.load(source), moving())));
  if (DEBUG) assert(from.refcount == refs, "moveFolio: references");
  from.refs = refs;
  if (DEBUG) {
    assert(to.flags == flags && to.counts == counts, "moveFolio: flags or counts");
    assert(to.index == from.index && to.mapping == from.mapping, "moveFolio: place");
  }
}

/**
 * Tells whether a page is neither anonymous memory nor a file's. The `mapping` of such a page is 0, or the id
 * of the migration that has it.
 */
@inline
export function isNobodys(folio: Folio): bool {
  return !folio.has(FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM);
}

/** Ends what marks a page of nobody as a migration's. */
@inline
export function unmark(folio: Folio): void {
  if (isNobodys(folio)) folio.mapping = 0;
}
