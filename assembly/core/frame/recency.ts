// Which device pages were used how recently, for simulations that evict the least recently used page. A page
// joins when it migrates to the device and leaves when it is freed. Uses are appended to a log. A page's
// stamp is the place of its latest use there, and older entries of the page do not count. So a use is two
// stores, wherever the page stands. Both arrays are in the arena, and only simulations make them (trackUse()
// in src/device/replay.ts); while HDR_USE_STAMPS is 0, there are none.
//
//   log (u32): pfns, by place             0   1                                          HDR_USE_END
//                                       ┌───┬───────────┬──────────────────┬────────────┐
//                                       │   │ forgotten │ oldest … latest  │            │
//                                       └───┴───────────▲──────────────────▲────────────┘
//   stamps (u32), by device frame:              HDR_USE_FIRST         HDR_USE_NEXT
//   a place, or 0: the page is not in the log

import { PFN_MASK } from "../../uapi/pfn";
import {
  HDR_DEVICE_BASE,
  HDR_USE_END,
  HDR_USE_FIRST,
  HDR_USE_LOG,
  HDR_USE_NEXT,
  HDR_USE_STAMPS,
} from "../../abi/header";
import { header, setHeader } from "../base/layout";

/** Tells whether uses are kept. */
@inline
export function usesAreKept(): bool {
  return header(HDR_USE_STAMPS) != 0;
}

/** Returns the address of the stamp of pfn 0; those of system memory do not exist. */
@inline
function stamps(): usize {
  return header(HDR_USE_STAMPS) - header(HDR_DEVICE_BASE) * 4;
}

/** Returns the address of an entry of the log. */
@inline
function entry(place: u32): usize {
  return <usize>header(HDR_USE_LOG) + ((<usize>place) << 2);
}

/** Drops the entries that do not count. At least half of a full log are such (trackUse()). */
function compact(): void {
  const stampOf = stamps();
  const end = header(HDR_USE_NEXT);
  let to: u32 = 1;
  for (let place = header(HDR_USE_FIRST); place < end; place++) {
    const pfn = load<u32>(entry(place));
    if (load<u32>(stampOf + ((<usize>pfn) << 2)) != place) continue;
    store<u32>(entry(to), pfn);
    store<u32>(stampOf + ((<usize>pfn) << 2), to);
    to++;
  }
  setHeader(HDR_USE_FIRST, 1);
  setHeader(HDR_USE_NEXT, to);
}

/** Makes a page the most recently used. */
@inline
export function noteUse(pfn: u32): void {
  if (!usesAreKept()) return;
  if (header(HDR_USE_NEXT) == header(HDR_USE_END)) compact();
  const place = header(HDR_USE_NEXT);
  store<u32>(entry(place), pfn);
  store<u32>(stamps() + ((<usize>pfn) << 2), place);
  setHeader(HDR_USE_NEXT, place + 1);
}

/** Calls noteUse() for the device pages among n words, in their order. */
export function noteUses(words: usize, n: u32): void {
  if (!usesAreKept()) return;
  const base = header(HDR_DEVICE_BASE);
  for (const last = words + n * 4; words < last; words += 4) {
    const pfn = load<u32>(words) & PFN_MASK;
    if (pfn >= base) noteUse(pfn);
  }
}

/** Takes a page out, if it is in the log. */
export function forgetUse(pfn: u32): void {
  if (usesAreKept()) store<u32>(stamps() + ((<usize>pfn) << 2), 0);
}

/**
 * Calls forgetUse() for the device pages among n words; words that are 0 or name system pages are skipped.
 */
@inline
export function forgetUses(words: usize, n: u32): void {
  if (!usesAreKept()) return;
  const base = header(HDR_DEVICE_BASE);
  const stampOf = stamps();
  for (const last = words + n * 4; words < last; words += 4) {
    const pfn = load<u32>(words) & PFN_MASK;
    if (pfn >= base) store<u32>(stampOf + ((<usize>pfn) << 2), 0);
  }
}

/** Returns the place of the oldest use from `place` on that counts, for pfnUsedAt(); 0 if there is none. */
function nextUse(place: u32): u32 {
  const stampOf = stamps();
  const end = header(HDR_USE_NEXT);
  for (; place < end; place++)
    if (load<u32>(stampOf + ((<usize>load<u32>(entry(place))) << 2)) == place) return place;
  return 0;
}

/** Returns the place of the least recently used page; 0 if no page was used. */
export function oldestUse(): u32 {
  const place = nextUse(header(HDR_USE_FIRST));
  if (place) setHeader(HDR_USE_FIRST, place);
  return place;
}

/** Returns the place of the page that was used next; 0 if there is none. */
export function nextUseAfter(place: u32): u32 {
  return nextUse(place + 1);
}

/** Returns the page at a place. */
export function pfnUsedAt(place: u32): u32 {
  return load<u32>(entry(place));
}
