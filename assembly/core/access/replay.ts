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
  HDR_LRU_TAIL,
  HDR_RAM_LOADS,
  HDR_RAM_STORES,
  HDR_RESULT,
  HDR_XBUF,
} from "../../abi/header";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
  REPLAY_CPU_FAULT,
  REPLAY_DEVICE_FAULT,
  REPLAY_DONE,
  REPLAY_MARK,
  REPLAY_NO_VMA,
} from "../../abi/record";
import { header, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags, ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { lruIsKept, lruNewer, lruTouch } from "../frame/recency";
import { zoneOfPfn } from "../frame/zone";
import { deviceTableOf } from "../space/device-table";
import { Mm, mmAt } from "../space/mm";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "../space/rmap";
import { isBelowStack } from "../space/stack";
import { vmaLookup } from "../space/vma";
import { leafTable, walk } from "../table/pagetable";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

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

/** Whether an entry of the buffer serves an access: a load may use one that is writable or not. */
@inline
function tlbHits(entry: usize, page: u64, isLoad: u64): bool {
  return (load<u64>(entry) | isLoad) == (page << 1) + 3;
}

/**
 * Fills the buffer's entry from the page table after a miss, and sets PTE bits: `used`, and the dirty bit for
 * a write. Returns false when the access faults.
 */
function tlbFill(root: usize, leaves: usize, entry: usize, page: u64, isLoad: u64, used: u32): bool {
  const slot = cachedWalk(root, leaves, page);
  if (!slot) return false;
  const pte = load<u64>(slot);
  const needs = isLoad ? <u32>PTE_PRESENT : (<u32>PTE_PRESENT) | PTE_WRITE;
  if ((pteFlags(pte) & (needs | PTE_NO_ACCESS)) != needs) return false;
  store<u64>(slot, pte | (<u64>(used | (isLoad ? 0 : PTE_DIRTY))));
  store<u64>(entry, ((page + 1) << 1) | (isLoad ^ 1));
  store<u32>(entry, ptePfn(pte), 8);
  return true;
}

/** Runs records [at, n). Returns REPLAY_*, why it stopped; HDR_RESULT is the number of records done. */
export function replay(mmId: u32, tableId: u32, records: usize, at: u32, n: u32): i32 {
  const table = deviceTableOf(tableId);
  const deviceRoot: usize = changetype<usize>(table) ? <usize>table.root : 0;
  memory.fill(header(HDR_XBUF), 0, (TLB_BYTES + LEAVES_BYTES) * 2);
  setHeader(HDR_RAM_LOADS, 0);
  setHeader(HDR_RAM_STORES, 0);
  setHeaderF64(HDR_RESULT, n);
  return run(mmAt(mmId), deviceRoot, records, records + <usize>at * RECORD_BYTES, n);
}

/** Runs the records from the one at `next` on. Without a device table every access is the CPU's. */
function run(mm: Mm, deviceRoot: usize, records: usize, next: usize, n: u32): i32 {
  const cpuTlb: usize = header(HDR_XBUF);
  const deviceTlb = cpuTlb + TLB_BYTES;
  const cpuLeaves = deviceTlb + TLB_BYTES;
  const deviceBase = header(HDR_DEVICE_BASE);
  // The first page whose use is tracked; none without `trackUse`.
  const base = lruIsKept() ? deviceBase : <u32>-1;
  const byDevice = deviceRoot ? AGENT_MASK : 0;
  // The device's pages that were used last, the newest first. A program goes back and forth between a few
  // pages, so they join the list of all (recency.ts) only when others push them out, or at the end.
  let page0: u32 = 0;
  let page1: u32 = 0;
  let page2: u32 = 0;
  let page3: u32 = 0;
  // The pages of the current record that are done. There is one loop and not one in another, as V8 looks for
  // interrupts wherever a loop begins.
  let done: u64 = 0;
  const last = records + <usize>n * RECORD_BYTES;
  while (next < last) {
    const where = load<u64>(next);
    const how = load<u32>(next, 8);
    const kind = how & RECORD_KIND_MASK;
    const addr = where & ADDRESS_MASK;
    const isLoad: u64 = kind == RECORD_KIND_LOAD ? 1 : 0;
    const page = (addr >> 12) + done;
    const more = page < (addr + (where >> RECORD_SIZE_SHIFT) - 1) >> 12;
    if (kind > <u32>RECORD_KIND_MODIFY) {
      next += RECORD_BYTES;
      if (kind == RECORD_KIND_FETCH) continue;
      noteUse(page0, page1, page2, page3);
      setHeaderF64(HDR_RESULT, indexOf(records, next) - 1);
      return REPLAY_MARK;
    }
    if (!(how & byDevice)) {
      const entry = tlbEntry(cpuTlb, page);
      if (!tlbHits(entry, page, isLoad)) {
        if (!tlbFill(mm.pgd, cpuLeaves, entry, page, isLoad, PTE_YOUNG)) {
          noteUse(page0, page1, page2, page3);
          return stop(mm, indexOf(records, next), page, isLoad, false);
        }
      }
    } else {
      const entry = tlbEntry(deviceTlb, page);
      if (!tlbHits(entry, page, isLoad)) {
        if (!tlbFill(deviceRoot, cpuLeaves + LEAVES_BYTES, entry, page, isLoad, 0)) {
          noteUse(page0, page1, page2, page3);
          return stop(mm, indexOf(records, next), page, isLoad, true);
        }
      }
      const pfn = load<u32>(entry, 8);
      if (pfn < base) {
        if (pfn < deviceBase && !more) countRam(kind);
      } else if (pfn != page0) {
        if (pfn != page1) {
          if (pfn != page2) {
            if (pfn != page3) noteUse(0, 0, 0, page3);
            page3 = page2;
          }
          page2 = page1;
        }
        page1 = page0;
        page0 = pfn;
      }
    }
    if (more) done++;
    else {
      done = 0;
      next += RECORD_BYTES;
    }
  }
  noteUse(page0, page1, page2, page3);
  return REPLAY_DONE;
}

/** Puts pages of the device at the head of the list of all, the last argument first; 0 is none. */
function noteUse(page0: u32, page1: u32, page2: u32, page3: u32): void {
  if (page3) lruTouch(page3);
  if (page2) lruTouch(page2);
  if (page1) lruTouch(page1);
  if (page0) lruTouch(page0);
}

/** The number of the record at `record`. */
@inline
function indexOf(records: usize, record: usize): u32 {
  return <u32>(record - records) / RECORD_BYTES;
}

/** Counts an access of the device to system memory: where its last byte lies, so that it counts once. */
function countRam(kind: u32): void {
  if (kind != RECORD_KIND_STORE) setHeader(HDR_RAM_LOADS, header(HDR_RAM_LOADS) + 1);
  if (kind) setHeader(HDR_RAM_STORES, header(HDR_RAM_STORES) + 1);
}

/** Says where the replay stopped and why. */
function stop(mm: Mm, done: u32, page: u64, isLoad: u64, device: bool): i32 {
  setHeaderF64(HDR_RESULT, done);
  setHeaderF64(HDR_FAULT_ADDR, page << 12);
  setHeader(HDR_FAULT_CODE, (<u32>isLoad) ^ 1);
  if (!exists(vmaLookup(mm, page << 12)) && (device || !isBelowStack(mm, page << 12))) return REPLAY_NO_VMA;
  return device ? REPLAY_DEVICE_FAULT : REPLAY_CPU_FAULT;
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
