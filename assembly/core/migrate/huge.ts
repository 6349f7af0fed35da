// Migration of huge pages as one (MIGRATE_VMA_SELECT_COMPOUND). A unit is an aligned 2 MiB of the range: its first slot has
// MIGRATE_PFN_COMPOUND, the other 511 are 0. Where the driver has no large destination, the unit falls apart into 512 slots.
//
//   src                    dst             what happens
//   COMPOUND | pfn         COMPOUND | pfn  the large folio moves, its mapping stays huge
//   COMPOUND | pfn         512 pages       the source is split, each page moves by itself
//   COMPOUND (a hole)      COMPOUND | pfn  a huge page where nothing, or the huge zero page, was
//   COMPOUND (a hole)      512 pages       512 holes

import { COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_DIRTY,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
  FOLIO_REFERENCED,
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
import { PTE_WRITE } from "../../uapi/pte";
import {
  REASON_NOT_ISOLATED,
  REASON_PINNED,
  REASON_REFERENCED,
  REASON_STILL_MAPPED,
} from "../../uapi/reason";
import { LARGE_PAGES } from "../base/layout";
import { pteFlags, ptePfn } from "../base/pte";
import { count } from "../base/stat";
import { folioOf, isDevicePfn } from "../frame/folio";
import { dissolveLarge, putPage } from "../frame/page-alloc";
import { lruTouch } from "../frame/recency";
import { Cmd } from "../operation/cmd";
import { firstPart, nextPart } from "../operation/tell";
import { letGo, mapsPage, Migration, pfnOf, removeMigrationEntries, takeEntry } from "../space/migration";
import { partEnd, partStart, rmapFirstLarge, rmapNextLarge, rmapVma } from "../space/rmap";
import { vmaAt } from "../space/vma";
import { HUGE_MASK, largeMaps, splitLeaf } from "../table/huge";
import { isHuge, leafTable, walk } from "../table/pagetable";

/** Is the 2 MiB at addr, slot i, a unit if it is huge: selected, aligned and wholly in the range? */
export function mayBeUnit(m: Migration, addr: u64): bool {
  return (m.select & MIGRATE_VMA_SELECT_COMPOUND) != 0 && (addr & HUGE_MASK) == 0 && addr + PMD_SIZE <= m.end;
}

/** Does a hole (or the huge zero page) at addr become a unit? Only where it is all that was asked for. */
export function isHoleUnit(m: Migration, addr: u64): bool {
  return mayBeUnit(m, addr) && addr == m.start && m.end - m.start == PMD_SIZE;
}

/** The whole unit stays, for this reason. */
export function stayUnit(m: Migration, i: u32, reason: u32): void {
  m.setSource(i, m.source(i) & ~MIGRATE_PFN_COMPOUND);
  for (let j: u32 = 0; j < LARGE_PAGES; j++) m.stay(i + j, reason);
}

/** Locks the large folio of a huge mapping and puts migration entries in its place. Its slot's word; 0: it is locked. */
export function takeUnit(m: Migration, table: usize): u32 {
  const first = load<u64>(table);
  const head = ptePfn(first);
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    if (pfn != m.faultPage && folioOf(pfn).has(FOLIO_LOCKED)) return 0;
  }
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const at = table + j * 8;
    folioOf(head + j).set(FOLIO_LOCKED);
    takeEntry(at, load<u64>(at), head + j, folioOf(head + j));
  }
  const write: u32 = pteFlags(first) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
  return (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND | write | head;
}

/** Isolates a unit's folio and replaces what other vmas have of it. A reason, 0 if it can move, or REQUEST. */
export function unmapUnit(cmd: Cmd, m: Migration, head: u32): i32 {
  if (!cmd.link && !isDevicePfn(head)) {
    for (let pfn = head; pfn < head + LARGE_PAGES; pfn++)
      if (!folioOf(pfn).has(FOLIO_LRU)) return REASON_NOT_ISOLATED;
    for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) folioOf(pfn).clear(FOLIO_LRU);
  }
  const part = folioOf(head);
  let told = cmd.link || largeMaps(head) ? firstPart(cmd, part, MMU_NOTIFY_CLEAR, 0) : 0;
  for (; told; told = nextPart(cmd, head, part, MMU_NOTIFY_CLEAR, 0)) {
    if (told == REQUEST) return REQUEST;
    const vma = vmaAt(<u32>told);
    takeParts(vma.mm.pgd, partStart(vma, part.pgoff), partEnd(vma, part.pgoff), head);
  }
  if (largeMaps(head)) return REASON_STILL_MAPPED;
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    const explained: u32 = 1 + (isDevicePfn(pfn) ? 1 : 0) + (pfn == m.faultPage ? 1 : 0);
    if (folioOf(pfn).refcount > explained) return REASON_PINNED;
  }
  return 0;
}

/** Migration entries for what [start, end) maps of a large folio. */
function takeParts(pgd: usize, start: u64, end: u64, head: u32): void {
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const slot = walk(pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    const pfn = ptePfn(pte);
    if (pfn - head >= LARGE_PAGES || !mapsPage(pte, pfn)) continue;
    takeEntry(slot, pte, pfn, folioOf(pfn));
    folioOf(pfn).set(FOLIO_MIGRATION_SHARED);
    putPage(pfn);
  }
}

/** The end of slot i's unit: its entries name `to` (0: poison), its locks and the migration's references go. */
export function endUnit(m: Migration, i: u32, slot: usize, head: u32, to: u32): void {
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    removeMigrationEntries(m, slot ? slot + j * 8 : 0, head + j, to ? to + j : 0);
    letGo(m, i + j, head + j);
  }
}

/** A unit's folio becomes the large destination. A reason, or 0. */
export function moveUnit(m: Migration, head: u32, to: u32): u32 {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    if (folioOf(pfn).refcount != <u32>(1 + (pfn == m.faultPage ? 1 : 0))) return REASON_REFERENCED;
  }
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const from = folioOf(head + j);
    const target = folioOf(to + j);
    target.mapping = from.mapping;
    target.pgoff = from.pgoff;
    target.set(from.flags & (FOLIO_ANON | FOLIO_DIRTY | FOLIO_REFERENCED));
    target.memcg = from.memcg;
    from.memcg = 0;
    if (isDevicePfn(to)) lruTouch(to + j);
  }
  m.moved += LARGE_PAGES;
  count(
    isDevicePfn(to) ? (isDevicePfn(head) ? COUNT_DEVICE_TO_DEVICE : COUNT_TO_DEVICE) : COUNT_TO_SYSTEM,
    LARGE_PAGES,
  );
  return 0;
}

/** A unit falls apart: 512 slots, and 512 pages where its folio was. What took its place in a table meanwhile stays. */
export function splitUnit(m: Migration, i: u32): void {
  const word = m.source(i) & ~MIGRATE_PFN_COMPOUND;
  const page: u32 = word & (<u32>MIGRATE_PFN_VALID) ? 1 : 0;
  for (let j: u32 = 0; j < LARGE_PAGES; j++) m.setSource(i + j, word + page * j);
  if (!page) return;
  const head = pfnOf(word);
  const part = folioOf(head);
  for (let link = rmapFirstLarge(part, 0); link; link = rmapNextLarge(link, part, 0)) {
    const vma = rmapVma(link, part);
    const table = leafTable(vma.mm.pgd, partStart(vma, part.pgoff));
    if (table && isHuge(table) && ptePfn(load<u64>(table)) == head) splitLeaf(table);
  }
  dissolveLarge(head);
}
