// Mapping pages in a device's page table: runs of hmm_pfn words become entries, four at a time.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { HMM_PFN_VALID, HMM_PFN_WRITE, PFN_MASK } from "../../uapi/pfn";
import { PTE_PRESENT } from "../../uapi/pte";
import { HDR_SYSTEM_FRAMES } from "../../abi/header";
import { header, RESERVED_FRAMES } from "../base/layout";
import { exists } from "../base/object";
import { DEBUG } from "../base/panic";
import { makePte } from "../base/pte";
import { validPfn } from "../frame/zone";
import { DEVICE_OWNER, leafEnd, walkAlloc } from "../table/pagetable";
import { DeviceTable, deviceTableOf } from "./device-table";

/** Tells whether a word names a page that a table may name: a page of any zone, or the zero page. */
@inline
function isPage(word: u32): bool {
  return validPfn(word & PFN_MASK) || (word & PFN_MASK) == 1;
}

/** Tells whether all words of [pfns, words) that are VALID name pages. */
function areMappable(pfns: usize, words: usize): bool {
  // Four words at a time, while all name system memory, which has no holes. For other words isPage() looks
  // the zone up.
  const system = i32x4.splat(header(HDR_SYSTEM_FRAMES) + RESERVED_FRAMES - 1);
  const ones = i32x4.splat(1);
  const mask = i32x4.splat(PFN_MASK);
  while (pfns < words) {
    if (pfns + 16 <= words) {
      const four = v128.load(pfns);
      const inSystem = i32x4.lt_u(i32x4.sub(v128.and(four, mask), ones), system);
      if (!i32x4.bitmask(v128.andnot(four, inSystem))) {
        if (DEBUG) checkPages(pfns);
        pfns += 16;
        continue;
      }
    }
    const word = load<u32>(pfns);
    if (word & (<u32>HMM_PFN_VALID) && !isPage(word)) return false;
    pfns += 4;
  }
  return true;
}

/** Asserts what areMappable() found of the four words at `pfns`, a word at a time. */
function checkPages(pfns: usize): void {
  for (const last = pfns + 16; pfns < last; pfns += 4) {
    const word = load<u32>(pfns);
    assert(!(word & (<u32>HMM_PFN_VALID)) || isPage(word), "areMappable: a word names no page");
  }
}

/** Returns the entry for a word that is VALID. */
@inline
function deviceEntry(word: u32): u64 {
  return makePte(word & PFN_MASK, (<u32>PTE_PRESENT) | (word & HMM_PFN_WRITE));
}

/**
 * Makes entries from `slot` on for the words from `from` on, four at a time, while all four are VALID, and
 * counts the new ones. Returns the address of the first word that is left.
 */
function mapRun(table: DeviceTable, slot: usize, from: usize, last: usize): usize {
  // VALID and WRITE stand where an entry has PTE_PRESENT and PTE_WRITE.
  const bits = i32x4.splat(<i32>(HMM_PFN_VALID | HMM_PFN_WRITE));
  const mask = i32x4.splat(PFN_MASK);
  const zero = i64x2.splat(0);
  let empty = zero;
  let at = from;
  for (; at + 16 <= last; at += 16, slot += 32) {
    const four = v128.load(at);
    if (i32x4.bitmask(four) != 15) break;
    const flags = v128.and(four, bits);
    const pages = v128.and(four, mask);
    empty = i64x2.add(empty, i64x2.add(i64x2.eq(v128.load(slot), zero), i64x2.eq(v128.load(slot, 16), zero)));
    v128.store(slot, v128.shuffle<i32>(flags, pages, 0, 4, 1, 5));
    v128.store(slot, v128.shuffle<i32>(flags, pages, 2, 6, 3, 7), 16);
    if (DEBUG) {
      for (let i: u32 = 0; i < 4; i++)
        assert(load<u64>(slot + i * 8) == deviceEntry(load<u32>(at + i * 4)), "mapRun: another entry");
    }
  }
  table.entries -= <u32>(i64x2.extract_lane(empty, 0) + i64x2.extract_lane(empty, 1)); // true is -1
  return at;
}

/**
 * Makes entries for the words at `pfns` (hmm_pfns), for n pages from `start` on; words that are not VALID are
 * skipped. Returns the number of entries made; -EINVAL, and none is made, for a word that names no page;
 * -ENOMEM.
 */
export function deviceTableMap(id: u32, start: f64, pfns: usize, n: u32): i32 {
  const table = deviceTableOf(id);
  const words = pfns + n * 4;
  if (!exists(table) || !areMappable(pfns, words)) return -EINVAL;
  let mapped = 0;
  let addr = <u64>start;
  while (pfns < words) {
    if (!(load<u32>(pfns) & (<u32>HMM_PFN_VALID))) {
      pfns += 4;
      addr += PAGE_SIZE;
      continue;
    }
    // Within one leaf table the entries are neighbors.
    let slot = walkAlloc(table.root, DEVICE_OWNER | id, addr);
    if (!slot) return -ENOMEM;
    const last = min(words, pfns + ((<usize>(leafEnd(addr, u64.MAX_VALUE) - addr)) >> 10));
    addr += (<u64>(last - pfns)) << 10;
    while (pfns < last) {
      const run = mapRun(table, slot, pfns, last);
      mapped += (<u32>(run - pfns)) >> 2;
      slot += (run - pfns) << 1;
      pfns = run;
      for (const four = min(last, pfns + 16); pfns < four; pfns += 4, slot += 8) {
        const word = load<u32>(pfns);
        if (!(word & (<u32>HMM_PFN_VALID))) continue;
        if (!load<u64>(slot)) table.entries++;
        store<u64>(slot, deviceEntry(word));
        mapped++;
      }
    }
  }
  return mapped;
}
