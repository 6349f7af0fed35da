// migrate_vma_finalize: the entries name pages again, and locks and references are dropped.

import { EINVAL } from "../../uapi/errno";
import { TABLE_ENTRIES } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_KIND_DEVICE,
  PTE_KIND_MIGRATION,
  PTE_NO_ACCESS,
  PTE_PRESENT,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_FLAGS,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MAPS,
  FOLIO_MIGRATION_SHARED,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FLAGS, HDR_FLAG_COHERENT, HDR_FOLIOS } from "../../abi/header";
import { MIGRATION_PAGES } from "../../abi/object";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { makePte, pteFlags } from "../base/pte";
import { isCoherentPfn } from "../frame/coherent";
import { Folio, folioOf, isDevicePfn } from "../frame/folio";
import { addExternalRefs, clearFolio, freePages, putPage } from "../frame/page-alloc";
import {
  isUnit,
  letGo,
  Migration,
  migrationFree,
  migrationOf,
  pagesOf,
  pfnOf,
  removeMigrationEntries,
} from "../space/migration";
import { mmAt } from "../space/mm";
import { walk } from "../table/pagetable";
import { destinationsAreSound } from "./destinations";
import { endUnit } from "./huge";

/** Slots whose entries are neighbours: from i on, as far as one leaf table goes. */
@inline
function leafRun(m: Migration, i: u32): u32 {
  const page = <u32>(m.start >> 12) + i;
  return min(m.npages, i + TABLE_ENTRIES - (page & (TABLE_ENTRIES - 1)));
}

/**
 * The usual end of slots from i on, whose entries are at `slot`: the page has moved, one entry waits for it, and its
 * source has no other user. The driver's reference to the destination becomes the entry's, the source is free but for
 * its frame. Returns the first slot that is not so.
 */
@inline
function endRun(m: Migration, i: u32, last: u32, slot: usize): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const both = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const coherent = (header(HDR_FLAGS) & HDR_FLAG_COHERENT) != 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (; i < last; i++, src += 4, dst += 4, slot += 8) {
    const word = load<u32>(src);
    if ((word & (both | MIGRATE_PFN_COMPOUND)) != both) break;
    const pfn = word & PFN_MASK;
    const pte = load<u64>(slot);
    const from = folios + pfn * FOLIO_SIZE;
    if ((pte & 0xffffffff80000f00) != (((<u64>pfn) << 32) | PTE_KIND_MIGRATION)) break;
    if (load<u32>(from) != 1 || load<u16>(from, FOLIO_FLAGS) & FOLIO_MIGRATION_SHARED) break;
    const toPfn = load<u32>(dst) & PFN_MASK;
    const to = folios + toPfn * FOLIO_SIZE;
    const kept = pteFlags(pte);
    let flags = (<u32>load<u16>(to, FOLIO_FLAGS)) & ~FOLIO_LOCKED;
    if (kept & (PTE_WRITE | PTE_EXCLUSIVE) && flags & FOLIO_ANON) flags |= FOLIO_ANON_EXCLUSIVE;
    let entry = kept & (PTE_WRITE | PTE_NO_ACCESS);
    if (toPfn < base) flags |= FOLIO_LRU;
    store<u16>(to, flags, FOLIO_FLAGS);
    if (toPfn < base || (coherent && isCoherentPfn(toPfn))) {
      entry |= (<u32>PTE_PRESENT) | (kept & (flags & FOLIO_DIRTY ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG));
    } else entry |= PTE_KIND_DEVICE;
    store<u32>(to, load<u32>(to, FOLIO_MAPS) + 1, FOLIO_MAPS);
    store<u64>(slot, makePte(toPfn, entry));
    clearFolio(changetype<Folio>(from));
  }
  return i;
}

/** migrate_vma_finalize: entries name pages again, the destination's or the source's, and everything is let go. */
export function migrateFinalize(id: u32): i32 {
  const m = migrationOf(id);
  if (!exists(m)) return -EINVAL;
  // Without pages() nothing moved, whatever the destinations say.
  const ran = m.state == MIGRATION_PAGES;
  if (!ran && !destinationsAreSound(m)) return -EINVAL;
  const pgd: usize = m.mm ? <usize>mmAt(m.mm).pgd : 0;
  let given: u32 = 0;
  for (let i: u32 = 0; i < m.npages;) {
    const slot = pgd ? walk(pgd, m.start + ((<u64>i) << 12)) : 0;
    const first = i;
    const last = leafRun(m, i);
    for (; i < last; i++) {
      if (ran && slot) {
        const from = i;
        i = endRun(m, i, last, slot + ((<usize>(i - first)) << 3));
        given += i - from;
      }
      if (i == last) break;
      given += endSlot(m, i, slot ? slot + ((<usize>(i - first)) << 3) : 0, ran);
    }
  }
  // The drivers' references to destinations are no more, and the frames of the pages that have moved are free.
  addExternalRefs(-given);
  freePages(m.src, m.npages);
  migrationFree(m);
  return 0;
}

/** The end of any slot. Its frame is not among those that are freed afterwards. The pages that the driver gave for it. */
function endSlot(m: Migration, i: u32, slot: usize, ran: bool): u32 {
  const word = m.source(i);
  const target = m.target(i);
  m.setSource(i, 0);
  const to = target & (<u32>MIGRATE_PFN_VALID) ? pfnOf(target) : 0;
  if (word & (<u32>MIGRATE_PFN_VALID)) {
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

/** Unlocks a destination and drops the driver's reference: if nothing maps it, it is free. */
function releaseDestination(pfn: u32): void {
  const folio = folioOf(pfn);
  const lru: u32 = !isDevicePfn(pfn) && folio.mapcount ? FOLIO_LRU : 0;
  folio.flags = <u16>((folio.flags & ~FOLIO_LOCKED) | lru);
  putPage(pfn);
}
