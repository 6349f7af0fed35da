// Huge mappings: leaf tables whose entries belong together, and the huge zero page.

import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_SPECIAL } from "../../uapi/pte";
import { FOLIO_TAIL } from "../../abi/frame";
import { HDR_HUGE_ZERO, HDR_HUGE_ZERO_MAPS, HDR_ZERO_PFN } from "../../abi/header";
import { header, LARGE_PAGES, setHeader } from "../base/layout";
import { makePte, pteFlags } from "../base/pte";
import { folioOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { allocLarge, putPage } from "../frame/page-alloc";
import { isHuge } from "./pagetable";

export const HUGE_MASK: u64 = <u64>PMD_SIZE - 1;

/** The first pfn of the folio that a page belongs to. */
@inline
export function headOf(pfn: u32): u32 {
  return folioOf(pfn).has(FOLIO_TAIL) ? pfn & ~(LARGE_PAGES - 1) : pfn;
}

/** References to the parts of a large folio. */
export function largeRefs(head: u32): u32 {
  let refs: u32 = 0;
  for (let i: u32 = 0; i < LARGE_PAGES; i++) refs += folioOf(head + i).refcount;
  return refs;
}

/** Entries that map parts of a large folio. */
export function largeMaps(head: u32): u32 {
  let maps: u32 = 0;
  for (let i: u32 = 0; i < LARGE_PAGES; i++) maps += folioOf(head + i).mapcount;
  return maps;
}

/** Does any process map a part of a large folio that another one maps, too? */
export function largeShared(head: u32): bool {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) if (folioOf(head + i).mapcount > 1) return true;
  return false;
}

/** One more huge mapping of the huge zero page: its first pfn. 0 when there is no block for it. */
export function hugeZeroGet(): u32 {
  let zero = header(HDR_HUGE_ZERO);
  if (!zero) {
    zero = allocLarge(0);
    if (!zero) return 0;
    for (let i: u32 = 0; i < LARGE_PAGES; i++) zeroFrame(zero + i);
    setHeader(HDR_HUGE_ZERO, zero);
  }
  setHeader(HDR_HUGE_ZERO_MAPS, header(HDR_HUGE_ZERO_MAPS) + 1);
  return zero;
}

/** One less. With the last the page goes; what is pinned of it stays until then. */
export function hugeZeroPut(): void {
  const maps = header(HDR_HUGE_ZERO_MAPS) - 1;
  setHeader(HDR_HUGE_ZERO_MAPS, maps);
  if (maps) return;
  const zero = header(HDR_HUGE_ZERO);
  setHeader(HDR_HUGE_ZERO, 0);
  for (let i: u32 = 0; i < LARGE_PAGES; i++) putPage(zero + i);
}

/** Is this leaf table a huge mapping of the huge zero page? */
@inline
export function isHugeZero(table: usize): bool {
  return isHuge(table) && (load<u32>(table) & PTE_SPECIAL) != 0;
}

/** Fills an empty leaf table with a huge mapping of the folio at `head`. */
export function fillLeaf(table: usize, head: u32, flags: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) store<u64>(table + i * 8, makePte(head + i, flags | PTE_HUGE));
}

/** __split_huge_pmd: the entries of a huge mapping are entries like any. The huge zero page becomes 512 small ones. */
export function splitLeaf(table: usize): void {
  const zero = isHugeZero(table);
  for (let at = table; at < table + PAGE_SIZE; at += 8) {
    const pte = load<u64>(at) & ~(<u64>PTE_HUGE);
    store<u64>(at, zero ? makePte(header(HDR_ZERO_PFN), pteFlags(pte)) : pte);
  }
  if (zero) hugeZeroPut();
}
