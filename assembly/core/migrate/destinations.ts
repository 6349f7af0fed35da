// The destinations of a migration. A driver allocates them for the candidates of src, and pages() checks them
// before anything moves.
//
//   src[i]                     dst[i], allocated
//   VALID | MIGRATE | pfn      VALID | pfn: a locked frame with one reference, which the driver owns
//   MIGRATE (a hole)           the same
//   … | COMPOUND               VALID | COMPOUND | pfn: a large folio, or 512 frames, where no block is free

import { MIGRATION_WRONG_DST } from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { EINVAL } from "../../uapi/errno";
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID } from "../../uapi/pfn";
import {
  BLOCK_BITMAP,
  BLOCK_PFN,
  FOLIO_ANON,
  FOLIO_FILE,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_RESERVED,
  FOLIO_SHMEM,
  FOLIO_SIZE,
} from "../../abi/frame";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_FAULT_ADDR,
  HDR_FAULT_CODE,
  HDR_FOLIOS,
} from "../../abi/header";
import { copyWords, header, LARGE_PAGES, mayAllocate, setHeader, setHeaderF64 } from "../base/layout";
import { DEBUG } from "../base/panic";
import { poolId } from "../base/pool";
import { isDevmem, isOpenDevmem } from "../frame/devmem";
import { Folio, folioOf, unmark } from "../frame/folio";
import { largeAll } from "../frame/large";
import { isWholeBlock } from "../frame/order";
import {
  addExternalRefs,
  allocFrame,
  allocLarge,
  bitsLeft,
  blockWithFree,
  initFrame,
  tookFrames,
} from "../frame/page-alloc";
import { hasPage, isUnit, Migration, pfnOf } from "../space/migration";

/** Allocates a locked frame with one reference. 0 when the zone has none. */
function allocLocked(zone: u32): u32 {
  const pfn = allocFrame(zone);
  if (!pfn) return 0;
  folioOf(pfn).set(FOLIO_LOCKED);
  addExternalRefs(1);
  return pfn;
}

/**
 * Allocates a locked page of a devmem, with one reference that the caller owns. 0 when the devmem has none to
 * give.
 */
export function devmemAllocPage(id: u32): i32 {
  if (!isDevmem(id) || !isOpenDevmem(id)) return 0;
  return allocLocked(id);
}

/**
 * Allocates a frame with one reference and the folio flags `flags` for every word of src that has all bits of
 * `wanted` and whose word of dst is 0, which becomes `tag | pfn`. Units are left out. Stops when memory is
 * exhausted. Returns the number of frames.
 */
function allocFrames(zone: u32, src: usize, dst: usize, n: u32, wanted: u32, flags: u32, tag: u32): u32 {
  let filled: u32 = 0;
  const last = src + n * 4;
  while (src < last) {
    const block = blockWithFree(zone);
    if (!block) break;
    let word = block + BLOCK_BITMAP;
    while (!load<u64>(word)) word += 8;
    let bits = bitsLeft(zone, word);
    const others = load<u64>(word) ^ bits;
    const base = load<u32>(block, BLOCK_PFN) + <u32>(word - block) * 8;
    let taken: u32 = 0;
    for (; bits && src < last; src += 4, dst += 4) {
      if ((load<u32>(src) & (wanted | MIGRATE_PFN_COMPOUND)) != wanted || load<u32>(dst)) continue;
      if (!mayAllocate()) {
        src = last;
        break;
      }
      const pfn = base + <u32>ctz(bits);
      bits &= bits - 1;
      initFrame(pfn, flags);
      store<u32>(dst, tag | pfn);
      taken++;
    }
    store<u64>(word, others | bits);
    tookFrames(zone, block, taken);
    filled += taken;
  }
  return filled;
}

/**
 * allocFrames() for the units of src: a large folio for each, or 512 locked frames where no block is free.
 */
function allocUnits(zone: u32, src: usize, dst: usize, n: u32, wanted: u32): u32 {
  let filled: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const word = load<u32>(src + i * 4);
    if (!isUnit(word) || (word & wanted) != wanted || load<u32>(dst + i * 4) || n - i < LARGE_PAGES) continue;
    const head = allocLarge(zone, FOLIO_LOCKED);
    if (head) {
      store<u32>(dst + i * 4, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_COMPOUND | head);
      filled += LARGE_PAGES;
    }
    for (let j: u32 = 0; !head && j < LARGE_PAGES; j++) {
      const pfn = allocFrame(zone);
      if (!pfn) break;
      folioOf(pfn).set(FOLIO_LOCKED);
      store<u32>(dst + (i + j) * 4, (<u32>MIGRATE_PFN_VALID) | pfn);
      filled++;
    }
    i += LARGE_PAGES - 1; // the other words of a unit are 0
  }
  return filled;
}

/** Does a unit begin among n words? The last few are not looked at, since a unit has 512. */
function haveUnit(words: usize, n: u32): bool {
  let all = i32x4.splat(0);
  for (const last = words + n * 4; words + 16 <= last; words += 16) all = v128.or(all, v128.load(words));
  return v128.any_true(v128.and(all, i32x4.splat(MIGRATE_PFN_COMPOUND)));
}

/** Allocates destinations in a zone, units first. Returns the number of frames, which the caller owns. */
function allocFor(zone: u32, src: usize, dst: usize, n: u32, wanted: u32): i32 {
  const large = haveUnit(src, n) ? allocUnits(zone, src, dst, n, wanted) : 0;
  const single = large < n ? allocFrames(zone, src, dst, n, wanted, FOLIO_LOCKED, <u32>MIGRATE_PFN_VALID) : 0;
  const filled = large + single;
  addExternalRefs(filled);
  return filled;
}

/**
 * Allocates device pages for the candidates among n words of src whose word of dst is 0. Returns how many;
 * fewer than there are candidates when the devmem is full; -EINVAL for an id that is no devmem's.
 */
export function devmemAllocPages(id: u32, src: usize, dst: usize, n: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  return isOpenDevmem(id) ? allocFor(id, src, dst, n, MIGRATE_PFN_MIGRATE) : 0;
}

/**
 * Allocates a locked page of system memory, with one reference that the caller owns. 0 when memory is
 * exhausted.
 */
export function systemAllocPage(): i32 {
  return allocLocked(0);
}

/** devmemAllocPages() in system memory, for the candidates that have a page: holes are left out. */
export function systemAllocPages(src: usize, dst: usize, n: u32): i32 {
  return allocFor(0, src, dst, n, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE);
}

// ── Soundness
// ─────────────────────────────────────────────────────────────────────────────────────────────────
//
// A page of nobody that a migration has, as a destination or as a source, is marked: `mapping`, which is 0
// otherwise, is the migration's id. So no page can be given twice, to one migration or to two. Destinations
// to which pages move at once, before anybody else can run, need no mark.

/** Folio flags of a page that somebody uses. */
const USED: u32 = FOLIO_FREE | FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_RESERVED;
/** The words `mapping` and `flags` of a folio. */
const MAPPING_AND_FLAGS: usize = offsetof<Folio>("mapping");

/** Tells whether a driver may give this page as a destination: it is locked and in nobody's use. */
@inline
function isSound(folio: Folio): bool {
  const use = load<u32>(changetype<usize>(folio), MAPPING_AND_FLAGS);
  return (
    (use & (((USED | FOLIO_LARGE | FOLIO_LOCKED) << 16) | 0xffff)) == FOLIO_LOCKED << 16 && !folio.mapcount
  );
}

/**
 * The fast form of isSound() for the four words at `at`: whether they name four neighbors, whose records are
 * as the allocation for a driver has left them.
 */
@inline
function areFresh(at: usize, folios: usize): bool {
  const word = load<u32>(at);
  if ((word & (<u32>(MIGRATE_PFN_VALID | MIGRATE_PFN_COMPOUND))) != <u32>MIGRATE_PFN_VALID) return false;
  const neighbors = i32x4.sub(i32x4.splat(word), i32x4(0, -1, -2, -3));
  const fresh = i32x4(1, 0, 0, FOLIO_LOCKED << 16);
  const folio = folios + pfnOf(word) * FOLIO_SIZE;
  let other = v128.xor(v128.load(at), neighbors);
  other = v128.or(other, v128.xor(v128.load(folio), fresh));
  other = v128.or(other, v128.xor(v128.load(folio, 16), fresh));
  other = v128.or(other, v128.xor(v128.load(folio, 32), fresh));
  other = v128.or(other, v128.xor(v128.load(folio, 48), fresh));
  if (v128.any_true(other)) return false;
  if (DEBUG)
    for (let j: usize = 0; j < 4; j++) assert(isSound(changetype<Folio>(folio + 16 * j)), "areFresh");
  return true;
}

/**
 * Tells whether a driver may give the large folio at `head` as a destination: all of its pages are locked and
 * in nobody's use.
 */
function isSoundUnit(head: u32, end: u32): bool {
  if (head > end - LARGE_PAGES || !folioOf(head).has(FOLIO_HEAD) || !isWholeBlock(head)) return false;
  if (folioOf(head).mapcount | folioOf(head).mapping) return false;
  return largeAll(head, USED | FOLIO_LOCKED, FOLIO_LOCKED);
}

/**
 * Takes over the driver's destinations. If one is not sound, or comes twice, none is taken over;
 * HDR_FAULT_ADDR is the index of the first that is wrong. The caller marks those that it does not use at
 * once.
 */
export function takeDestinations(m: Migration): bool {
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const folios: usize = header(HDR_FOLIOS);
  const npages = m.npages;
  const dst: usize = m.dst;
  copyWords(dst, m.driverDst, npages);
  // Pages in ascending order are different ones. Others are told apart by their marks.
  let ascending = true;
  let before: u32 = 0;
  for (let i: u32 = 0; i < npages; i++) {
    const at = dst + ((<usize>i) << 2);
    const word = load<u32>(at);
    const pfn = pfnOf(word);
    if (!(i & 3) && i + 4 <= npages && pfn > before && pfn + 3 < end && areFresh(at, folios)) {
      before = pfn + 3;
      i += 3;
      continue;
    }
    const folio = changetype<Folio>(folios + pfn * FOLIO_SIZE);
    const single = (word & (<u32>(MIGRATE_PFN_VALID | MIGRATE_PFN_COMPOUND))) == <u32>MIGRATE_PFN_VALID;
    if (single && pfn > before && pfn < end && isSound(folio)) {
      before = pfn;
      continue;
    }
    if (!hasPage(word)) continue;
    const sound = single ? pfn < end && isSound(folio) : i + LARGE_PAGES <= npages && isSoundUnit(pfn, end);
    if (!sound) return refuseDestinations(m, i);
    if (pfn <= before) ascending = false;
    before = single ? pfn : pfn + LARGE_PAGES - 1;
    if (!single) i = skipZeros(dst, i, npages);
  }
  return ascending || markDistinct(m);
}

/** Marks the destinations from slot i on. */
export function markDestinations(m: Migration, i: u32): void {
  const mark = <u16>poolId(RESOURCE_MIGRATION, changetype<usize>(m));
  for (; i < m.npages; i++) {
    const word = m.target(i);
    if (hasPage(word)) folioOf(pfnOf(word)).mapping = mark;
    if (isUnit(word)) i = skipZeros(m.dst, i, m.npages);
  }
}

/** Of n words, the index of the last one behind word i that is surely 0: behind a unit's there are 511. */
function skipZeros(words: usize, i: u32, n: u32): u32 {
  let at = words + (i + 1) * 4;
  for (; i + 17 <= n; i += 16, at += 64) {
    const one = v128.or(v128.load(at), v128.load(at, 16));
    const two = v128.or(v128.load(at, 32), v128.load(at, 48));
    if (v128.any_true(v128.or(one, two))) break;
  }
  for (; i + 5 <= n && !v128.any_true(v128.load(at)); i += 4) at += 16;
  return i;
}

/** Marks all destinations. If one comes twice, none is marked or taken over. */
function markDistinct(m: Migration): bool {
  const mark = <u16>poolId(RESOURCE_MIGRATION, changetype<usize>(m));
  for (let i: u32 = 0; i < m.npages; i++) {
    if (!hasPage(m.target(i))) continue;
    const folio = folioOf(pfnOf(m.target(i)));
    if (folio.mapping) {
      for (let j: u32 = 0; j < i; j++) if (hasPage(m.target(j))) unmark(folioOf(pfnOf(m.target(j))));
      return refuseDestinations(m, i);
    }
    folio.mapping = mark;
  }
  return true;
}

/** Forgets all destinations, since the one of slot i is wrong. */
function refuseDestinations(m: Migration, i: u32): bool {
  memory.fill(m.dst, 0, m.npages * 4);
  setHeader(HDR_FAULT_CODE, MIGRATION_WRONG_DST);
  setHeaderF64(HDR_FAULT_ADDR, i);
  return false;
}
