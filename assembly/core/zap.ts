// Taking entries away: what unmapping, DONTNEED and exit have in common.

import {
  PTE_DIRTY, PTE_KIND_DEVICE, PTE_KIND_DEVICE_EXCLUSIVE, PTE_KIND_MIGRATION, PTE_KIND_SWAP, PTE_SPECIAL,
} from "../uapi/pte";
import { FOLIO_ANON, FOLIO_DIRTY, FOLIO_SHMEM } from "../uapi/struct";
import { Folio, folioOf } from "./folio";
import { hugeZeroPut, isHugeZero } from "./huge";
import { Mm } from "./mm";
import { putPage } from "./page-alloc";
import { dropLeaf, freeTables, holeEnd, isHuge, leafEnd, leafTable, slotOf } from "./pagetable";
import { pteFlags, pteKind, ptePfn, ptePresent } from "./pte";
import { dropUnmapped, swapPut } from "./swap";

/** Counts a page of an mm in or out, by kind. */
@inline
export function addRss(mm: Mm, folio: Folio, by: i32): void {
  if (folio.has(FOLIO_ANON)) mm.rssAnon += by;
  else if (folio.has(FOLIO_SHMEM)) mm.rssShmem += by;
  else mm.rssFile += by;
}

/** One entry less names the page, and its reference goes. The page may be free afterwards. */
@inline
export function unmapPage(pfn: u32, folio: Folio): void {
  folio.maps--;
  dropUnmapped(pfn, folio);
  putPage(pfn);
}

/** Undoes what an entry that was just cleared stood for. */
export function zapPte(mm: Mm, pte: u64): void {
  const pfn = ptePfn(pte);
  if (ptePresent(pte)) {
    if (pteFlags(pte) & PTE_SPECIAL) return;
    const folio = folioOf(pfn);
    if (pteFlags(pte) & PTE_DIRTY && !folio.has(FOLIO_ANON)) folio.set(FOLIO_DIRTY);
    addRss(mm, folio, -1);
    unmapPage(pfn, folio);
    return;
  }
  const kind = pteKind(pte);
  if (kind == PTE_KIND_MIGRATION) {
    // The migration holds the page; this entry held neither mapping nor reference.
    addRss(mm, folioOf(pfn), -1);
  } else if (kind == PTE_KIND_DEVICE) {
    const folio = folioOf(pfn);
    addRss(mm, folio, -1);
    unmapPage(pfn, folio);
  } else if (kind == PTE_KIND_SWAP) {
    mm.rssSwap--;
    swapPut(pfn);
  } else if (kind == PTE_KIND_DEVICE_EXCLUSIVE) {
    // The entry kept its reference, but no mapping.
    const folio = folioOf(pfn);
    addRss(mm, folio, -1);
    dropUnmapped(pfn, folio);
    putPage(pfn);
  }
}

/** Clears every entry of [start, end). Huge mappings lie inside it, or outside. */
export function zapRange(mm: Mm, start: u64, end: u64): void {
  let addr = start;
  while (addr < end) {
    const table = leafTable(mm.pgd, addr);
    if (!table) {
      addr = holeEnd(mm.pgd, addr);
      continue;
    }
    const until = leafEnd(addr, end);
    const huge = isHuge(table);
    if (isHugeZero(table)) hugeZeroPut();
    const last = slotOf(table, addr) + (<usize>(until - addr) >> 9);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      const pte = load<u64>(at);
      if (!pte) continue;
      store<u64>(at, 0);
      zapPte(mm, pte);
    }
    // Where a huge mapping was there is no table, and may be a huge page again.
    if (huge) dropLeaf(mm.pgd, addr);
    addr = until;
  }
}

/** Frees the tables that only [start, end) needed, given the neighbours that remain: floor and ceiling of the gap. */
export function freeUnusedTables(mm: Mm, start: u64, end: u64, floor: u64, ceiling: u64): void {
  freeTables(mm.pgd, start, end, floor, ceiling);
}
