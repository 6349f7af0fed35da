// Which device pages were used how recently: a list of pfns, from which a simulation evicts the least
// recently used. A page joins when it migrates to the device and leaves when it is freed. The links are an
// array of the arena that only simulations make (trackUse() in src/device/replay.ts); while HDR_LRU is 0,
// there is no list.
//
//   HDR_LRU_HEAD ─▶ pfn ─▶ pfn ─▶ … ◀─ HDR_LRU_TAIL     a link: newer pfn, older pfn (u32 each; 0 is the end)

import { PFN_MASK } from "../../uapi/pfn";
import { HDR_DEVICE_BASE, HDR_LRU, HDR_LRU_HEAD, HDR_LRU_TAIL } from "../../abi/header";
import { header, setHeader } from "../base/layout";

/** Tells whether there is a list. */
@inline
export function lruIsKept(): bool {
  return header(HDR_LRU) != 0;
}

/** Returns the address of a page's two links. */
@inline
function links(pfn: u32): usize {
  return header(HDR_LRU) + (pfn - header(HDR_DEVICE_BASE)) * 8;
}

/** Tells whether a page is in the list. */
@inline
function isLinked(pfn: u32): bool {
  return load<u64>(links(pfn)) != 0 || header(HDR_LRU_HEAD) == pfn;
}

/** Returns the page that was used next after this one; 0 for the most recently used. */
export function lruNewer(pfn: u32): u32 {
  return load<u32>(links(pfn));
}

/** Takes a page out of the list, if it is in it. */
export function lruRemove(pfn: u32): void {
  if (!lruIsKept() || !isLinked(pfn)) return;
  const newer = load<u32>(links(pfn));
  const older = load<u32>(links(pfn), 4);
  if (newer) store<u32>(links(newer), older, 4);
  else setHeader(HDR_LRU_HEAD, older);
  if (older) store<u32>(links(older), newer);
  else setHeader(HDR_LRU_TAIL, newer);
  store<u64>(links(pfn), 0);
}

/** Moves a page that is not the head before the head. The caller then sets HDR_LRU_HEAD. */
@inline
function lruMoveToHead(pfn: u32, head: u32): void {
  const all = header(HDR_LRU) - header(HDR_DEVICE_BASE) * 8;
  const at = all + pfn * 8;
  const newer = load<u32>(at);
  const older = load<u32>(at, 4);
  // Only the head has no newer page; any other page without one is not in the list yet.
  if (newer) {
    store<u32>(all + newer * 8, older, 4);
    if (older) store<u32>(all + older * 8, newer);
    else setHeader(HDR_LRU_TAIL, newer);
  }
  store<u64>(at, (<u64>head) << 32);
  if (head) store<u32>(all + head * 8, pfn);
  else setHeader(HDR_LRU_TAIL, pfn);
}

/** Makes a page the most recently used. */
@inline
export function lruTouch(pfn: u32): void {
  if (!lruIsKept()) return;
  const head = header(HDR_LRU_HEAD);
  if (head == pfn) return;
  lruMoveToHead(pfn, head);
  setHeader(HDR_LRU_HEAD, pfn);
}

/**
 * Calls lruRemove() for the device pages among n words; words that are 0 or name system pages are skipped.
 */
@inline
export function lruRemoveAll(words: usize, n: u32): void {
  if (!lruIsKept()) return;
  const base = header(HDR_DEVICE_BASE);
  const all = header(HDR_LRU) - base * 8;
  let head = header(HDR_LRU_HEAD);
  let tail = header(HDR_LRU_TAIL);
  for (const last = words + n * 4; words < last; words += 4) {
    const pfn = load<u32>(words) & PFN_MASK;
    if (pfn < base) continue;
    const newer = load<u32>(all + pfn * 8);
    const older = load<u32>(all + pfn * 8, 4);
    if (newer) store<u32>(all + newer * 8, older, 4);
    else if (head == pfn) head = older;
    else continue;
    if (older) store<u32>(all + older * 8, newer);
    else tail = newer;
    store<u64>(all + pfn * 8, 0);
  }
  setHeader(HDR_LRU_HEAD, head);
  setHeader(HDR_LRU_TAIL, tail);
}

/** Calls lruTouch() for the device pages among n words, in their order. */
export function lruTouchAll(words: usize, n: u32): void {
  if (!lruIsKept()) return;
  const base = header(HDR_DEVICE_BASE);
  const all = header(HDR_LRU) - base * 8;
  let head = header(HDR_LRU_HEAD);
  for (const last = words + n * 4; words < last; words += 4) {
    const pfn = load<u32>(words) & PFN_MASK;
    if (pfn < base) continue;
    if (head && pfn != head && !load<u64>(all + pfn * 8)) {
      store<u32>(all + pfn * 8, head, 4);
      store<u32>(all + head * 8, pfn);
      setHeader(HDR_LRU_HEAD, pfn);
    } else lruTouch(pfn);
    head = pfn;
  }
}
