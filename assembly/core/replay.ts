// Replay: runs recorded accesses at full speed, and stops wherever somebody has to decide something.
//
// A small translation buffer stands before the tables, as it does in hardware: 256 entries each for the CPU and the
// device, direct mapped. It lives in the exchange buffer and starts empty with every call, since anything may have
// changed in between.
//
//   0                        8        12       16
//  ┌────────────────────────┬────────┬────────┐
//  │ (page number + 1) << 1 │  pfn   │   0    │   bit 0: writable
//  └────────────────────────┴────────┴────────┘

import { PTE_DIRTY, PTE_NO_ACCESS, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../uapi/pte";
import {
  HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_LRU_TAIL, HDR_RESULT, HDR_XBUF, RECORD_DEVICE_SHIFT,
  RECORD_KIND_SHIFT, RECORD_SIZE_SHIFT, REPLAY_CPU_FAULT, REPLAY_DEVICE_FAULT, REPLAY_DONE, REPLAY_NO_VMA,
} from "../uapi/struct";
import { deviceTableOf } from "./device-table";
import { folioOf, isDevicePfn } from "./folio";
import { header, setHeader, setHeaderF64 } from "./layout";
import { lruNewer, lruTouch } from "./lru";
import { Mm, mmAt } from "./mm";
import { walk } from "./pagetable";
import { pteFlags, ptePfn } from "./pte";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "./rmap";
import { some, vmaLookup } from "./vma";
import { zoneOfPfn } from "./zone";

const TLB_ENTRIES: u32 = 256;
const TLB_BYTES: u32 = TLB_ENTRIES * 16;

@inline
function tlbEntry(tlb: usize, page: u64): usize {
  return tlb + ((<u32>page & (TLB_ENTRIES - 1)) << 4);
}

@inline
function tlbHit(entry: usize, page: u64, write: u64): bool {
  const tag = load<u64>(entry);
  return tag >> 1 == page + 1 && (tag & write) == write;
}

/** A miss: looks into the table and fills the entry. False when the access faults. */
function tlbFill(root: usize, entry: usize, page: u64, write: u64, device: bool): bool {
  const slot = walk(root, page << 12);
  if (!slot) return false;
  const pte = load<u64>(slot);
  const needs = write ? <u32>PTE_PRESENT | PTE_WRITE : <u32>PTE_PRESENT;
  if ((pteFlags(pte) & (needs | PTE_NO_ACCESS)) != needs) return false;
  const used = (device ? 0 : PTE_YOUNG) | (write ? PTE_DIRTY : 0);
  store<u64>(slot, pte | <u64>used);
  store<u64>(entry, ((page + 1) << 1) | write);
  store<u32>(entry, ptePfn(pte), 8);
  return true;
}

/** Runs records [at, n). Returns why it stopped; the records done are at HDR_RESULT. */
export function replay(mmId: u32, tableId: u32, records: usize, at: u32, n: u32): i32 {
  const mm = mmAt(mmId);
  const table = deviceTableOf(tableId);
  const deviceRoot: usize = changetype<usize>(table) ? <usize>table.root : 0;
  const cpuTlb: usize = header(HDR_XBUF);
  const deviceTlb = cpuTlb + TLB_BYTES;
  memory.fill(cpuTlb, 0, TLB_BYTES * 2);
  for (let i = at; i < n; i++) {
    const record = load<u64>(records + (i << 3));
    const addr = record & 0xffffffffffff;
    const size = (record >> RECORD_SIZE_SHIFT) & 0xff;
    const write: u64 = (record >> RECORD_KIND_SHIFT) & 3 ? 1 : 0;
    const last = (addr + size - (size ? 1 : 0)) >> 12;
    const device = ((record >> RECORD_DEVICE_SHIFT) & 1) != 0 && deviceRoot != 0;
    for (let page = addr >> 12; page <= last; page++) {
      const entry = tlbEntry(device ? deviceTlb : cpuTlb, page);
      if (!tlbHit(entry, page, write) && !tlbFill(device ? deviceRoot : mm.pgd, entry, page, write, device)) {
        return stop(mm, i, page, write, device);
      }
      if (device && isDevicePfn(load<u32>(entry, 8))) lruTouch(load<u32>(entry, 8));
    }
  }
  setHeaderF64(HDR_RESULT, n);
  return REPLAY_DONE;
}

function stop(mm: Mm, done: u32, page: u64, write: u64, device: bool): i32 {
  setHeaderF64(HDR_RESULT, done);
  setHeaderF64(HDR_FAULT_ADDR, page << 12);
  setHeader(HDR_FAULT_CODE, <u32>write);
  if (!some(vmaLookup(mm, page << 12))) return REPLAY_NO_VMA;
  return device ? REPLAY_DEVICE_FAULT : REPLAY_CPU_FAULT;
}

/** Where a page is mapped in mm; 0 if nowhere. */
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

/** The devmem's pages that the device used longest ago: max pfns (u32), then max addresses (f64, in pages). */
export function replayOldest(mmId: u32, devmem: u32, max: u32): i32 {
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
