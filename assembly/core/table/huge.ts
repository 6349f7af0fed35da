// Huge mappings: leaf tables whose 512 entries map one large folio, and the huge zero page.

import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_SPECIAL } from "../../uapi/pte";
import { HDR_HUGE_ZERO, HDR_HUGE_ZERO_MAPS, HDR_ZERO_PFN } from "../../abi/header";
import { header, setHeader } from "../base/layout";
import { makePte, pteFlags } from "../base/pte";
import { putLarge, zeroLarge } from "../frame/large";
import { allocLarge } from "../frame/page-alloc";
import { isHuge } from "./pagetable";

/** The bits of an address that lie inside its 2 MiB. */
export const HUGE_MASK: u64 = <u64>PMD_SIZE - 1;

/**
 * Counts a huge mapping of the huge zero page in; the first one makes the page. Returns its first pfn, or 0
 * without a free block.
 */
export function hugeZeroGet(): u32 {
  let zero = header(HDR_HUGE_ZERO);
  if (!zero) {
    zero = allocLarge(0);
    if (!zero) return 0;
    zeroLarge(zero);
    setHeader(HDR_HUGE_ZERO, zero);
  }
  setHeader(HDR_HUGE_ZERO_MAPS, header(HDR_HUGE_ZERO_MAPS) + 1);
  return zero;
}

/**
 * Counts a huge mapping of the huge zero page out. The last one frees the page, but for parts that are
 * pinned.
 */
export function hugeZeroPut(): void {
  const maps = header(HDR_HUGE_ZERO_MAPS) - 1;
  setHeader(HDR_HUGE_ZERO_MAPS, maps);
  if (maps) return;
  const zero = header(HDR_HUGE_ZERO);
  setHeader(HDR_HUGE_ZERO, 0);
  putLarge(zero);
}

/** Tells whether a leaf table is a huge mapping of the huge zero page. */
@inline
export function isHugeZero(table: usize): bool {
  return isHuge(table) && (load<u32>(table) & PTE_SPECIAL) != 0;
}

/** Makes an empty leaf table a huge mapping of the folio at `head`, with these flags (PTE_HUGE is added). */
export function fillLeaf(table: usize, head: u32, flags: u32): void {
  writeRun(table, makePte(head, flags | PTE_HUGE));
}

/** Writes a leaf table whose first entry is `first`, and whose others name the pages behind its page. */
export function writeRun(table: usize, first: u64): void {
  let pair = runPair(first);
  for (const end = table + PAGE_SIZE; table < end; table += 16) {
    v128.store(table, pair);
    pair = i32x4.add(pair, i32x4(0, 2, 0, 2));
  }
}

/** Tells whether a leaf table is as writeRun() writes it. */
export function isRun(table: usize): bool {
  let pair = runPair(load<u64>(table));
  let other = i32x4.splat(0);
  for (const end = table + PAGE_SIZE; table < end; table += 16) {
    other = v128.or(other, v128.xor(v128.load(table), pair));
    pair = i32x4.add(pair, i32x4(0, 2, 0, 2));
  }
  return !v128.any_true(other);
}

/** Returns an entry, and the one that names the page behind its page. */
@inline
function runPair(first: u64): v128 {
  return i32x4.add(i64x2.splat(first), i32x4(0, 0, 0, 1));
}

/**
 * Makes a huge mapping 512 mappings of single pages (__split_huge_pmd), for the huge zero page: of the zero
 * page.
 */
export function splitLeaf(table: usize): void {
  const zero = isHugeZero(table);
  for (let at = table; at < table + PAGE_SIZE; at += 8) {
    const pte = load<u64>(at) & ~(<u64>PTE_HUGE);
    store<u64>(at, zero ? makePte(header(HDR_ZERO_PFN), pteFlags(pte)) : pte);
  }
  if (zero) hugeZeroPut();
}
