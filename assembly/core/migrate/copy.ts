// copyPages: what a driver without a copy engine of its own calls between setup and pages. It copies each
// candidate of a migration to its destination, and zeroes the destinations of holes.

import { EINVAL } from "../../uapi/errno";
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../../uapi/pfn";
import { COUNT_PAGES_COPIED, COUNT_PAGES_ZEROED } from "../../abi/counter";
import { HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, HDR_FRAMES } from "../../abi/header";
import { header, LARGE_PAGES, RESERVED_FRAMES } from "../base/layout";
import { count } from "../base/stat";
import { folioOf } from "../frame/folio";
import { copyFrame, copyFrames, zeroFrame, zeroFrames } from "../frame/frame";
import { isUnit } from "../space/migration";

/** Does a word name a page in use, or none? `end` is the pfn after the last. */
@inline
function isUsable(word: u32, end: u32): bool {
  const pfn = word & PFN_MASK;
  return !(word >> 31) || (pfn - RESERVED_FRAMES < end - RESERVED_FRAMES && folioOf(pfn).refcount != 0);
}

/**
 * Copies the page of each candidate among n words of src to its destination in dst, and zeroes the
 * destinations of holes. Returns the number of pages, or -EINVAL, and changes nothing, if a word names a pfn
 * that does not exist or is free.
 */
export function copyPages(src: usize, dst: usize, n: u32): i32 {
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  let copied: u32 = 0;
  let zeroed: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const from = load<u32>(src + i * 4);
    const to = load<u32>(dst + i * 4);
    if (!isUsable(from, end) || !isUsable(to, end)) return -EINVAL;
    if (isUnit(from) && n - i >= LARGE_PAGES) {
      const pages = checkUnit(from, to, dst + i * 4, end);
      if (pages < 0) return pages;
      copied += from >> 31 ? pages : 0;
      zeroed += from >> 31 ? 0 : pages;
      continue;
    }
    const wanted = (from & MIGRATE_PFN_MIGRATE ? 1 : 0) & (to >> 31);
    copied += wanted & (from >> 31);
    zeroed += wanted & ~(from >> 31);
  }
  if (header(HDR_FRAMES)) copyData(src, dst, n);
  count(COUNT_PAGES_COPIED, copied);
  count(COUNT_PAGES_ZEROED, zeroed);
  return copied + zeroed;
}

/** The destination of page j of a unit: of its large folio, or of its own slot. */
@inline
function partOf(to: u32, dst: usize, j: u32): u32 {
  return isUnit(to) ? to + j : load<u32>(dst + j * 4);
}

/** Counts the pages of a unit that have a destination; -EINVAL if one of them is not usable. */
function checkUnit(from: u32, to: u32, dst: usize, end: u32): i32 {
  if (!(from & MIGRATE_PFN_MIGRATE)) return 0;
  if (from >> 31 && (from & PFN_MASK) + LARGE_PAGES > end) return -EINVAL;
  let pages = 0;
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    if (!isUsable(partOf(to, dst, j), end)) return -EINVAL;
    pages += partOf(to, dst, j) >> 31;
  }
  return pages;
}

/** copyData() of a unit. */
function copyUnit(from: u32, to: u32, dst: usize): void {
  if (from & MIGRATE_PFN_MIGRATE && isUnit(to) && to >> 31) {
    if (from >> 31) copyFrames(to & PFN_MASK, from & PFN_MASK, LARGE_PAGES);
    else zeroFrames(to & PFN_MASK, LARGE_PAGES);
    return;
  }
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const word = partOf(to, dst, j);
    if (!(word >> 31) || !(from & MIGRATE_PFN_MIGRATE)) continue;
    if (from >> 31) copyFrame(word & PFN_MASK, (from & PFN_MASK) + j);
    else zeroFrame(word & PFN_MASK);
  }
}

/** Copies and zeroes the bytes; copyPages() has checked the words. */
function copyData(src: usize, dst: usize, n: u32): void {
  for (const last = src + n * 4; src < last; src += 4, dst += 4) {
    const from = load<u32>(src);
    const to = load<u32>(dst);
    if (isUnit(from) && last - src >= LARGE_PAGES * 4) {
      copyUnit(from, to, dst);
      continue;
    }
    if (!(from & MIGRATE_PFN_MIGRATE) || !(to & (<u32>MIGRATE_PFN_VALID))) continue;
    if (from & (<u32>MIGRATE_PFN_VALID)) copyFrame(to & PFN_MASK, from & PFN_MASK);
    else zeroFrame(to & PFN_MASK);
  }
}
