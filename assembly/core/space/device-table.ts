// Device page tables: what a device knows of an address space. The same walker as the CPU's, another root. An entry is
// PTE_PRESENT with the page's pfn, PTE_WRITE if the device may write, PTE_DIRTY once it did.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { DEVICE_PFN_DIRTY, HMM_PFN_VALID, HMM_PFN_WRITE, PFN_MASK } from "../../uapi/pfn";
import { PTE_DIRTY, PTE_PRESENT, PTE_WRITE } from "../../uapi/pte";
import { XBUF_SIZE } from "../../abi/argument";
import { HDR_SYSTEM_FRAMES, HDR_XBUF } from "../../abi/header";
import { DEVICE_TABLE_ENTRIES } from "../../abi/object";
import { RESOURCE_DEVICE_TABLE } from "../../abi/pool";
import { DEVICE_TABLE_SIZE, header, RESERVED_FRAMES } from "../base/layout";
import { exists, none } from "../base/object";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";
import { makePte, pteFlags, ptePfn } from "../base/pte";
import { frameOf } from "../frame/folio";
import { validPfn } from "../frame/zone";
import {
  allocTable,
  DEVICE_OWNER,
  freeAllTables,
  freeTables,
  leafEnd,
  leafTable,
  readPte,
  slotOf,
  slotsEnd,
  spanEnd,
  walk,
  walkAlloc,
} from "../table/pagetable";
import { mmOf } from "./mm";


@unmanaged
export class DeviceTable {
  /** 0: not in use */
  root: u32;
  mm: u32;
  entries: u32;
  unused: u32;
}

if (offsetof<DeviceTable>() != DEVICE_TABLE_SIZE) ERROR("DEVICE_TABLE_SIZE");
if (offsetof<DeviceTable>("entries") != DEVICE_TABLE_ENTRIES) ERROR("DEVICE_TABLE_ENTRIES");


@inline
export function deviceTableAt(id: u32): DeviceTable {
  return changetype<DeviceTable>(poolObject(RESOURCE_DEVICE_TABLE, id));
}

/** The table of an id, or null. */
export function deviceTableOf(id: u32): DeviceTable {
  if (!id || id > poolHigh(RESOURCE_DEVICE_TABLE)) return none<DeviceTable>();
  const table = deviceTableAt(id);
  // A free object's first word is a link to another object: only a table page counts as a root.
  return table.root && table.unused ? table : none<DeviceTable>();
}

export function deviceTableCreate(mmId: u32): i32 {
  if (mmId && !exists(mmOf(mmId))) return -EINVAL;
  const table = changetype<DeviceTable>(poolAlloc(RESOURCE_DEVICE_TABLE));
  if (!exists(table)) return -ENOMEM;
  const id = poolId(RESOURCE_DEVICE_TABLE, changetype<usize>(table));
  const root = allocTable(DEVICE_OWNER | id, 3, 0);
  if (!root) {
    poolFree(RESOURCE_DEVICE_TABLE, changetype<usize>(table));
    return -ENOMEM;
  }
  table.root = <u32>root;
  table.mm = mmId;
  table.unused = 1;
  return id;
}

export function deviceTableDestroy(id: u32): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  freeAllTables(table.root);
  table.unused = 0;
  poolFree(RESOURCE_DEVICE_TABLE, changetype<usize>(table));
  return 0;
}

/** One entry. False when no table could be made for it. */
export function deviceTableSet(id: u32, table: DeviceTable, addr: u64, pte: u64): bool {
  const slot = walkAlloc(table.root, DEVICE_OWNER | id, addr);
  if (!slot) return false;
  if (!load<u64>(slot)) table.entries++;
  store<u64>(slot, pte);
  return true;
}

/** A page that a table may name: of any zone, or the zero page. */
@inline
function isPage(word: u32): bool {
  return validPfn(word & PFN_MASK) || (word & PFN_MASK) == 1;
}

/** Do all words that are VALID name pages? */
function areMappable(pfns: usize, words: usize): bool {
  // System memory has no holes; for the rest the zone is looked up.
  const system = i32x4.splat(header(HDR_SYSTEM_FRAMES) + RESERVED_FRAMES - 1);
  const ones = i32x4.splat(1);
  const mask = i32x4.splat(PFN_MASK);
  while (pfns < words) {
    if (pfns + 16 <= words) {
      const four = v128.load(pfns);
      const inSystem = i32x4.lt_u(i32x4.sub(v128.and(four, mask), ones), system);
      if (!i32x4.bitmask(v128.andnot(four, inSystem))) {
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

/**
 * Four entries at a time, as long as the four words are VALID. Returns the word at which that is not so, or fewer are left;
 * the table's count of entries is right for the words before it.
 */
function mapRun(table: DeviceTable, slot: usize, from: usize, last: usize): usize {
  const bits = i32x4.splat(<i32>(HMM_PFN_VALID | HMM_PFN_WRITE)); // in the places of PTE_PRESENT and PTE_WRITE
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
  }
  table.entries -= <u32>(i64x2.extract_lane(empty, 0) + i64x2.extract_lane(empty, 1)); // true is -1
  return at;
}

export function deviceTableMap(id: u32, start: f64, pfns: usize, n: u32): i32 {
  const table = deviceTableOf(id);
  const words = pfns + n * 4;
  if (!changetype<usize>(table) || !areMappable(pfns, words)) return -EINVAL;
  let mapped = 0;
  let addr = <u64>start;
  while (pfns < words) {
    if (!(load<u32>(pfns) & (<u32>HMM_PFN_VALID))) {
      pfns += 4;
      addr += PAGE_SIZE;
      continue;
    }
    // Within one leaf table the entries are neighbours.
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
        store<u64>(slot, makePte(word & PFN_MASK, (<u32>PTE_PRESENT) | (word & HMM_PFN_WRITE)));
        mapped++;
      }
    }
  }
  return mapped;
}

/** Of PTE_PRESENT, which every entry has, and PTE_WRITE. */
const PTE_PRESENT_BIT: i32 = 31;
const PTE_WRITE_BIT: i32 = 30;
if (1 << PTE_PRESENT_BIT != <i32>PTE_PRESENT) ERROR("PTE_PRESENT_BIT");
if (1 << PTE_WRITE_BIT != PTE_WRITE) ERROR("PTE_WRITE_BIT");

/** Leaves the entries of [start, end) the bits of `keep`, four at a time. How many had bit number `counted`. */
function keepBits(root: u32, start: u64, end: u64, keep: u64, counted: i32): u32 {
  const mask = i64x2.splat(keep);
  const one = i64x2.splat(1);
  let sum = i64x2.splat(0);
  let more: u32 = 0;
  let next = start;
  while (next < end) {
    const addr = next;
    const leaf = leafTable(root, addr);
    next = spanEnd(root, leaf, addr, end);
    if (!leaf) continue;
    let at = slotOf(leaf, addr);
    const last = slotsEnd(leaf, addr, next);
    for (; at + 32 <= last; at += 32) {
      const low = v128.load(at);
      const high = v128.load(at, 16);
      v128.store(at, v128.and(low, mask));
      v128.store(at, v128.and(high, mask), 16);
      sum = i64x2.add(sum, v128.and(i64x2.shr_u(low, counted), one));
      sum = i64x2.add(sum, v128.and(i64x2.shr_u(high, counted), one));
    }
    for (; at < last; at += 8) {
      const pte = load<u64>(at);
      store<u64>(at, pte & keep);
      more += (<u32>(pte >> counted)) & 1;
    }
  }
  return more + <u32>(i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1));
}

/** Drops entries; leaf tables that the range covers wholly go too. */
export function clearDeviceRange(table: DeviceTable, start: u64, end: u64): u32 {
  const cleared = keepBits(table.root, start, end, 0, PTE_PRESENT_BIT);
  table.entries -= cleared;
  if (end - start >= <u64>PMD_SIZE) freeTables(table.root, start, end, start, end);
  return cleared;
}

export function deviceTableClear(id: u32, start: f64, end: f64): i32 {
  const table = deviceTableOf(id);
  return changetype<usize>(table) ? clearDeviceRange(table, <u64>start, <u64>end) : -EINVAL;
}

/** An address space ends: no table names its pages any more. */
export function clearDeviceTablesOf(mmId: u32): void {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_DEVICE_TABLE); id++) {
    const table = deviceTableOf(id);
    if (!changetype<usize>(table) || table.mm != mmId) continue;
    clearDeviceRange(table, 0, (<u64>1) << 48);
    table.mm = 0;
  }
}

export function deviceTableProtect(id: u32, start: f64, end: f64): i32 {
  const table = deviceTableOf(id);
  return changetype<usize>(table)
    ? keepBits(table.root, <u64>start, <u64>end, ~(<u64>PTE_WRITE), PTE_WRITE_BIT)
    : -EINVAL;
}

/** An entry as drivers see it. */
@inline
function deviceWord(pte: u64): u32 {
  const flags = pteFlags(pte);
  return (
    (flags & ((<u32>PTE_PRESENT) | PTE_WRITE)) | (flags & PTE_DIRTY ? DEVICE_PFN_DIRTY : 0) | ptePfn(pte)
  );
}

export function deviceTableLookup(id: u32, addr: f64): u32 {
  const table = deviceTableOf(id);
  return changetype<usize>(table) ? deviceWord(readPte(table.root, <u64>addr)) : 0;
}

export function deviceTableSnapshot(id: u32, start: f64, n: u32, out: usize): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  let found = 0;
  for (let i: u32 = 0; i < n; i++) {
    const word = deviceWord(readPte(table.root, <u64>start + ((<u64>i) << 12)));
    store<u32>(out + i * 4, word);
    if (word) found++;
  }
  return found;
}

export function deviceTableAccess(id: u32, addr: f64, length: u32, write: u32): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  const buffer = header(HDR_XBUF);
  const total = min<u32>(length, XBUF_SIZE);
  const start = <u64>addr;
  let done: u32 = 0;
  while (done < total) {
    const slot = walk(table.root, start + done);
    const pte = slot ? load<u64>(slot) : 0;
    if (!pte || (write && !(pteFlags(pte) & PTE_WRITE))) break;
    const offset = (<u32>(start + done)) & (PAGE_SIZE - 1);
    const part = min<u32>(PAGE_SIZE - offset, total - done);
    const frame = frameOf(ptePfn(pte)) + offset;
    if (write) {
      store<u64>(slot, pte | PTE_DIRTY);
      if (frameOf(0)) memory.copy(frame, buffer + done, part);
    } else if (frameOf(0)) {
      memory.copy(buffer + done, frame, part);
    } else {
      memory.fill(buffer + done, 0, part);
    }
    done += part;
  }
  return done;
}
