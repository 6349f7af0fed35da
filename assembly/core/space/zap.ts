// Clearing entries and dropping what they stood for: the common part of munmap, MADV_DONTNEED, truncate and
// exit.

import { PMD_SIZE } from "../../uapi/page";
import {
  PTE_DIRTY,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
} from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_DIRTY,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_RESERVED,
  FOLIO_SHMEM,
  FOLIO_SIZE,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_FOLIOS } from "../../abi/header";
import { header, LARGE_PAGES } from "../base/layout";
import { DEBUG } from "../base/panic";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { dontneedFreesTables, exclusiveStaysMapped } from "../base/rules";
import { Folio, FOLIO_COUNTS, FOLIO_MARKS, FOLIO_SOLE, folioOf, isDevicePfn } from "../frame/folio";
import { memcgUncharge } from "../frame/memcg";
import { clearFolio, putPage } from "../frame/page-alloc";
import { freeGroup } from "../frame/page-free";
import { hugeZeroPut, isHugeZero } from "../table/huge";
import { dropLeaf, freeTables, isHuge, leafTable, slotOf, slotsEnd, spanEnd } from "../table/pagetable";
import { Mm } from "./mm";
import { dropUnmapped, swapPut } from "./swap";

/** Adds `by` to the number of pages of an mm, by the page's kind. hugetlb pages do not count. */
@inline
export function addRss(mm: Mm, folio: Folio, by: i32): void {
  if (folio.has(FOLIO_RESERVED)) return;
  if (folio.has(FOLIO_ANON)) mm.rssAnon += by;
  else if (folio.has(FOLIO_SHMEM)) mm.rssShmem += by;
  else mm.rssFile += by;
}

/** Drops a mapping of a page with its reference, which may free the page. */
@inline
export function unmapPage(pfn: u32, folio: Folio): void {
  folio.maps--;
  dropUnmapped(pfn, folio);
  putPage(pfn);
}

/** Drops a mapping of each part of a large folio. */
export function unmapLarge(head: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) unmapPage(pfn, folioOf(pfn));
}

/** Drops what an entry stood for that the caller has cleared. */
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
  } else if (kind == PTE_KIND_DEVICE || (kind == PTE_KIND_DEVICE_EXCLUSIVE && exclusiveStaysMapped())) {
    const folio = folioOf(pfn);
    addRss(mm, folio, -1);
    unmapPage(pfn, folio);
  } else if (kind == PTE_KIND_SWAP) {
    mm.rssSwap--;
    swapPut(pfn);
  } else if (kind == PTE_KIND_DEVICE_EXCLUSIVE) {
    // The entry had a reference, but no mapping.
    const folio = folioOf(pfn);
    addRss(mm, folio, -1);
    dropUnmapped(pfn, folio);
    putPage(pfn);
  }
}

/**
 * Tells whether zapPte() would free the page of an entry and change nothing else: what zapSole() finds with
 * masks.
 */
function isOurs(mm: Mm, pte: u64): bool {
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL || isDevicePfn(pfn)) return false;
  if (!folio.has(FOLIO_ANON) || folio.has(FOLIO_LARGE | FOLIO_SWAP_CACHE | FOLIO_LOCKED | FOLIO_RESERVED))
    return false;
  return folio.refcount == 1 && folio.mapcount == 1 && folio.memcg == mm.memcg;
}

/**
 * Clears the entries from `at` on whose pages are this mm's alone: present, anonymous, in RAM, sole, and
 * charged to the mm's group. Their frames are freed by bitmap words. Returns the address of the first other
 * entry, which zapPte() handles.
 */
function zapSole(mm: Mm, at: usize, last: usize): usize {
  const folios = header(HDR_FOLIOS);
  const sole = FOLIO_SOLE | (mm.memcg << 24);
  const first = at;
  let group: u32 = 0; // pfn / 64
  let bits: u64 = 0;
  for (; at < last; at += 8) {
    const pte = load<u64>(at);
    if ((pteFlags(pte) & ((<u32>PTE_PRESENT) | PTE_SPECIAL)) != <u32>PTE_PRESENT) break;
    const pfn = ptePfn(pte);
    const folio = changetype<Folio>(folios + pfn * FOLIO_SIZE);
    if ((folio.counts & (FOLIO_COUNTS | 0xff000000)) != sole) break;
    if ((folio.flags & ~FOLIO_MARKS) != (FOLIO_ANON | FOLIO_LRU)) break;
    if (DEBUG) assert(isOurs(mm, pte), "zapSole: zapPte() would do something else");
    store<u64>(at, 0);
    clearFolio(folio);
    if (pfn >> 6 != group) {
      if (bits) freeGroup(group, bits);
      group = pfn >> 6;
      bits = 0;
    }
    bits |= (<u64>1) << (pfn & 63);
  }
  if (bits) freeGroup(group, bits);
  const zapped = (<u32>(at - first)) >> 3;
  mm.rssAnon -= zapped;
  memcgUncharge(mm.memcg, zapped);
  return at;
}

/**
 * Clears all entries of [start, end) and drops what they stood for. No huge mapping crosses an end of the
 * range. `reclaim`: the leaf tables that the range covers wholly are freed, too, where the kernel does so.
 */
export function zapRange(mm: Mm, start: u64, end: u64, reclaim: bool = false): void {
  const frees = reclaim && dontneedFreesTables();
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const huge = isHuge(table);
    if (isHugeZero(table)) hugeZeroPut();
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      at = zapSole(mm, at, last);
      if (at == last) break;
      const pte = load<u64>(at);
      if (!pte) continue;
      store<u64>(at, 0);
      zapPte(mm, pte);
    }
    // Without a leaf table the next fault may map a huge page again.
    if (huge || (frees && next - addr == PMD_SIZE)) dropLeaf(mm.pgd, addr);
  }
}

/**
 * Frees the page tables that only [start, end) needed; `floor`, `ceiling`: the ends of the gap between its
 * neighbors.
 */
export function freeUnusedTables(mm: Mm, start: u64, end: u64, floor: u64, ceiling: u64): void {
  freeTables(mm.pgd, start, end, floor, ceiling);
}
