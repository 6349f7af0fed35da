// The destinations of a migration: drivers allocate them for the candidates of src, and pages() checks them before anything
// moves.
//
//   src                    dst, when a page was allocated
//   MIGRATE | pfn          VALID | pfn: a locked frame with one reference
//   MIGRATE (a hole)       the same
//   COMPOUND | …           VALID | COMPOUND | pfn: a large folio; or 512 such frames, where no block is free

import { EINVAL } from "../../uapi/errno";
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../../uapi/pfn";
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
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, HDR_FAULT_ADDR } from "../../abi/header";
import { header, LARGE_PAGES, mayAllocate, setHeaderF64 } from "../base/layout";
import { isDevmem, isOpenDevmem } from "../frame/devmem";
import { folioOf } from "../frame/folio";
import {
  addExternalRefs,
  allocFrame,
  allocLarge,
  blockWithFree,
  initFrame,
  tookFrames,
} from "../frame/page-alloc";
import { isUnit, Migration, pfnOf } from "../space/migration";

/** A locked frame with one reference; 0 when the zone has none. */
function allocLocked(zone: u32): u32 {
  const pfn = allocFrame(zone);
  if (!pfn) return 0;
  folioOf(pfn).set(FOLIO_LOCKED);
  addExternalRefs(1);
  return pfn;
}

export function devmemAllocPage(id: u32): i32 {
  if (!isDevmem(id) || !isOpenDevmem(id)) return 0;
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
  return isOpenDevmem(id) ? allocFor(id, src, dst, n, MIGRATE_PFN_MIGRATE) : 0;
}

export function systemAllocPage(): i32 {
  return allocLocked(0);
}

export function systemAllocPages(src: usize, dst: usize, n: u32): i32 {
  return allocFor(0, src, dst, n, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE);
}

/** May a driver give this large folio as a destination: all of its pages locked, and mapped nowhere? */
export function isSoundUnit(head: u32, frames: u32): bool {
  if (head > frames - LARGE_PAGES || !folioOf(head).has(FOLIO_HEAD) || folioOf(head).mapcount) return false;
  const used = <u32>(FOLIO_FREE | FOLIO_ANON | FOLIO_RESERVED);
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    if ((folioOf(pfn).flags & (used | FOLIO_LOCKED)) != FOLIO_LOCKED) return false;
  }
  return true;
}

/** May a driver give this page as a destination: locked, referenced, mapped nowhere, and not given already? */
@inline
function isSound(pfn: u32, frames: u32): bool {
  if (pfn >= frames) return false;
  const folio = folioOf(pfn);
  const used = <u32>(FOLIO_FREE | FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_RESERVED | FOLIO_LARGE);
  return (folio.flags & (used | FOLIO_LOCKED)) == FOLIO_LOCKED && !folio.mapcount;
}

/**
 * Are all destinations sound, and does none come twice? Each one's folio notes its slot in the index, which nobody needs of a
 * page that is mapped nowhere: if it names an earlier slot that has the page, too, it has come before.
 */
export function destinationsAreSound(m: Migration): bool {
  const frames = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const dst: usize = m.dst;
  const npages = m.npages;
  for (let i: u32 = 0; i < npages; i++) {
    const word = load<u32>(dst + i * 4);
    if (!(word & (<u32>MIGRATE_PFN_VALID))) continue;
    const pfn = pfnOf(word);
    const folio = folioOf(pfn);
    if (isUnit(word) ? isSoundUnit(pfn, frames) && i + LARGE_PAGES <= npages : isSound(pfn, frames)) {
      const before = folio.index;
      folio.index = i;
      if (
        before >= i ||
        (load<u32>(dst + before * 4) & (<u32>(MIGRATE_PFN_VALID | PFN_MASK))) !=
          ((<u32>MIGRATE_PFN_VALID) | pfn)
      )
        continue;
    }
    setHeaderF64(HDR_FAULT_ADDR, i);
    return false;
  }
  return true;
}
