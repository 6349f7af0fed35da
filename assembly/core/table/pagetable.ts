// The page-table walker: four levels of 512 entries, for address spaces, device tables and page caches.
//
// An entry of the upper three levels is PTE_PRESENT with the address of the next table in its high word. Each
// table page has a record of 16 bytes:
//
//   0        4        8        12       16
//  ┌────────┬────────┬────────┬────────┐
//  │ owner  │ level  │ base   │        │  owner: 0 free, mm, DEVICE_OWNER | device table, FILE_OWNER | file
//  └────────┴────────┴────────┴────────┘  level: 0 leaf … 3 root    base: first address >> 21

import { MMAP_MIN_ADDR, PAGE_SIZE, PGD_SHIFT, PMD_SHIFT, PUD_SHIFT, TASK_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_PRESENT } from "../../uapi/pte";
import { HDR_DESCENTS, HDR_TABLE_META } from "../../abi/header";
import { POOL_BASE, RESOURCE_PAGE_TABLE } from "../../abi/pool";
import { header, pool, setHeader, TABLE_META_SIZE } from "../base/layout";
import { DEBUG } from "../base/panic";
import { poolAlloc, poolFree, poolHigh, poolObject } from "../base/pool";
import { putTablePage, takeTablePage } from "../frame/page-alloc";

/** TableMeta.owner: the table belongs to a device table. */
export const DEVICE_OWNER: u32 = 0x80000000;
/** TableMeta.owner: the table belongs to the page cache of a file. */
export const FILE_OWNER: u32 = 0x40000000;

/** The lowest address of user space (uapi/page.ts). */
export const USER_START: u64 = <u64>MMAP_MIN_ADDR;
/** The end of user space, exclusive. */
export const USER_END: u64 = <u64>TASK_SIZE;
/**
 * The end of the addresses that page tables cover, exclusive: four levels of 512 entries over 4 KiB pages.
 */
export const SPACE_END: u64 = 0x1000000000000;

/** The record of a table page. */
@unmanaged
export class TableMeta {
  owner: u32;
  level: u32;
  base: u32;
}

if (offsetof<TableMeta>() > TABLE_META_SIZE) ERROR("TABLE_META_SIZE");

/** Tells whether an owner of tables is an address space. */
@inline
function isSpaceOwner(owner: u32): bool {
  return owner < FILE_OWNER;
}

/** Counts the tables of address spaces, for verify(). */
export function countSpaceTables(): u32 {
  let tables: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_PAGE_TABLE); id++) {
    const owner = tableMeta(poolObject(RESOURCE_PAGE_TABLE, id)).owner;
    if (owner && isSpaceOwner(owner)) tables++;
  }
  return tables;
}

/** Returns the record of a table page. */
export function tableMeta(table: usize): TableMeta {
  const index = (<u32>table - load<u32>(pool(RESOURCE_PAGE_TABLE), POOL_BASE)) >> 12;
  return changetype<TableMeta>(header(HDR_TABLE_META) + index * TABLE_META_SIZE);
}

/**
 * Allocates an empty table of a level (0 leaf … 3 root) that covers addr. Returns its address, or 0. The
 * tables of address spaces count as system memory.
 */
export function allocTable(owner: u32, level: u32, addr: u64): usize {
  const counts = isSpaceOwner(owner);
  if (counts && !takeTablePage()) return 0;
  const table = poolAlloc(RESOURCE_PAGE_TABLE);
  if (!table) {
    if (counts) putTablePage();
    return 0;
  }
  const meta = tableMeta(table);
  meta.owner = owner;
  meta.level = level;
  meta.base = (<u32>(addr >> PMD_SHIFT)) & ~(<u32>((1 << (level * 9)) - 1));
  if (level == 3) meta.base = 0;
  return table;
}

/** Frees a table page, whatever its entries are. */
function freeTable(table: usize): void {
  if (isSpaceOwner(tableMeta(table).owner)) putTablePage();
  tableMeta(table).owner = 0;
  poolFree(RESOURCE_PAGE_TABLE, table);
}

/** Returns the address of the entry of addr in a table whose entries cover 2^shift bytes each. */
@inline
function slot(table: usize, addr: u64, shift: u32): usize {
  return table + (((<u32>(addr >> shift)) & 511) << 3);
}

/** Returns the table that an upper entry names, 0 if there is none. */
@inline
function nextTable(entry: usize): usize {
  return load<u32>(entry, 4);
}

/** Counts a descent, so that a test can tell whether a walk looked at every page of a hole. */
function countDescent(): void {
  setHeader(HDR_DESCENTS, header(HDR_DESCENTS) + 1);
}

/** Returns the leaf table that covers addr, or 0. */
@inline
export function leafTable(root: usize, addr: u64): usize {
  if (DEBUG) countDescent();
  const pud = nextTable(slot(root, addr, PGD_SHIFT));
  if (!pud) return 0;
  const pmd = nextTable(slot(pud, addr, PUD_SHIFT));
  if (!pmd) return 0;
  return nextTable(slot(pmd, addr, PMD_SHIFT));
}

/**
 * Returns the address of the entry of addr, or 0 where there is no leaf table. It is a call of a function:
 * the hottest paths use leafTable() and slotOf(), which are inlined.
 */
export function walk(root: usize, addr: u64): usize {
  const table = leafTable(root, addr);
  return table ? slot(table, addr, 12) : 0;
}

/**
 * Returns where the entry of addr is, or an entry of 0 where there is none. The descent has no branch: a
 * missing table has address 0, and the first 4 KiB of linear memory are a table of zeros (asc's memoryBase
 * keeps static data out of them).
 */
@inline
export function entryAt(root: usize, addr: u64): usize {
  if (DEBUG) countDescent();
  const pud = nextTable(slot(root, addr, PGD_SHIFT));
  const pmd = nextTable(slot(pud, addr, PUD_SHIFT));
  const at = slot(nextTable(slot(pmd, addr, PMD_SHIFT)), addr, 12);
  if (DEBUG) {
    const entry = walk(root, addr);
    assert(entry ? at == entry : !load<u64>(at), "entryAt: walk() finds another entry");
  }
  return at;
}

/** Returns the entry of addr, 0 where there is none. */
@inline
export function readPte(root: usize, addr: u64): u64 {
  return load<u64>(entryAt(root, addr));
}

/** Converts an address below 2^52 that TypeScript passed as f64: after adding 2^52 it is the mantissa. */
@inline
export function addressOf(addr: f64): u64 {
  return reinterpret<u64>(addr + 4503599627370496.0) & 0xfffffffffffff;
}

/** Returns the address of the entry of addr in a leaf table. */
@inline
export function slotOf(table: usize, addr: u64): usize {
  return slot(table, addr, 12);
}

/**
 * Returns the address of the entry of addr, as walk() does, and makes the tables that are missing. Returns 0
 * when the pool of tables is exhausted; the tables made so far stay.
 */
export function walkAlloc(root: usize, owner: u32, addr: u64): usize {
  const table = leafTable(root, addr);
  if (table) return slot(table, addr, 12);
  let at = root;
  for (let level: u32 = 3; level > 0; level--) {
    const entry = slot(at, addr, 12 + level * 9);
    let below = nextTable(entry);
    if (!below) {
      below = allocTable(owner, level - 1, addr);
      if (!below) return 0;
      setNextTable(entry, below);
    }
    at = below;
  }
  return slot(at, addr, 12);
}

/** Makes an upper entry name a table. */
@inline
function setNextTable(entry: usize, table: usize): void {
  store<u64>(entry, ((<u64>table) << 32) | (<u64>PTE_PRESENT));
}

/** Makes the tables above the leaf table of addr. Returns false when the pool of tables is exhausted. */
export function makePmdTable(root: usize, owner: u32, addr: u64): bool {
  let at = root;
  for (let level: u32 = 3; level > 1; level--) {
    const entry = slot(at, addr, 12 + level * 9);
    let below = nextTable(entry);
    if (!below) {
      below = allocTable(owner, level - 1, addr);
      if (!below) return false;
      setNextTable(entry, below);
    }
    at = below;
  }
  return true;
}

/**
 * Returns the address of the entry that names the leaf table of addr, or 0 where there is no table for it.
 */
function pmdSlot(root: usize, addr: u64): usize {
  const pud = nextTable(slot(root, addr, PGD_SHIFT));
  const pmd = pud ? nextTable(slot(pud, addr, PUD_SHIFT)) : 0;
  return pmd ? slot(pmd, addr, PMD_SHIFT) : 0;
}

/** Tells whether a leaf table is a huge mapping: then all of its entries are parts of it. */
@inline
export function isHuge(table: usize): bool {
  return (load<u32>(table) & PTE_HUGE) != 0;
}

/** Frees the leaf table of addr, whatever its entries are. */
export function dropLeaf(root: usize, addr: u64): void {
  const entry = pmdSlot(root, addr);
  freeTable(nextTable(entry));
  store<u64>(entry, 0);
}

/**
 * Moves the leaf table of `from` to `to`, where makePmdTable() has made the tables above it. A leaf table
 * that `to` has is empty; it is freed.
 */
export function moveLeaf(root: usize, from: u64, to: u64): void {
  const entry = pmdSlot(root, from);
  const table = nextTable(entry);
  const target = pmdSlot(root, to);
  if (nextTable(target)) freeTable(nextTable(target));
  store<u64>(entry, 0);
  setNextTable(target, table);
  tableMeta(table).base = <u32>(to >> PMD_SHIFT);
}

/**
 * Returns the end of the hole at addr, which no leaf table covers: the end of the span of the missing table.
 */
function holeEnd(root: usize, addr: u64): u64 {
  const pud = nextTable(slot(root, addr, PGD_SHIFT));
  if (!pud) return ((addr >> PGD_SHIFT) + 1) << PGD_SHIFT;
  const pmd = nextTable(slot(pud, addr, PUD_SHIFT));
  if (!pmd) return ((addr >> PUD_SHIFT) + 1) << PUD_SHIFT;
  return ((addr >> PMD_SHIFT) + 1) << PMD_SHIFT;
}

/** Returns the end of the span of addr's leaf table, or `end` if that comes first. */
@inline
export function leafEnd(addr: u64, end: u64): u64 {
  return min(((addr >> PMD_SHIFT) + 1) << PMD_SHIFT, end);
}

// ── Walks ──────────────────────────────────────────────────────────────────────────────────────────────────
//
// The walk over the leaf tables of [start, end), and over the entries of each table:
//
//   let next = start;
//   while (next < end) {
//     const addr = next;
//     const table = leafTable(root, addr);
//     next = spanEnd(root, table, addr, end);
//     if (!table) continue;
//     const last = slotsEnd(table, addr, next);
//     for (let at = slotOf(table, addr); at < last; at += 8) …
//   }
//
// A body that may replace the table (it faults, or splits) walks page by page, with nextPage() for spanEnd().

/**
 * Returns where the walk over leaf tables goes on: the end of the span of `table`, or of the hole if it is 0.
 */
@inline
export function spanEnd(root: usize, table: usize, addr: u64, end: u64): u64 {
  return table ? leafEnd(addr, end) : min(holeEnd(root, addr), end);
}

/** Returns where the walk over pages goes on: the next page, or the end of the hole if `table` is 0. */
@inline
export function nextPage(root: usize, table: usize, addr: u64): u64 {
  return table ? addr + PAGE_SIZE : holeEnd(root, addr);
}

/** Returns the address after the last entry of [addr, next), a range that the leaf table covers. */
@inline
export function slotsEnd(table: usize, addr: u64, next: u64): usize {
  return slotOf(table, addr) + ((<usize>(next - addr)) >> 9);
}

/** Tells whether any table exists below the 1 GiB entry of addr. */
export function hasPmdTable(root: usize, addr: u64): bool {
  const pud = nextTable(slot(root, addr, PGD_SHIFT));
  return pud ? nextTable(slot(pud, addr, PUD_SHIFT)) != 0 : false;
}

/**
 * Frees the tables of [start, end), whose entries are empty, that cover nothing outside [floor, ceiling):
 * after munmap, the gap between the remaining neighbors (free_pgtables). Returns the number of tables freed.
 */
export function freeTables(root: usize, start: u64, end: u64, floor: u64, ceiling: u64): u32 {
  let freed: u32 = 0;
  for (let level: u32 = 1; level <= 3; level++) {
    const shift = 12 + level * 9;
    const span = (<u64>1) << shift;
    let addr = start & ~(span - 1);
    while (addr < end) {
      const table = tableAt(root, addr, level);
      if (!table) {
        addr = level == 1 ? holeEnd(root, addr) : ((addr >> (shift + 9)) + 1) << (shift + 9);
        continue;
      }
      if (addr >= floor && addr + span <= ceiling) {
        const entry = slot(table, addr, shift);
        if (nextTable(entry)) {
          freeTable(nextTable(entry));
          store<u64>(entry, 0);
          freed++;
        }
      }
      addr += span;
    }
  }
  return freed;
}

/** Returns the table of a level (1 PMD, 2 PUD, 3 root) that covers addr, or 0. */
function tableAt(root: usize, addr: u64, level: u32): usize {
  let at = root;
  for (let l: u32 = 3; l > level; l--) {
    at = nextTable(slot(at, addr, 12 + l * 9));
    if (!at) return 0;
  }
  return at;
}

/** Frees a root with all tables below it, whatever their entries are. Returns the number of tables freed. */
export function freeAllTables(root: usize): u32 {
  const freed = freeTables(root, 0, USER_END + PAGE_SIZE, 0, (<u64>1) << 48);
  freeTable(root);
  return freed + 1;
}
