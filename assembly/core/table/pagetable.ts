// The page-table walker: four levels, for address spaces and device tables alike.
//
// An entry of the upper three levels is PTE_PRESENT with the next table's address in its high word. Every table page
// has 16 bytes of metadata: whose it is and what it covers.
//
//   0        4        8        12       16
//  ┌────────┬────────┬────────┬────────┐
//  │ owner  │ level  │ base   │   0    │  owner: mm id, DEVICE_OWNER | device table, FILE_OWNER | file
//  └────────┴────────┴────────┴────────┘  level: 0 leaf … 3 root    base: first address >> 21

import { MMAP_MIN_ADDR, PAGE_SIZE, PGD_SHIFT, PMD_SHIFT, PUD_SHIFT, TASK_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_PRESENT } from "../../uapi/pte";
import { HDR_TABLE_META } from "../../abi/header";
import { POOL_BASE, RESOURCE_PAGE_TABLE } from "../../abi/pool";
import { header, pool, TABLE_META_SIZE } from "../base/layout";
import { poolAlloc, poolFree } from "../base/pool";

export const DEVICE_OWNER: u32 = 0x80000000;
/** A file's page cache. */
export const FILE_OWNER: u32 = 0x40000000;

/** The facts of uapi/page.ts, as addresses: user space is [USER_START, USER_END). */
export const USER_START: u64 = <u64>MMAP_MIN_ADDR;
export const USER_END: u64 = <u64>TASK_SIZE;
/** The first address that no page table covers: four levels of 512 entries over 4 KiB pages. */
export const SPACE_END: u64 = 0x1000000000000;


@unmanaged
export class TableMeta {
  owner: u32;
  level: u32;
  base: u32;
  unused: u32;
}

export function tableMeta(table: usize): TableMeta {
  const index = (<u32>table - load<u32>(pool(RESOURCE_PAGE_TABLE), POOL_BASE)) >> 12;
  return changetype<TableMeta>(header(HDR_TABLE_META) + index * TABLE_META_SIZE);
}

/** A new empty table, or 0. */
export function allocTable(owner: u32, level: u32, addr: u64): usize {
  const table = poolAlloc(RESOURCE_PAGE_TABLE);
  if (!table) return 0;
  const meta = tableMeta(table);
  meta.owner = owner;
  meta.level = level;
  meta.base = (<u32>(addr >> PMD_SHIFT)) & ~(<u32>((1 << (level * 9)) - 1));
  if (level == 3) meta.base = 0;
  return table;
}

export function freeTable(table: usize): void {
  tableMeta(table).owner = 0;
  poolFree(RESOURCE_PAGE_TABLE, table);
}


@inline
function slot(table: usize, addr: u64, shift: u32): usize {
  return table + (((<u32>(addr >> shift)) & 511) << 3);
}

/** The table that an upper entry points to, 0 if none. */
@inline
function next(entry: usize): usize {
  return load<u32>(entry, 4);
}

/** The leaf table that covers addr, or 0. */
@inline
export function leafTable(root: usize, addr: u64): usize {
  const pud = next(slot(root, addr, PGD_SHIFT));
  if (!pud) return 0;
  const pmd = next(slot(pud, addr, PUD_SHIFT));
  if (!pmd) return 0;
  return next(slot(pmd, addr, PMD_SHIFT));
}

/** The entry of addr: its address, or 0 where no leaf table is. */
@inline
export function walk(root: usize, addr: u64): usize {
  const table = leafTable(root, addr);
  return table ? slot(table, addr, 12) : 0;
}

/**
 * The entry's word, 0 where there is none. No branches: a missing table has address 0, and the first 4 KiB of linear
 * memory are a table of zeros (asc's memoryBase keeps static data out of them).
 */
@inline
export function readPte(root: usize, addr: u64): u64 {
  const pud = next(slot(root, addr, PGD_SHIFT));
  const pmd = next(slot(pud, addr, PUD_SHIFT));
  return load<u64>(slot(next(slot(pmd, addr, PMD_SHIFT)), addr, 12));
}

/** An address that TypeScript passed as f64, below 2^52: adding 2^52 leaves it in the low bits. Cheaper than a conversion. */
@inline
export function addressOf(addr: f64): u64 {
  return reinterpret<u64>(addr + 4503599627370496.0) & 0xfffffffffffff;
}


@inline
export function slotOf(table: usize, addr: u64): usize {
  return slot(table, addr, 12);
}

/** As walk(), and makes the tables that are missing. 0 when the table pool is exhausted; tables made so far stay. */
export function walkAlloc(root: usize, owner: u32, addr: u64): usize {
  const table = leafTable(root, addr);
  if (table) return slot(table, addr, 12);
  let at = root;
  for (let level: u32 = 3; level > 0; level--) {
    const entry = slot(at, addr, 12 + level * 9);
    let below = next(entry);
    if (!below) {
      below = allocTable(owner, level - 1, addr);
      if (!below) return 0;
      setNext(entry, below);
    }
    at = below;
  }
  return slot(at, addr, 12);
}


@inline
function setNext(entry: usize, table: usize): void {
  store<u64>(entry, ((<u64>table) << 32) | (<u64>PTE_PRESENT));
}

/** Makes the tables above the leaf that would cover addr. False when the table pool is exhausted. */
export function makePmdTable(root: usize, owner: u32, addr: u64): bool {
  let at = root;
  for (let level: u32 = 3; level > 1; level--) {
    const entry = slot(at, addr, 12 + level * 9);
    let below = next(entry);
    if (!below) {
      below = allocTable(owner, level - 1, addr);
      if (!below) return false;
      setNext(entry, below);
    }
    at = below;
  }
  return true;
}

/** The entry of the third level, of addr: its address, or 0 where no such table is. */
export function pmdSlot(root: usize, addr: u64): usize {
  const pud = next(slot(root, addr, PGD_SHIFT));
  const pmd = pud ? next(slot(pud, addr, PUD_SHIFT)) : 0;
  return pmd ? slot(pmd, addr, PMD_SHIFT) : 0;
}

/** Is this leaf table a huge mapping? All of its entries are parts of it, or none. */
@inline
export function isHuge(table: usize): bool {
  return (load<u32>(table) & PTE_HUGE) != 0;
}

/** Frees addr's leaf table, whose entries are forgotten. */
export function dropLeaf(root: usize, addr: u64): void {
  const entry = pmdSlot(root, addr);
  freeTable(next(entry));
  store<u64>(entry, 0);
}

/** The leaf table of `from` becomes that of `to`, which has a table above it. An empty one that is there is freed. */
export function moveLeaf(root: usize, from: u64, to: u64): void {
  const entry = pmdSlot(root, from);
  const table = next(entry);
  const target = pmdSlot(root, to);
  if (next(target)) freeTable(next(target));
  store<u64>(entry, 0);
  setNext(target, table);
  tableMeta(table).base = <u32>(to >> PMD_SHIFT);
}

/** Where no leaf table covers addr: the first address after the hole, as far as one missing table spans. */
export function holeEnd(root: usize, addr: u64): u64 {
  const pud = next(slot(root, addr, PGD_SHIFT));
  if (!pud) return ((addr >> PGD_SHIFT) + 1) << PGD_SHIFT;
  const pmd = next(slot(pud, addr, PUD_SHIFT));
  if (!pmd) return ((addr >> PUD_SHIFT) + 1) << PUD_SHIFT;
  return ((addr >> PMD_SHIFT) + 1) << PMD_SHIFT;
}

/** The end of addr's 2 MiB span, or `end` if that comes first. */
@inline
export function leafEnd(addr: u64, end: u64): u64 {
  return min(((addr >> PMD_SHIFT) + 1) << PMD_SHIFT, end);
}

// ── Walks ─────────────────────────────────────────────────────────────────────────────────────────────────────
//
// The walk over the leaf tables of [start, end), and over the entries of each:
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
// Where the body may replace tables, or fault, the walk goes page by page: `next = nextPage(root, table, addr)`.

/** Where the walk over leaf tables goes on: the end of the table's span, or of the hole where `table` is 0. */
@inline
export function spanEnd(root: usize, table: usize, addr: u64, end: u64): u64 {
  return table ? leafEnd(addr, end) : min(holeEnd(root, addr), end);
}

/** Where the walk over pages goes on: at the next page, or after the hole where `table` is 0. */
@inline
export function nextPage(root: usize, table: usize, addr: u64): u64 {
  return table ? addr + PAGE_SIZE : holeEnd(root, addr);
}

/** The address after the entries of [addr, next), which `table` covers. */
@inline
export function slotsEnd(table: usize, addr: u64, next: u64): usize {
  return slotOf(table, addr) + ((<usize>(next - addr)) >> 9);
}

/** Is there any table below the 1 GiB entry of addr? */
export function hasPmdTable(root: usize, addr: u64): bool {
  const pud = next(slot(root, addr, PGD_SHIFT));
  return pud ? next(slot(pud, addr, PUD_SHIFT)) != 0 : false;
}

/**
 * Frees the tables of [start, end) that cover nothing outside [floor, ceiling): after an unmapping, the gap between
 * the vmas that remain on both sides. The tables' entries are empty. Returns the number of tables freed.
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
        if (next(entry)) {
          freeTable(next(entry));
          store<u64>(entry, 0);
          freed++;
        }
      }
      addr += span;
    }
  }
  return freed;
}

/** The table of the given level (1 PMD, 2 PUD, 3 root) that covers addr, or 0. */
function tableAt(root: usize, addr: u64, level: u32): usize {
  let at = root;
  for (let l: u32 = 3; l > level; l--) {
    at = next(slot(at, addr, 12 + l * 9));
    if (!at) return 0;
  }
  return at;
}

/** Frees every table of a root, itself included. The entries of the leaves are forgotten. */
export function freeAllTables(root: usize): u32 {
  const freed = freeTables(root, 0, USER_END + PAGE_SIZE, 0, (<u64>1) << 48);
  freeTable(root);
  return freed + 1;
}
