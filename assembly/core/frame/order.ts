// Which pages belong together: the first page and the number of pages of a folio. A large folio of 2 MiB is a
// whole block of frames, which says so itself (BLOCK_WHOLE); a smaller one, of 16 KiB to 1 MiB, is a head and
// the tails behind it.

import { BLOCK_NEXT, BLOCK_WHOLE, FOLIO_LARGE, FOLIO_TAIL } from "../../abi/frame";
import { LARGE_PAGES } from "../base/layout";
import { folioOf } from "./folio";
import { blockOf } from "./zone";

/** Tells whether the block of a frame is one folio of 2 MiB. */
@inline
export function isWholeBlock(pfn: u32): bool {
  return load<u32>(blockOf(pfn), BLOCK_NEXT) == BLOCK_WHOLE;
}

/** Marks the block of a frame as one folio, or ends that. A block that is one folio is on no list. */
@inline
export function setWholeBlock(pfn: u32, whole: bool): void {
  store<u32>(blockOf(pfn), whole ? BLOCK_WHOLE : 0, BLOCK_NEXT);
}

/** Returns the first pfn of the folio that a page belongs to: its own, for a page of a small folio. */
@inline
export function headOf(pfn: u32): u32 {
  return folioOf(pfn).has(FOLIO_TAIL) ? headOfTail(pfn) : pfn;
}

/** headOf() of a page that is not the first of its folio. */
function headOfTail(pfn: u32): u32 {
  if (isWholeBlock(pfn)) return pfn & ~(LARGE_PAGES - 1);
  while (folioOf(pfn).has(FOLIO_TAIL)) pfn--;
  return pfn;
}

/** Returns the number of pages of the folio that begins at `head`. */
export function pagesAt(head: u32): u32 {
  if (!folioOf(head).has(FOLIO_LARGE)) return 1;
  if (isWholeBlock(head)) return LARGE_PAGES;
  let end = head + 1;
  while (end & (LARGE_PAGES - 1) && folioOf(end).has(FOLIO_TAIL)) end++;
  return end - head;
}
