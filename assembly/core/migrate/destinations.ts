// Device memory: zones of frames, and what drivers do with their pages. No CPU may map them, unless they are coherent.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PMD_PAGES } from "../../uapi/page";
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../../uapi/pfn";
import { XBUF_SIZE } from "../../abi/argument";
import { COUNT_PAGES_COPIED, COUNT_PAGES_ZEROED } from "../../abi/counter";
import {
  BLOCK_BITMAP,
  BLOCK_PFN,
  FOLIO_FREE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_RESERVED,
} from "../../abi/frame";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_DEVICE_NEXT,
  HDR_FLAGS,
  HDR_FLAG_COHERENT,
  HDR_FRAMES,
  HDR_XBUF,
  HDR_ZERO_PFN,
} from "../../abi/header";
import { RESOURCE_DEVICE_MEMORY, RESOURCE_DEVMEM } from "../../abi/pool";
import { SWAP_ZONE, ZONE_FLAG_COHERENT } from "../../abi/zone";
import { exhausted, header, LARGE_PAGES, mayAllocate, RESERVED_FRAMES, setHeader } from "../base/layout";
import { count } from "../base/stat";
import { folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { copyFrame, zeroFrame } from "../frame/frame";
import {
  addExternalRefs,
  allocFrame,
  allocLarge,
  blockWithFree,
  getPage,
  initFrame,
  putPage,
  takeFreed,
  tookFrames,
  zoneInit,
} from "../frame/page-alloc";
import { validPfn, ZONE_IN_USE, ZONE_REMOVING, zoneOf, zoneOfPfn } from "../frame/zone";
import { isUnit } from "./huge";

/** Zones that were removed leave their frames behind: [first, end) of such a zone is used again if it is large enough. */
function reuseZone(pages: u32): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) {
    const zone = zoneOf(id);
    if (!zone.flags && zone.pfnEnd - zone.pfnFirst == pages) return id;
  }
  return 0;
}

function unusedZone(): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) if (!zoneOf(id).flags && !zoneOf(id).pfnEnd) return id;
  return 0;
}

/** hmm_devmem_add: a zone of at least `bytes` bytes, in whole blocks of 2 MiB. Its id, or -ENOMEM. */
export function devmemAdd(bytes: f64, owner: u32, coherent: u32): i32 {
  const id = addZone(bytes, owner);
  if (id > 0 && coherent) {
    zoneOf(id).flags |= ZONE_FLAG_COHERENT;
    setHeader(HDR_FLAGS, header(HDR_FLAGS) | HDR_FLAG_COHERENT);
  }
  return id;
}

function addZone(bytes: f64, owner: u32): i32 {
  if (bytes < 1 || bytes > 4398046511104) return -EINVAL;
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const blocks = (<u64>bytes + 0x1fffff) >> 21;
  // The last block of device memory may be a part of one only.
  const first = header(HDR_DEVICE_NEXT);
  const wanted = blocks * PMD_PAGES;
  const exact = (<u64>bytes + 0xfff) >> 12;
  const pages: u32 = <u64>first + wanted <= end ? <u32>wanted : <u64>first + exact <= end ? end - first : 0;
  const again = reuseZone(<u32>wanted);
  if (again) {
    const zone = zoneOf(again);
    zoneInit(again, zone.pfnFirst, zone.pfnEnd, owner);
    return again;
  }
  if (!pages) {
    exhausted(RESOURCE_DEVICE_MEMORY);
    return -ENOMEM;
  }
  const id = unusedZone();
  if (!id) {
    exhausted(RESOURCE_DEVMEM);
    return -ENOMEM;
  }
  zoneInit(id, first, first + pages, owner);
  setHeader(HDR_DEVICE_NEXT, first + pages);
  return id;
}

/** Is this a devmem's id? */
export function isDevmem(id: u32): bool {
  return id > 0 && id < <u32>SWAP_ZONE && zoneOf(id).flags != 0;
}

/** No more pages from this devmem; when none is in use it is gone (0), else the number in use. */
export function devmemRemove(id: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  const zone = zoneOf(id);
  zone.flags |= ZONE_REMOVING;
  const inUse = zone.pfnEnd - zone.pfnFirst - zone.freePages - zone.freedCount;
  if (inUse) return inUse;
  while (takeFreed(id, header(HDR_XBUF), XBUF_SIZE / 4)) continue;
  zone.flags = 0;
  return 0;
}

/** May pages be allocated from it? */
function isOpenZone(id: u32): bool {
  return (zoneOf(id).flags & (ZONE_IN_USE | ZONE_REMOVING)) == ZONE_IN_USE;
}

/** A locked frame with one reference; 0 when the zone has none. */
function allocLocked(zone: u32): u32 {
  const pfn = allocFrame(zone);
  if (!pfn) return 0;
  folioOf(pfn).set(FOLIO_LOCKED);
  addExternalRefs(1);
  return pfn;
}

export function devmemAllocPage(id: u32): i32 {
  if (!isDevmem(id) || !isOpenZone(id)) return 0;
  return allocLocked(id);
}

/**
 * A frame with one reference and `flags` for every word of src that has all of `wanted` and whose word of dst is 0: it
 * becomes `tag | pfn`. Stops where memory ends. Frames allocated.
 */
function allocFrames(zone: u32, src: usize, dst: usize, n: u32, wanted: u32, flags: u32, tag: u32): u32 {
  let filled: u32 = 0;
  const last = src + n * 4;
  while (src < last) {
    const block = blockWithFree(zone);
    if (!block) break;
    let word = block + BLOCK_BITMAP;
    while (!load<u64>(word)) word += 8;
    let bits = load<u64>(word);
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
    store<u64>(word, bits);
    tookFrames(zone, block, taken);
    filled += taken;
  }
  return filled;
}

/**
 * As allocFrames(), for the units among the words of src: a large folio each, or, where no block is free, 512 frames. Frames
 * allocated.
 */
function allocUnits(zone: u32, src: usize, dst: usize, n: u32, wanted: u32): u32 {
  let filled: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const word = load<u32>(src + i * 4);
    if (!isUnit(word) || (word & wanted) != wanted || load<u32>(dst + i * 4) || n - i < LARGE_PAGES) continue;
    const head = allocLarge(zone);
    for (let j: u32 = 0; j < LARGE_PAGES; j++) {
      const pfn = head ? head + j : allocFrame(zone);
      if (!pfn) break;
      folioOf(pfn).set(FOLIO_LOCKED);
      if (!head) store<u32>(dst + (i + j) * 4, (<u32>MIGRATE_PFN_VALID) | pfn);
      filled++;
    }
    if (head) store<u32>(dst + i * 4, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_COMPOUND | head);
  }
  return filled;
}

/** Is one of n words a unit's? The last few are not looked at: a unit has 512. */
function haveUnit(words: usize, n: u32): bool {
  let all = i32x4.splat(0);
  for (const last = words + n * 4; words + 16 <= last; words += 16) all = v128.or(all, v128.load(words));
  return v128.any_true(v128.and(all, i32x4.splat(MIGRATE_PFN_COMPOUND)));
}

function allocFor(zone: u32, src: usize, dst: usize, n: u32, wanted: u32): i32 {
  const large = haveUnit(src, n) ? allocUnits(zone, src, dst, n, wanted) : 0;
  const filled = large + allocFrames(zone, src, dst, n, wanted, FOLIO_LOCKED, <u32>MIGRATE_PFN_VALID);
  addExternalRefs(filled);
  return filled;
}

export function devmemAllocPages(id: u32, src: usize, dst: usize, n: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  return isOpenZone(id) ? allocFor(id, src, dst, n, MIGRATE_PFN_MIGRATE) : 0;
}

export function systemAllocPage(): i32 {
  return allocLocked(0);
}

export function systemAllocPages(src: usize, dst: usize, n: u32): i32 {
  return allocFor(0, src, dst, n, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE);
}

/** Hands up to max freed pfns over, oldest first, into the exchange buffer; they can be allocated again. */
export function devmemTakeFreed(id: u32, max: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  return takeFreed(id, header(HDR_XBUF), min<u32>(max, XBUF_SIZE / 4));
}

export function pageZone(pfn: u32): i32 {
  if (pfn == header(HDR_ZERO_PFN)) return 0;
  return validPfn(pfn) ? zoneOfPfn(pfn) : -EINVAL;
}

/** A page in use that a caller may refer to. */
function usable(pfn: u32): bool {
  return validPfn(pfn) && !folioOf(pfn).has(FOLIO_FREE);
}

export function pageGet(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  getPage(pfn);
  addExternalRefs(1);
  return 0;
}

/** Drops a reference that the caller owns. -EINVAL for a page whose references all belong to its mappings. */
export function pagePut(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  const folio = folioOf(pfn);
  if (folio.refcount <= folio.mapcount) return -EINVAL;
  if (folio.refcount == 1) folio.clear(FOLIO_LOCKED);
  putPage(pfn);
  addExternalRefs(-1);
  return 0;
}

export function pageTryLock(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_LOCKED)) return 0;
  folio.set(FOLIO_LOCKED);
  return 1;
}

export function pageUnlock(pfn: u32): i32 {
  if (!usable(pfn) || !folioOf(pfn).has(FOLIO_LOCKED)) return -EINVAL;
  folioOf(pfn).clear(FOLIO_LOCKED);
  return 0;
}

/** folio_isolate_lru: takes a page off the LRU, and a reference. 0: it is not on it. */
export function pageIsolate(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  if (!folioOf(pfn).has(FOLIO_LRU)) return 0;
  folioOf(pfn).clear(FOLIO_LRU);
  pageGet(pfn);
  return 1;
}

/** folio_putback_lru, of a page that pageIsolate() took. */
export function pagePutback(pfn: u32): i32 {
  if (!usable(pfn) || isDevicePfn(pfn) || folioOf(pfn).has(FOLIO_LRU | FOLIO_RESERVED)) return -EINVAL;
  const refused = pagePut(pfn);
  if (!refused && !folioOf(pfn).has(FOLIO_FREE)) folioOf(pfn).set(FOLIO_LRU);
  return refused;
}

export function pageData(pfn: u32): u32 {
  return usable(pfn) && frameOf(0) ? <u32>frameOf(pfn) : 0;
}

/** Does a word name no page, or one in use? `end` is the pfn after the last. */
@inline
function isUsable(word: u32, end: u32): bool {
  const pfn = word & PFN_MASK;
  return !(word >> 31) || (pfn - RESERVED_FRAMES < end - RESERVED_FRAMES && folioOf(pfn).refcount != 0);
}

/**
 * Copies each candidate's page to its destination; zeroes the destinations of holes. Pages done; -EINVAL, before any,
 * for a pfn that is none or a page that is free.
 */
export function copyPages(src: usize, dst: usize, n: u32): i32 {
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  let copied: u32 = 0;
  let zeroed: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const from = load<u32>(src + i * 4);
    const to = load<u32>(dst + i * 4);
    if (!isUsable(from, end) || !isUsable(to, end)) return -EINVAL;
    if (isUnit(from) && n - i >= LARGE_PAGES) {
      const pages = checkUnit(from, to, dst + i * 4, end);
      if (pages < 0) return pages;
      copied += from >> 31 ? pages : 0;
      zeroed += from >> 31 ? 0 : pages;
      continue;
    }
    const wanted = (from & MIGRATE_PFN_MIGRATE ? 1 : 0) & (to >> 31);
    copied += wanted & (from >> 31);
    zeroed += wanted & ~(from >> 31);
  }
  if (header(HDR_FRAMES)) copyData(src, dst, n);
  count(COUNT_PAGES_COPIED, copied);
  count(COUNT_PAGES_ZEROED, zeroed);
  return copied + zeroed;
}

/** The destination of page j of a unit: of its large folio, or of its own slot. */
@inline
function partOf(to: u32, dst: usize, j: u32): u32 {
  return isUnit(to) ? to + j : load<u32>(dst + j * 4);
}

/** How many pages of a unit have a destination; -EINVAL for one that is none. */
function checkUnit(from: u32, to: u32, dst: usize, end: u32): i32 {
  if (!(from & MIGRATE_PFN_MIGRATE)) return 0;
  if (from >> 31 && (from & PFN_MASK) + LARGE_PAGES > end) return -EINVAL;
  let pages = 0;
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    if (!isUsable(partOf(to, dst, j), end)) return -EINVAL;
    pages += partOf(to, dst, j) >> 31;
  }
  return pages;
}

function copyUnit(from: u32, to: u32, dst: usize): void {
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const word = partOf(to, dst, j);
    if (!(word >> 31) || !(from & MIGRATE_PFN_MIGRATE)) continue;
    if (from >> 31) copyFrame(word & PFN_MASK, (from & PFN_MASK) + j);
    else zeroFrame(word & PFN_MASK);
  }
}

function copyData(src: usize, dst: usize, n: u32): void {
  for (const last = src + n * 4; src < last; src += 4, dst += 4) {
    const from = load<u32>(src);
    const to = load<u32>(dst);
    if (isUnit(from) && last - src >= LARGE_PAGES * 4) {
      copyUnit(from, to, dst);
      continue;
    }
    if (!(from & MIGRATE_PFN_MIGRATE) || !(to & (<u32>MIGRATE_PFN_VALID))) continue;
    if (from & (<u32>MIGRATE_PFN_VALID)) copyFrame(to & PFN_MASK, from & PFN_MASK);
    else zeroFrame(to & PFN_MASK);
  }
}
