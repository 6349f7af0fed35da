// Folios: what is known of each frame. (Drawn in abi/frame.ts.)

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FLAGS,
  FOLIO_INDEX,
  FOLIO_KSM,
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


@unmanaged
export class Folio {
  /** memcg id << 24 | references */
  refs: u32;
  /** index bits 32…39 << 24 | mappings, migration entries not among them */
  maps: u32;
  /** index bits 0…31 */
  index: u32;
  mapping: u16;
  flags: u16;


  @inline get refcount(): u32 {
    return this.refs & FOLIO_COUNT_MASK;
  }


  @inline get mapcount(): u32 {
    return this.maps & FOLIO_COUNT_MASK;
  }

  /** Both words that hold counts: `refs`, and `maps` in the high half. */
  @inline get counts(): u64 {
    return load<u64>(changetype<usize>(this));
  }


  @inline get memcg(): u32 {
    return this.refs >> 24;
  }


  @inline set memcg(id: u32) {
    this.refs = (this.refs & FOLIO_COUNT_MASK) | (id << 24);
  }
  /** Page offset in the anon_vma or file. */
  @inline get pgoff(): u64 {
    return ((<u64>(this.maps >> 24)) << 32) | this.index;
  }


  @inline set pgoff(value: u64) {
    this.index = <u32>value;
    this.maps = (this.maps & FOLIO_COUNT_MASK) | ((<u32>(value >> 32)) << 24);
  }


  @inline has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }


  @inline set(flag: u32): void {
    this.flags = <u16>(this.flags | flag);
  }


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


@inline
export function folioOf(pfn: u32): Folio {
  return changetype<Folio>(header(HDR_FOLIOS) + pfn * FOLIO_SIZE);
}


@inline
export function isDevicePfn(pfn: u32): bool {
  return pfn >= header(HDR_DEVICE_BASE);
}

/** Address of a frame's bytes. Only where frames have bytes. */
@inline
export function frameOf(pfn: u32): usize {
  return header(HDR_FRAMES) + (pfn << 12);
}

// ── Rules ─────────────────────────────────────────────────────────────────────────────────────────────────────
//
// What is true of a page in every form of the code that handles it: a page at a time, a run of pages, a large folio.

/** The flags that move with a page to another frame. The others describe the frame (its lock) or its users (its LRU). */
export const FOLIO_MOVES: u32 =
  FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_DIRTY | FOLIO_REFERENCED | FOLIO_KSM;
/** The flags that an anonymous page has or lacks without a consequence for how its last mapping goes away. */
export const FOLIO_MARKS: u32 = FOLIO_DIRTY | FOLIO_ANON_EXCLUSIVE | FOLIO_REFERENCED;
/** The bits of Folio.counts that count: references in the low half, mappings in the high half. */
export const FOLIO_COUNTS: u64 = ((<u64>FOLIO_COUNT_MASK) << 32) | FOLIO_COUNT_MASK;
/** Folio.counts & FOLIO_COUNTS of a sole page: one mapping, with the one reference. */
export const FOLIO_SOLE: u64 = 0x0000000100000001;

/** Of a folio's 16 bytes, those that move with a page: memcg, index, mapping and FOLIO_MOVES. The rest stays. */
@inline
function moving(): v128 {
  return i32x4(~FOLIO_COUNT_MASK, ~FOLIO_COUNT_MASK, -1, (FOLIO_MOVES << 16) | 0xffff);
}

/** Of a folio's 16 bytes, those that stay with a frame that a page moves to: both counts, and the flags it has. */
@inline
function staying(): v128 {
  return i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, 0xffff0000);
}

/**
 * folio_migrate_mapping and folio_migrate_flags: the frame of `to` becomes the page that `from` was. The counts of both
 * stay, and so does what `from` says of its place, for migration entries that still name it; its charge moves.
 */
@inline
export function moveFolio(from: Folio, to: Folio): void {
  const source = changetype<usize>(from);
  const target = changetype<usize>(to);
  const flags = to.flags | (from.flags & FOLIO_MOVES);
  const counts = (to.counts & FOLIO_COUNTS) | (from.counts & ~FOLIO_COUNTS);
  v128.store(target, v128.or(v128.and(v128.load(target), staying()), v128.and(v128.load(source), moving())));
  from.refs &= FOLIO_COUNT_MASK;
  if (DEBUG) {
    assert(to.flags == flags && to.counts == counts, "moveFolio: flags or counts");
    assert(to.index == from.index && to.mapping == from.mapping, "moveFolio: place");
  }
}
