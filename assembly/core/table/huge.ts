// Huge mappings: leaf tables whose entries belong together, and the huge zero page.

import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_SPECIAL } from "../../uapi/pte";
import { HDR_HUGE_ZERO, HDR_HUGE_ZERO_MAPS, HDR_ZERO_PFN } from "../../abi/header";
import { header, LARGE_PAGES, setHeader } from "../base/layout";
import { makePte, pteFlags } from "../base/pte";
import { putLarge, zeroLarge } from "../frame/large";
import { allocLarge } from "../frame/page-alloc";
import { isHuge } from "./pagetable";

export { headOf, largeMaps, largeRefs, largeShared } from "../frame/large";

export const HUGE_MASK: u64 = <u64>PMD_SIZE - 1;

/** One more huge mapping of the huge zero page: its first pfn. 0 when there is no block for it. */
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

/** One less. With the last the page goes; what is pinned of it stays until then. */
export function hugeZeroPut(): void {
  const maps = header(HDR_HUGE_ZERO_MAPS) - 1;
  setHeader(HDR_HUGE_ZERO_MAPS, maps);
  if (maps) return;
  const zero = header(HDR_HUGE_ZERO);
  setHeader(HDR_HUGE_ZERO, 0);
  putLarge(zero);
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
