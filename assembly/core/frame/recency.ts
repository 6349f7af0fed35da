// Which device pages a device used how recently: a list of pfns, so that a simulation can evict the oldest. A page
// joins when it is migrated to the device and leaves when it is freed. The links are an array of the arena, which only
// simulations make (trackUse() in src/sim/replay.ts); without it HDR_LRU is 0, and nothing is remembered.

import { PFN_MASK } from "../../uapi/pfn";
import { HDR_DEVICE_BASE, HDR_LRU, HDR_LRU_HEAD, HDR_LRU_TAIL } from "../../abi/header";
import { header, setHeader } from "../base/layout";

/** Does somebody want to know? */
@inline
export function lruIsKept(): bool {
  return header(HDR_LRU) != 0;
}


@inline
function links(pfn: u32): usize {
  return header(HDR_LRU) + (pfn - header(HDR_DEVICE_BASE)) * 8;
}


@inline
function isLinked(pfn: u32): bool {
  return load<u64>(links(pfn)) != 0 || header(HDR_LRU_HEAD) == pfn;
}

/** The page before, towards the most recently used. */
export function lruNewer(pfn: u32): u32 {
  return load<u32>(links(pfn));
}

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

/** Makes pfn the head, which it is not yet; the header's word of the head is the caller's. */
@inline
export function lruMoveToHead(pfn: u32, head: u32): void {
  const all = header(HDR_LRU) - header(HDR_DEVICE_BASE) * 8;
  const at = all + pfn * 8;
  const newer = load<u32>(at);
  const older = load<u32>(at, 4);
  // Only the head has none before it; other pages without one are not in the list yet.
  if (newer) {
    store<u32>(all + newer * 8, older, 4);
    if (older) store<u32>(all + older * 8, newer);
    else setHeader(HDR_LRU_TAIL, newer);
  }
  store<u64>(at, (<u64>head) << 32);
  if (head) store<u32>(all + head * 8, pfn);
  else setHeader(HDR_LRU_TAIL, pfn);
}

/** The device used this page now. */
@inline
export function lruTouch(pfn: u32): void {
  if (!lruIsKept()) return;
  const head = header(HDR_LRU_HEAD);
  if (head == pfn) return;
  lruMoveToHead(pfn, head);
  setHeader(HDR_LRU_HEAD, pfn);
}

/** lruRemove() of the device pages that n words name; words of 0 and of system pages are skipped. */
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

/** lruTouch() of the device pages that n words name, in their order. */
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
