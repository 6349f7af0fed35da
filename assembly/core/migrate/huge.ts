// Huge pages that migrate as one (MIGRATE_VMA_SELECT_COMPOUND). A unit is an aligned 2 MiB of the range: the
// first of its 512 words in src has MIGRATE_PFN_COMPOUND, the others are 0. Without a large destination the
// unit falls apart into 512 pages.
//
//   src[i]               dst[i]           what pages() does
//   COMPOUND | pfn       COMPOUND | pfn   moves the large folio; its mapping stays huge
//   COMPOUND | pfn       512 pages        splits the source, and moves each page
//   COMPOUND (a hole)    COMPOUND | pfn   maps a huge page where nothing or the huge zero page was
//   COMPOUND (a hole)    512 pages        fills 512 holes

import { COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
  FOLIO_SIZE,
} from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
} from "../../uapi/pfn";
import { PTE_DIRTY, PTE_WRITE } from "../../uapi/pte";
import {
  REASON_NOT_ISOLATED,
  REASON_PINNED,
  REASON_REFERENCED,
  REASON_STILL_MAPPED,
} from "../../uapi/reason";
import { LARGE_PAGES } from "../base/layout";
import { pteFlags, ptePfn, ptePresent } from "../base/pte";
import { count } from "../base/stat";
import { Folio, folioOf, isDevicePfn, moveFolio } from "../frame/folio";
import { largeAll, largeCounts, largeMaps, markLarge, spreadDirty } from "../frame/large";
import { dissolveLarge, getLarge, putPage } from "../frame/page-alloc";
import { noteUse, usesAreKept } from "../frame/recency";
import { Cmd } from "../operation/cmd";
import { firstPart, nextPart } from "../operation/tell";
import {
  expectedRefs,
  hasPage,
  letGo,
  mapsPage,
  Migration,
  ownRefs,
  pfnOf,
  removeMigrationEntries,
  takenEntry,
  takeEntry,
} from "../space/migration";
import { partEnd, partStart, rmapFirstLarge, rmapNextLarge, rmapVma } from "../space/rmap";
import { vmaAt } from "../space/vma";
import { HUGE_MASK, isRun, splitLeaf, writeRun } from "../table/huge";
import { isHuge, leafTable, walk } from "../table/pagetable";

/**
 * Could a huge mapping at addr be a unit: are units selected, is addr aligned, do the 2 MiB lie in the range?
 */
export function mayBeUnit(m: Migration, addr: u64): bool {
  return (m.select & MIGRATE_VMA_SELECT_COMPOUND) != 0 && (addr & HUGE_MASK) == 0 && addr + PMD_SIZE <= m.end;
}

/** Is a hole (or the huge zero page) at addr a unit? Only if the range is these 2 MiB. */
export function isHoleUnit(m: Migration, addr: u64): bool {
  return mayBeUnit(m, addr) && addr == m.start && m.end - m.start == PMD_SIZE;
}

/** Notes that all pages of the unit at index i stay, and why. */
export function stayUnit(m: Migration, i: u32, reason: u32): void {
  m.setSource(i, m.source(i) & ~MIGRATE_PFN_COMPOUND);
  for (let j: u32 = 0; j < LARGE_PAGES; j++) m.stay(i + j, reason);
}

/**
 * Locks the large folio of a huge mapping and takes its entries. Its word for src; 0: somebody has locked a
 * page of it.
 */
export function takeUnit(m: Migration, table: usize): u32 {
  const first = load<u64>(table);
  const head = ptePfn(first);
  if (!largeAll(head, FOLIO_LOCKED, 0, m.faultPage)) return 0;
  let part = changetype<usize>(folioOf(head));
  for (let at = table; at < table + LARGE_PAGES * 8; at += 8, part += FOLIO_SIZE) {
    changetype<Folio>(part).set(FOLIO_LOCKED);
    takeEntry(at, load<u64>(at), changetype<Folio>(part));
  }
  return unitWord(first);
}

/**
 * The fast form of takeUnit() and unmapUnit(), for a folio of which each part has one mapping and nobody else
 * refers to a part, and whose entries and flags are all alike. Its word for src, or 0.
 */
export function takeSoleUnit(table: usize): u32 {
  const first = load<u64>(table);
  const head = ptePfn(first);
  const flags = folioOf(head).flags;
  const lru: u32 = isDevicePfn(head) ? 0 : FOLIO_LRU;
  if ((flags & (FOLIO_LOCKED | FOLIO_ANON | lru)) != (FOLIO_ANON | lru)) return 0;
  if (!largeCounts(head, 1, 1, ~FOLIO_LARGE, flags & ~FOLIO_LARGE) || !isRun(table)) return 0;
  const dirty: u32 = ptePresent(first) && pteFlags(first) & PTE_DIRTY ? FOLIO_DIRTY : 0;
  writeRun(table, takenEntry(first, (flags & FOLIO_ANON_EXCLUSIVE) != 0));
  markLarge(head, FOLIO_ANON_EXCLUSIVE | lru, FOLIO_LOCKED | dirty, -1);
  return unitWord(first);
}

/** The word for src of a unit whose first entry is `first`. */
@inline
function unitWord(first: u64): u32 {
  const write: u32 = pteFlags(first) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
  return (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND | write | ptePfn(first);
}

/**
 * Isolates a unit's folio and replaces what other mappings have of it. A reason to stay, 0 if it can move, or
 * REQUEST.
 */
export function unmapUnit(cmd: Cmd, m: Migration, head: u32): i32 {
  if (!cmd.link && !isDevicePfn(head)) {
    if (!largeAll(head, FOLIO_LRU, FOLIO_LRU)) return REASON_NOT_ISOLATED;
    markLarge(head, FOLIO_LRU, 0);
  }
  if (!cmd.link && largeCounts(head, 1, 0)) return 0;
  const part = folioOf(head);
  let told = cmd.link || largeMaps(head) ? firstPart(cmd, head, MMU_NOTIFY_CLEAR, 0) : 0;
  for (; told; told = nextPart(cmd, head, MMU_NOTIFY_CLEAR, 0)) {
    if (told == REQUEST) return REQUEST;
    const vma = vmaAt(<u32>told);
    takeParts(vma.mm.pgd, partStart(vma, part.pgoff), partEnd(vma, part.pgoff, LARGE_PAGES), head);
  }
  if (largeMaps(head)) return REASON_STILL_MAPPED;
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    if (folioOf(pfn).refcount > expectedRefs(pfn, m.faultPage)) return REASON_PINNED;
  }
  return 0;
}

/** takeEntry() of the entries of [start, end) that map pages of the large folio. */
function takeParts(pgd: usize, start: u64, end: u64, head: u32): void {
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const slot = walk(pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    const pfn = ptePfn(pte);
    if (pfn - head >= LARGE_PAGES || !mapsPage(pte, pfn)) continue;
    takeEntry(slot, pte, folioOf(pfn));
    folioOf(pfn).set(FOLIO_MIGRATION_SHARED);
    putPage(pfn);
  }
}

/**
 * Ends the unit at index i: its migration entries name the folio at `to` (0: they are poisoned), and its
 * locks and the migration's references are dropped. `slot` is the first entry of its 2 MiB, 0 unknown.
 */
export function endUnit(m: Migration, i: u32, slot: usize, head: u32, to: u32): void {
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    removeMigrationEntries(m, slot ? slot + j * 8 : 0, head + j, to ? to + j : 0);
    letGo(m, i + j, head + j);
  }
}

/**
 * Takes the large folio of device pages that begins at `head`, wherever it is mapped. Its word for src; 0:
 * somebody has locked a page of it.
 */
export function takeDeviceUnit(head: u32): u32 {
  if (!largeAll(head, FOLIO_LOCKED, 0)) return 0;
  getLarge(head);
  markLarge(head, 0, FOLIO_LOCKED);
  return (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND | head;
}

/** Moves a unit's folio to the large folio at `to`. A reason to stay, or 0. */
export function moveUnit(m: Migration, head: u32, to: u32): u32 {
  const alone = largeCounts(head, 1, 0);
  for (let pfn = head; !alone && pfn < head + LARGE_PAGES; pfn++) {
    if (folioOf(pfn).refcount != ownRefs(pfn, m.faultPage)) return REASON_REFERENCED;
  }
  const target = changetype<usize>(folioOf(to));
  const source = changetype<usize>(folioOf(head));
  for (let at: usize = 0; at < LARGE_PAGES * FOLIO_SIZE; at += FOLIO_SIZE) {
    const from = changetype<Folio>(source + at);
    moveFolio(from, alone ? 1 : from.refcount, changetype<Folio>(target + at));
  }
  if (isDevicePfn(to) && usesAreKept()) for (let pfn = to; pfn < to + LARGE_PAGES; pfn++) noteUse(pfn);
  m.moved += LARGE_PAGES;
  count(
    isDevicePfn(to) ? (isDevicePfn(head) ? COUNT_DEVICE_TO_DEVICE : COUNT_TO_DEVICE) : COUNT_TO_SYSTEM,
    LARGE_PAGES,
  );
  return 0;
}

/**
 * The unit at index i falls apart: 512 words, and 512 pages where its folio was. A huge mapping that took its
 * place in a table meanwhile stays whole.
 */
export function splitUnit(m: Migration, i: u32): void {
  const word = m.source(i) & ~MIGRATE_PFN_COMPOUND;
  const page: u32 = hasPage(word) ? 1 : 0;
  for (let j: u32 = 0; j < LARGE_PAGES; j++) m.setSource(i + j, word + page * j);
  if (!page) return;
  const head = pfnOf(word);
  const part = folioOf(head);
  for (
    let link = rmapFirstLarge(part, 0, LARGE_PAGES);
    link;
    link = rmapNextLarge(link, part, 0, LARGE_PAGES)
  ) {
    const vma = rmapVma(link, part);
    const table = leafTable(vma.mm.pgd, partStart(vma, part.pgoff));
    if (table && isHuge(table) && ptePfn(load<u64>(table)) == head) splitLeaf(table);
  }
  spreadDirty(head);
  dissolveLarge(head);
}
