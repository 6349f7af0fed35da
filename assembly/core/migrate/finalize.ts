// migrate_vma_finalize: the entries name pages again, and locks and references are dropped.

import { EBUSY, EINVAL } from "../../uapi/errno";
import { TABLE_ENTRIES } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../uapi/pfn";
import { PTE_KIND_MIGRATION } from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_FLAGS,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FLAGS, HDR_FLAG_COHERENT, HDR_FOLIOS } from "../../abi/header";
import { MIGRATION_PAGES, MIGRATION_SETUP } from "../../abi/object";
import { header, LARGE_PAGES } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags } from "../base/pte";
import { isCoherentPfn, isPrivatePfn } from "../frame/coherent";
import { Folio, folioOf, isDevicePfn, unmark } from "../frame/folio";
import { addExternalRefs, clearFolio, putPage } from "../frame/page-alloc";
import { freeLarge, freePages } from "../frame/page-free";
import { largeCounts, largeUniform, markLarge } from "../frame/large";
import {
  endedEntry,
  hasPage,
  isUnit,
  keptExclusive,
  letGo,
  Migration,
  migrationFree,
  migrationOf,
  pagesOf,
  pfnOf,
  removeMigrationEntries,
  waitsFor,
} from "../space/migration";
import { mmAt } from "../space/mm";
import { isRun, writeRun } from "../table/huge";
import { walk } from "../table/pagetable";
import { takeDestinations } from "./destinations";
import { endUnit } from "./huge";

/** The index after the last page, from i on, whose entry is in the same leaf table. */
@inline
function leafRun(m: Migration, i: u32): u32 {
  const page = <u32>(m.start >> 12) + i;
  return min(m.npages, i + TABLE_ENTRIES - (page & (TABLE_ENTRIES - 1)));
}

/**
 * The fast form of endPage(), for the pages from i on, whose entries are at `slot`, that have moved, that one
 * entry waits for, and whose source has no other user. The driver's reference to the destination becomes the
 * entry's. The source folio is cleared; migrateFinalize() frees its frame. Returns the index of the first
 * page that is not so.
 */
@inline
function endRun(m: Migration, i: u32, last: u32, slot: usize): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const candidate = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const coherent = (header(HDR_FLAGS) & HDR_FLAG_COHERENT) != 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (; i < last; i++, src += 4, dst += 4, slot += 8) {
    const word = load<u32>(src);
    if ((word & (candidate | MIGRATE_PFN_COMPOUND)) != candidate) break;
    const pfn = word & PFN_MASK;
    const pte = load<u64>(slot);
    const from = folios + pfn * FOLIO_SIZE;
    if ((pte & 0xffffffff80000f00) != (((<u64>pfn) << 32) | PTE_KIND_MIGRATION)) break;
    if (load<u32>(from) != 1 || load<u16>(from, FOLIO_FLAGS) & FOLIO_MIGRATION_SHARED) break;
    const toPfn = load<u32>(dst) & PFN_MASK;
    const to = changetype<Folio>(folios + toPfn * FOLIO_SIZE);
    const kept = pteFlags(pte);
    let flags = (<u32>to.flags) & ~FOLIO_LOCKED;
    if (keptExclusive(kept) && flags & FOLIO_ANON) flags |= FOLIO_ANON_EXCLUSIVE;
    if (toPfn < base) flags |= FOLIO_LRU;
    to.flags = <u16>flags;
    to.maps++;
    const isPrivate = toPfn >= base && !(coherent && isCoherentPfn(toPfn));
    store<u64>(slot, endedEntry(kept, toPfn, isPrivate, (flags & FOLIO_DIRTY) != 0));
    clearFolio(changetype<Folio>(from));
  }
  return i;
}

/**
 * endRun() for a unit that begins at page i, if it has moved, its entries and its destination's parts are all
 * alike, and nobody else has a part of its source, which is freed. Returns the number of its pages, or 0.
 */
@inline
function endWhole(m: Migration, i: u32, slot: usize): u32 {
  const moved = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const word = m.source(i);
  const target = m.target(i);
  if ((word & (moved | MIGRATE_PFN_COMPOUND)) != (moved | MIGRATE_PFN_COMPOUND) || !isUnit(target)) return 0;
  const head = pfnOf(word);
  const to = pfnOf(target);
  const first = load<u64>(slot);
  if (!waitsFor(first, head) || !isRun(slot) || !largeUniform(to)) return 0;
  if (!largeCounts(head, 1, 0, FOLIO_MIGRATION_SHARED)) return 0;
  const kept = pteFlags(first);
  const folio = folioOf(to);
  const exclusive: u32 = keptExclusive(kept) && folio.has(FOLIO_ANON) ? FOLIO_ANON_EXCLUSIVE : 0;
  writeRun(slot, endedEntry(kept, to, isPrivatePfn(to), folio.has(FOLIO_DIRTY)));
  markLarge(to, FOLIO_LOCKED, isDevicePfn(to) ? exclusive : FOLIO_LRU | exclusive, 1);
  freeLarge(head);
  m.setSource(i, 0);
  return LARGE_PAGES;
}

/**
 * migrate_vma_finalize: migration entries name pages again, the destination's or the source's; locks and
 * references are dropped, and the migration ends. Without a migratePages() before, nothing has moved, and
 * everything is as before the setup. Returns 0, or -EINVAL for an id that is no open migration's or for
 * destinations that are not sound.
 */
export function migrateFinalize(id: u32): i32 {
  const m = migrationOf(id);
  if (!exists(m)) return -EINVAL;
  if (m.state != MIGRATION_PAGES && m.state != MIGRATION_SETUP) return -EBUSY;
  const ran = m.state == MIGRATION_PAGES;
  if (!ran && !takeDestinations(m)) return -EINVAL;
  const pgd: usize = m.mm ? <usize>mmAt(m.mm).pgd : 0;
  let given: u32 = 0;
  for (let i: u32 = 0; i < m.npages;) {
    const slot = pgd ? walk(pgd, m.start + ((<u64>i) << 12)) : 0;
    const first = i;
    const last = leafRun(m, i);
    for (; i < last; i++) {
      if (ran && slot) {
        const from = i;
        i += endWhole(m, i, slot + ((<usize>(i - first)) << 3));
        i = endRun(m, i, last, slot + ((<usize>(i - first)) << 3));
        given += i - from;
      }
      if (i == last) break;
      given += endPage(m, i, slot ? slot + ((<usize>(i - first)) << 3) : 0, ran);
    }
  }
  // The drivers' references to destinations are gone, and the frames of the pages that moved are free.
  addExternalRefs(-given);
  freePages(m.src, m.npages);
  migrationFree(m);
  return 0;
}

/**
 * Ends page i, whose entry was at `slot` (0 unknown); `ran`: migratePages() ran. Clears its word of src, so
 * that its frame is not freed twice. Returns how many destinations the driver gave for it.
 */
function endPage(m: Migration, i: u32, slot: usize, ran: bool): u32 {
  const word = m.source(i);
  const target = m.target(i);
  m.setSource(i, 0);
  const to = hasPage(target) ? pfnOf(target) : 0;
  if (hasPage(word)) {
    const moved = ran && (word & MIGRATE_PFN_MIGRATE) != 0;
    const lost = ran && !moved && (target & MIGRATE_PFN_ERROR) != 0;
    const pfn = pfnOf(word);
    const end = lost ? 0 : moved ? to : pfn;
    if (isUnit(word)) {
      endUnit(m, i, slot, pfn, end);
    } else {
      removeMigrationEntries(m, slot, pfn, end);
      letGo(m, i, pfn);
    }
  }
  const given: u32 = to ? pagesOf(target) : 0;
  for (let j: u32 = 0; j < given; j++) releaseDestination(to + j);
  return given;
}

/** Unlocks a destination and drops the driver's reference, which frees a destination that nothing maps. */
function releaseDestination(pfn: u32): void {
  const folio = folioOf(pfn);
  unmark(folio);
  const lru: u32 = !isDevicePfn(pfn) && (folio.mapcount || folio.has(FOLIO_LARGE)) ? FOLIO_LRU : 0;
  folio.flags = <u16>((folio.flags & ~FOLIO_LOCKED) | lru);
  putPage(pfn);
}
