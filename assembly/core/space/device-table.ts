// Device page tables: what a device knows of an address space. The walker is the CPU's, with another root. An
// entry is PTE_PRESENT with the page's pfn, PTE_WRITE if the device may write, PTE_YOUNG once it has accessed
// the page, PTE_DIRTY once it has written.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { DEVICE_PFN_DIRTY } from "../../uapi/pfn";
import { PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { XBUF_SIZE } from "../../abi/argument";
import { HDR_XBUF } from "../../abi/header";
import { DEVICE_TABLE_ENTRIES } from "../../abi/object";
import { RESOURCE_DEVICE_TABLE } from "../../abi/pool";
import { DEVICE_TABLE_SIZE, header } from "../base/layout";
import { exists, none } from "../base/object";
import { DEBUG } from "../base/panic";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";
import { pteFlags, ptePfn } from "../base/pte";
import { frameOf } from "../frame/folio";
import { markFrame } from "../frame/frame";
import { zoneOf } from "../frame/zone";
import {
  addressOf,
  allocTable,
  DEVICE_OWNER,
  freeAllTables,
  freeTables,
  leafTable,
  readPte,
  slotOf,
  slotsEnd,
  SPACE_END,
  spanEnd,
  walk,
} from "../table/pagetable";
import { mmOf } from "./mm";

/** A device's page table. */
@unmanaged
export class DeviceTable {
  /** The root table. In a free object this word links to another object. */
  root: u32;
  /** The mm that verify() compares the table with; 0: none. */
  mm: u32;
  /** The number of entries. */
  entries: u32;
  inUse: u32;
}

if (offsetof<DeviceTable>() != DEVICE_TABLE_SIZE) ERROR("DEVICE_TABLE_SIZE");
if (offsetof<DeviceTable>("entries") != DEVICE_TABLE_ENTRIES) ERROR("DEVICE_TABLE_ENTRIES");

/** Returns the object of an id, in use or not. */
@inline
function deviceTableAt(id: u32): DeviceTable {
  return changetype<DeviceTable>(poolObject(RESOURCE_DEVICE_TABLE, id));
}

/** Returns the table of an id, or none. */
export function deviceTableOf(id: u32): DeviceTable {
  if (!id || id > poolHigh(RESOURCE_DEVICE_TABLE)) return none<DeviceTable>();
  const table = deviceTableAt(id);
  return table.inUse ? table : none<DeviceTable>();
}

/** Creates an empty table. Returns its id, -EINVAL for an mm that does not exist (0: no mm), or -ENOMEM. */
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
  table.inUse = 1;
  return id;
}

/** Destroys a table with its entries. Returns 0, or -EINVAL. */
export function deviceTableDestroy(id: u32): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  freeAllTables(table.root);
  table.inUse = 0;
  poolFree(RESOURCE_DEVICE_TABLE, changetype<usize>(table));
  return 0;
}

/** The numbers of three bits: PTE_PRESENT, which every entry has, PTE_WRITE and PTE_YOUNG. */
const PTE_PRESENT_BIT: i32 = 31;
const PTE_WRITE_BIT: i32 = 30;
const PTE_YOUNG_BIT: i32 = 29;
if (1 << PTE_PRESENT_BIT != <i32>PTE_PRESENT) ERROR("PTE_PRESENT_BIT");
if (1 << PTE_WRITE_BIT != PTE_WRITE) ERROR("PTE_WRITE_BIT");
if (1 << PTE_YOUNG_BIT != PTE_YOUNG) ERROR("PTE_YOUNG_BIT");

/**
 * Clears the bits outside `keep` in the entries of [start, end). Returns how many entries had bit number
 * `counted`.
 */
function keepBits(root: u32, start: u64, end: u64, keep: u64, counted: i32): u32 {
  const mask = i64x2.splat(keep);
  const one = i64x2.splat(1);
  let sum = i64x2.splat(0);
  let more: u32 = 0;
  let plain: u32 = 0; // the count, an entry at a time
  let next = start;
  while (next < end) {
    const addr = next;
    const leaf = leafTable(root, addr);
    next = spanEnd(root, leaf, addr, end);
    if (!leaf) continue;
    let at = slotOf(leaf, addr);
    const last = slotsEnd(leaf, addr, next);
    if (DEBUG) for (let slot = at; slot < last; slot += 8) plain += (<u32>(load<u64>(slot) >> counted)) & 1;
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
  more += <u32>(i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1));
  if (DEBUG) assert(more == plain, "keepBits: another count");
  return more;
}

/**
 * Drops the entries of [start, end), and the page tables that the range covers wholly. Returns their number.
 */
export function clearDeviceRange(table: DeviceTable, start: u64, end: u64): u32 {
  const cleared = keepBits(table.root, start, end, 0, PTE_PRESENT_BIT);
  table.entries -= cleared;
  if (end - start >= <u64>PMD_SIZE) freeTables(table.root, start, end, start, end);
  return cleared;
}

/** Drops the entries of [start, end). Returns their number, or -EINVAL. */
export function deviceTableClear(id: u32, start: f64, end: f64): i32 {
  const table = deviceTableOf(id);
  return exists(table) ? clearDeviceRange(table, <u64>start, <u64>end) : -EINVAL;
}

/** Empties the tables of an address space that closes. */
export function clearDeviceTablesOf(mmId: u32): void {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_DEVICE_TABLE); id++) {
    const table = deviceTableOf(id);
    if (!exists(table) || table.mm != mmId) continue;
    clearDeviceRange(table, 0, SPACE_END);
    table.mm = 0;
  }
}

/** Takes the permission to write from the entries of [start, end). Returns how many had it. */
export function protectDeviceRange(table: DeviceTable, start: u64, end: u64): u32 {
  return keepBits(table.root, start, end, ~(<u64>PTE_WRITE), PTE_WRITE_BIT);
}

/** Takes the permission to write from the entries of [start, end). Returns how many had it, or -EINVAL. */
export function deviceTableProtect(id: u32, start: f64, end: f64): i32 {
  const table = deviceTableOf(id);
  return exists(table) ? protectDeviceRange(table, <u64>start, <u64>end) : -EINVAL;
}

/** Makes the entries of [start, end) not accessed. Returns how many were, or -EINVAL. */
export function deviceTableClearAccessed(id: u32, start: f64, end: f64): i32 {
  const table = deviceTableOf(id);
  return exists(table)
    ? keepBits(table.root, <u64>start, <u64>end, ~(<u64>PTE_YOUNG), PTE_YOUNG_BIT)
    : -EINVAL;
}

/**
 * Stores a byte for each of n pages from `start` on at `out`: 1 if the device has accessed the page through
 * its entry, else 0. Returns how many are 1, or -EINVAL.
 */
export function deviceTableAccessed(id: u32, start: f64, n: u32, out: usize): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  let found = 0;
  for (let i: u32 = 0; i < n; i++) {
    const young = pteFlags(readPte(table.root, <u64>start + ((<u64>i) << 12))) & PTE_YOUNG ? 1 : 0;
    store<u8>(out + i, young);
    found += young;
  }
  return found;
}

/**
 * Stores the words of n addresses (f64 each, below 2^48) at `out`. `used` are the bits that the device's
 * accesses set in the entries that they use: 0, PTE_YOUNG, or for writes PTE_YOUNG | PTE_DIRTY, and then an
 * entry without PTE_WRITE gives 0. Returns how many words are not 0, or -EINVAL.
 */
export function deviceTableTranslate(id: u32, addrs: usize, n: u32, out: usize, used: u32): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  let found = 0;
  for (let i: u32 = 0; i < n; i++) {
    const slot = walk(table.root, <u64>load<f64>(addrs + (i << 3)));
    let pte: u64 = slot ? load<u64>(slot) : 0;
    if (used & PTE_DIRTY && !(pte & PTE_WRITE)) pte = 0;
    if (pte) {
      pte |= used;
      store<u64>(slot, pte);
      found++;
    }
    store<u32>(out + i * 4, deviceWord(pte));
  }
  return found;
}

/** Returns an entry as drivers see it: HMM_PFN_VALID, HMM_PFN_WRITE, DEVICE_PFN_DIRTY and the pfn. */
@inline
function deviceWord(pte: u64): u32 {
  const flags = pteFlags(pte);
  return (
    (flags & ((<u32>PTE_PRESENT) | PTE_WRITE)) | (flags & PTE_DIRTY ? DEVICE_PFN_DIRTY : 0) | ptePfn(pte)
  );
}

/** Returns the word of one address; 0 where the table has no entry. */
export function deviceTableLookup(id: u32, addr: f64): u32 {
  const table = deviceTableOf(id);
  return exists(table) ? deviceWord(readPte(table.root, <u64>addr)) : 0;
}

/** Returns how many entries of [start, end) name pages of a zone, or -EINVAL. */
export function deviceTableCount(id: u32, start: f64, end: f64, zoneId: u32): i32 {
  const table = deviceTableOf(id);
  if (!exists(table)) return -EINVAL;
  const first = zoneOf(zoneId).pfnFirst;
  const size = zoneOf(zoneId).pfnEnd - first;
  const until = addressOf(end);
  let found = 0;
  for (let next = addressOf(start); next < until;) {
    const addr = next;
    const leaf = leafTable(table.root, addr);
    next = spanEnd(table.root, leaf, addr, until);
    if (!leaf) continue;
    const last = slotsEnd(leaf, addr, next);
    for (let at = slotOf(leaf, addr); at < last; at += 8)
      found += ptePfn(load<u64>(at)) - first < size ? 1 : 0;
  }
  return found;
}

/** Stores the words of n pages from `start` on at `out`. Returns the number of entries, or -EINVAL. */
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

/**
 * Copies up to `length` bytes between the exchange buffer and the pages at addr, as the device: up to an
 * address without an entry, or, for a write, without the permission. Entries become accessed, and by a write
 * dirty. Returns the bytes done, or -EINVAL.
 */
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
      store<u64>(slot, pte | PTE_YOUNG | PTE_DIRTY);
      if (frameOf(0)) {
        markFrame(ptePfn(pte));
        memory.copy(frame, buffer + done, part);
      }
    } else {
      store<u64>(slot, pte | PTE_YOUNG);
      if (frameOf(0)) memory.copy(buffer + done, frame, part);
      else memory.fill(buffer + done, 0, part);
    }
    done += part;
  }
  return done;
}
