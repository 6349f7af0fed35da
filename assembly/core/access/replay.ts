// Replay: runs recorded accesses at full speed, and stops wherever a decision is needed.
//
// A small translation buffer stands before the tables, as in hardware: 256 entries each for the CPU and the
// device, direct mapped; after it the leaf tables that misses have found, 16 for each. Both lie in the
// exchange buffer and are empty at the start of a call, as anything may have changed between calls.
//
//   0                        8        12       16      of a page (bit 0: writable), or of 512:
//  ┌────────────────────────┬────────┬────────┐
//  │ (page number + 1) << 1 │  pfn   │   0    │   (page / 512) + 1, leaf table
//  └────────────────────────┴────────┴────────┘

import { EINVAL } from "../../uapi/errno";
import { TABLE_ENTRIES } from "../../uapi/page";
import { PTE_DIRTY, PTE_NO_ACCESS, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import {
  HDR_DEVICE_BASE,
  HDR_FAULT_ADDR,
  HDR_FAULT_CODE,
  HDR_LRU_HEAD,
  HDR_LRU_TAIL,
  HDR_RAM_LOADS,
  HDR_RAM_STORES,
  HDR_RESULT,
  HDR_XBUF,
} from "../../abi/header";
import {
  RECORD_DEVICE_SHIFT,
  RECORD_KIND_SHIFT,
  RECORD_KIND_STORE,
  RECORD_SIZE_LONG,
  RECORD_SIZE_MASK,
  RECORD_SIZE_SHIFT,
  REPLAY_CPU_FAULT,
  REPLAY_DEVICE_FAULT,
  REPLAY_DONE,
  REPLAY_NO_VMA,
} from "../../abi/record";
import { header, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags, ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { lruIsKept, lruMoveToHead, lruNewer } from "../frame/recency";
import { zoneOfPfn } from "../frame/zone";
import { deviceTableOf } from "../space/device-table";
import { Mm, mmAt } from "../space/mm";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "../space/rmap";
import { isBelowStack } from "../space/stack";
import { vmaLookup } from "../space/vma";
import { leafTable, walk } from "../table/pagetable";

const TLB_ENTRIES: u32 = 256;
const TLB_BYTES: u32 = TLB_ENTRIES * 16;
/** Leaf tables that the misses of each agent remember. */
const LEAVES: u32 = 16;
const LEAVES_BYTES: u32 = LEAVES * 16;

/** The address of the translation buffer's entry for a page. */
@inline
function tlbEntry(tlb: usize, page: u64): usize {
  return tlb + (((<u32>page) & (TLB_ENTRIES - 1)) << 4);
}

/**
 * The address of a page's PTE, or 0 without a leaf table. `leaves` holds leaf tables that were found before.
 */
@inline
function cachedWalk(root: usize, leaves: usize, page: u64): usize {
  const span = page >> 9;
  const at = leaves + (((<u32>span) & (LEAVES - 1)) << 4);
  if (load<u64>(at) != span + 1) {
    const table = leafTable(root, page << 12);
    if (!table) return 0;
    store<u64>(at, span + 1);
    store<u32>(at, <u32>table, 8);
  }
  return load<u32>(at, 8) + (((<u32>page) & (TABLE_ENTRIES - 1)) << 3);
}

/** Fills the buffer's entry from the page table after a miss. False when the access faults. */
@inline
function tlbFill(root: usize, leaves: usize, entry: usize, page: u64, write: u64, device: bool): bool {
  const slot = cachedWalk(root, leaves, page);
  if (!slot) return false;
  const pte = load<u64>(slot);
  const needs = write ? (<u32>PTE_PRESENT) | PTE_WRITE : <u32>PTE_PRESENT;
  if ((pteFlags(pte) & (needs | PTE_NO_ACCESS)) != needs) return false;
  const used = (device ? 0 : PTE_YOUNG) | (write ? PTE_DIRTY : 0);
  store<u64>(slot, pte | (<u64>used));
  store<u64>(entry, ((page + 1) << 1) | write);
  store<u32>(entry, ptePfn(pte), 8);
  return true;
}

/** Runs records [at, n). Returns REPLAY_*, why it stopped; HDR_RESULT is the number of records done. */
export function replay(mmId: u32, tableId: u32, records: usize, at: u32, n: u32): i32 {
  const mm = mmAt(mmId);
  const table = deviceTableOf(tableId);
  const deviceRoot: usize = changetype<usize>(table) ? <usize>table.root : 0;
  const cpuTlb: usize = header(HDR_XBUF);
  const cpuLeaves = cpuTlb + TLB_BYTES * 2;
  memory.fill(cpuTlb, 0, (TLB_BYTES + LEAVES_BYTES) * 2);
  const deviceBase = header(HDR_DEVICE_BASE);
  // The first page whose use is tracked; none without `trackUse`.
  const base = lruIsKept() ? deviceBase : <u32>-1;
  // Without a device table every access is the CPU's.
  const deviceBit: u64 = deviceRoot ? 1 : 0;
  let head = header(HDR_LRU_HEAD);
  setHeader(HDR_RAM_LOADS, 0);
  setHeader(HDR_RAM_STORES, 0);
  const last = records + ((<usize>n) << 3);
  for (let next = records + ((<usize>at) << 3); next < last; next += 8) {
    const record = load<u64>(next);
    const addr = record & 0xffffffffffff;
    const size = (record >> RECORD_SIZE_SHIFT) & RECORD_SIZE_MASK;
    const write: u64 = (record >> RECORD_KIND_SHIFT) & 3 ? 1 : 0;
    const device = (record >> RECORD_DEVICE_SHIFT) & deviceBit;
    let lastPage = (addr + size - (size ? 1 : 0)) >> 12;
    if (size & RECORD_SIZE_LONG) lastPage = (addr >> 12) + (size & (RECORD_SIZE_LONG - 1));
    for (let page = addr >> 12; page <= lastPage; page++) {
      const entry = tlbEntry(cpuTlb + <usize>device * TLB_BYTES, page);
      // One comparison: a load may use an entry that is writable or not, a store only one that is.
      if ((load<u64>(entry) | (write ^ 1)) != (((page + 1) << 1) | 1)) {
        const leaves = cpuLeaves + <usize>device * LEAVES_BYTES;
        if (!tlbFill(device ? deviceRoot : <usize>mm.pgd, leaves, entry, page, write, device != 0)) {
          setHeader(HDR_LRU_HEAD, head);
          return stop(mm, (<u32>(next - records)) >> 3, page, write, device != 0);
        }
      }
      if (!device) continue;
      const pfn = load<u32>(entry, 8);
      if (pfn == head) continue;
      if (pfn < base) {
        if (pfn < deviceBase && page == lastPage) countRam(record);
        continue;
      }
      lruMoveToHead(pfn, head);
      head = pfn;
    }
  }
  setHeader(HDR_LRU_HEAD, head);
  setHeaderF64(HDR_RESULT, n);
  return REPLAY_DONE;
}

/** Counts an access of the device to system memory: where its last byte lies, so that it counts once. */
function countRam(record: u64): void {
  const kind = (<u32>(record >> RECORD_KIND_SHIFT)) & 3;
  if (kind != RECORD_KIND_STORE) setHeader(HDR_RAM_LOADS, header(HDR_RAM_LOADS) + 1);
  if (kind) setHeader(HDR_RAM_STORES, header(HDR_RAM_STORES) + 1);
}

/** Says where the replay stopped and why. */
function stop(mm: Mm, done: u32, page: u64, write: u64, device: bool): i32 {
  setHeaderF64(HDR_RESULT, done);
  setHeaderF64(HDR_FAULT_ADDR, page << 12);
  setHeader(HDR_FAULT_CODE, <u32>write);
  if (!exists(vmaLookup(mm, page << 12)) && (device || !isBelowStack(mm, page << 12))) return REPLAY_NO_VMA;
  return device ? REPLAY_DEVICE_FAULT : REPLAY_CPU_FAULT;
}

/** Records that are counted at once, one in each byte of a vector; a byte holds the counts of 255 groups. */
const GROUP: u32 = 16;
const GROUPS_MAX: u32 = 255;
/** The bit of the device's records in the bytes of kindsOf(). */
const BY_DEVICE: i32 = 1 << (RECORD_DEVICE_SHIFT - RECORD_KIND_SHIFT);

/** Returns the high words of four records, which hold the kind and the agent. */
@inline
function highWords(records: usize): v128 {
  return v128.shuffle<u32>(v128.load(records), v128.load(records, 16), 1, 3, 5, 7);
}

/** Returns the kind and, at BY_DEVICE, the agent of eight records, in 16-bit lanes. */
@inline
function kindsOfEight(records: usize): v128 {
  const first = i32x4.shr_u(highWords(records), RECORD_KIND_SHIFT - 32);
  return i16x8.narrow_i32x4_u(first, i32x4.shr_u(highWords(records + 32), RECORD_KIND_SHIFT - 32));
}

/** Returns a byte for each record of a group: its kind, and BY_DEVICE. */
@inline
function kindsOf(records: usize): v128 {
  return i8x16.narrow_i16x8_u(kindsOfEight(records), kindsOfEight(records + 64));
}

/** Adds the sum of 16 bytes to the u32 at `out`. */
@inline
function addBytes(out: usize, bytes: v128): void {
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));
  const two = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
  store<u32>(out, load<u32>(out) + two + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3));
}

/** Counts up to GROUPS_MAX groups. A comparison gives -1 in the bytes of the records for which it holds. */
function countGroups(records: usize, groups: u32, out: usize): void {
  let loads = i8x16.splat(0);
  let stores = loads;
  let modifies = loads;
  let deviceLoads = loads;
  let deviceStores = loads;
  let deviceModifies = loads;
  for (const last = records + groups * GROUP * 8; records < last; records += GROUP * 8) {
    const kinds = kindsOf(records);
    loads = i8x16.sub(loads, i8x16.eq(kinds, i8x16.splat(0)));
    stores = i8x16.sub(stores, i8x16.eq(kinds, i8x16.splat(1)));
    modifies = i8x16.sub(modifies, i8x16.eq(kinds, i8x16.splat(2)));
    deviceLoads = i8x16.sub(deviceLoads, i8x16.eq(kinds, i8x16.splat(<i8>BY_DEVICE)));
    deviceStores = i8x16.sub(deviceStores, i8x16.eq(kinds, i8x16.splat(<i8>(BY_DEVICE | 1))));
    deviceModifies = i8x16.sub(deviceModifies, i8x16.eq(kinds, i8x16.splat(<i8>(BY_DEVICE | 2))));
  }
  addBytes(out, loads);
  addBytes(out + 4, stores);
  addBytes(out + 8, modifies);
  addBytes(out + 16, deviceLoads);
  addBytes(out + 20, deviceStores);
  addBytes(out + 24, deviceModifies);
}

/**
 * Counts n records into the exchange buffer: loads, stores, modifies and a 0 (u32 each) of the CPU, then the
 * device.
 */
export function replayCount(records: usize, n: u32): i32 {
  const out: usize = header(HDR_XBUF);
  memory.fill(out, 0, 32);
  const last = records + ((<usize>n) << 3);
  for (let left = n / GROUP; left;) {
    const groups = min(left, GROUPS_MAX);
    countGroups(records, groups, out);
    records += groups * GROUP * 8;
    left -= groups;
  }
  for (; records < last; records += 8) {
    const high = load<u32>(records, 4);
    const at = out + ((high >> (RECORD_KIND_SHIFT - 32)) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  return 0;
}

/** An address at which mm maps the page; 0 if there is none. */
function addressIn(mmId: u32, pfn: u32): u64 {
  const folio = folioOf(pfn);
  for (let link = rmapFirst(folio); link; link = rmapNext(link, folio)) {
    const vma = rmapVma(link, folio);
    if (vma.mmId != mmId) continue;
    const addr = rmapAddress(vma, folio, link);
    const slot = walk(vma.mm.pgd, addr);
    if (slot && ptePfn(load<u64>(slot)) == pfn) return addr;
  }
  return 0;
}

/**
 * Writes the devmem's pages that the device used longest ago into the exchange buffer: max pfns (u32), then
 * max page numbers of their addresses (f64). Returns how many there are; -EINVAL without `trackUse`.
 */
export function replayOldest(mmId: u32, devmem: u32, max: u32): i32 {
  if (!lruIsKept()) return -EINVAL;
  const pfns: usize = header(HDR_XBUF);
  const pages = (pfns + max * 4 + 7) & ~7;
  let n: u32 = 0;
  for (let pfn = header(HDR_LRU_TAIL); pfn && n < max; pfn = lruNewer(pfn)) {
    if (zoneOfPfn(pfn) != devmem) continue;
    const addr = addressIn(mmId, pfn);
    if (!addr) continue;
    store<u32>(pfns + n * 4, pfn);
    store<f64>(pages + n * 8, <f64>(addr >> 12));
    n++;
  }
  return n;
}
