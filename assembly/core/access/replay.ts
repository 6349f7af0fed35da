// Replay: runs recorded accesses at full speed, and stops wherever a decision is needed.
//
// A small translation buffer stands before each agent's table, as in hardware: 256 entries, direct mapped;
// after it the leaf tables that misses have found, 16 of them. They lie in the exchange buffer, behind the
// tables' roots, and are empty at the start of a call, as anything may have changed between calls.
//
//   0                        8        12       16      of a page (bit 0: writable), or of 512:
//  ┌────────────────────────┬────────┬────────┐
//  │ (page number + 1) << 1 │  pfn   │   0    │   (page / 512) + 1, leaf table
//  └────────────────────────┴────────┴────────┘

import { TABLE_ENTRIES } from "../../uapi/page";
import { PTE_DIRTY, PTE_NO_ACCESS, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { XBUF_SIZE } from "../../abi/argument";
import {
  HDR_DEVICE_BASE,
  HDR_FAULT_ADDR,
  HDR_FAULT_CODE,
  HDR_RAM_LOADS,
  HDR_RAM_STORES,
  HDR_RESULT,
  HDR_USES,
  HDR_XBUF,
} from "../../abi/header";
import { RESOURCE_PAGE_TABLE } from "../../abi/pool";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_SIZE_MAX,
  RECORD_SIZE_SHIFT,
  REPLAY_AGENTS_MAX,
  REPLAY_CPU_FAULT,
  REPLAY_DEVICE_FAULT,
  REPLAY_DONE,
  REPLAY_MARK,
  REPLAY_NO_VMA,
  REPLAY_USES_FULL,
} from "../../abi/record";
import { header, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { pteFlags, ptePfn } from "../base/pte";
import { noteUse, usesAreKept } from "../frame/recency";
import { deviceTableOf } from "../space/device-table";
import { Mm, mmAt } from "../space/mm";
import { isBelowStack } from "../space/stack";
import { vmaLookup } from "../space/vma";
import { leafTable } from "../table/pagetable";
import { lookAhead, lookedAhead, lookNowhere } from "./look-ahead";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

const TLB_ENTRIES: u32 = 256;
const TLB_BYTES: u32 = TLB_ENTRIES * 16;
/** Leaf tables that the misses of each agent remember. */
const LEAVES: u32 = 16;
const LEAVES_BYTES: u32 = LEAVES * 16;
/** The roots of the agents' tables, then the agents' buffers. */
const ROOTS_BYTES: u32 = REPLAY_AGENTS_MAX * 4;
const BUFFER_BYTES: u32 = TLB_BYTES + LEAVES_BYTES;
if (ROOTS_BYTES + REPLAY_AGENTS_MAX * BUFFER_BYTES > <u32>XBUF_SIZE) ERROR("REPLAY_AGENTS_MAX");
/** Pages that a record can touch. */
const PAGES_MAX: u32 = (RECORD_SIZE_MAX >> 12) + 2;
/** Engines that have had more page tables than this miss the host's caches: replays look ahead. */
const LARGE_TABLES: u32 = 1024;

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
 * Fills the buffer's entry from the page table after a miss, and sets PTE bits: the accessed bit, and the
 * dirty bit for a write. Returns false when the access faults.
 */
function tlbFill(root: usize, leaves: usize, entry: usize, page: u64, isLoad: u64): bool {
  const slot = cachedWalk(root, leaves, page);
  if (!slot) return false;
  const pte = load<u64>(slot);
  const needs = isLoad ? <u32>PTE_PRESENT : (<u32>PTE_PRESENT) | PTE_WRITE;
  if ((pteFlags(pte) & (needs | PTE_NO_ACCESS)) != needs) return false;
  store<u64>(slot, pte | (isLoad ? <u64>PTE_YOUNG : (<u64>PTE_YOUNG) | PTE_DIRTY));
  store<u64>(entry, ((page + 1) << 1) | (isLoad ^ 1));
  store<u32>(entry, ptePfn(pte), 8);
  return true;
}

/**
 * Runs records [at, n). The exchange buffer has the table of each agent (u32: a device table's id, or 0 for
 * the mm's own); agents beyond the last use the last one's. Where `uses` is not 0, each access of a device to
 * a page of its memory is written there, up to `usesEnd`: the frame's number from the first device frame on,
 * times 2, plus 1 for a write (u32). Returns REPLAY_*, why it stopped; HDR_RESULT is the number of records
 * done, HDR_USES the number of uses written.
 */
export function replay(
  mmId: u32,
  agents: u32,
  records: usize,
  at: u32,
  n: u32,
  uses: usize,
  usesEnd: usize,
): i32 {
  const mm = prepareReplay(mmId, agents);
  return runRecords(mm, agents, records, records + <usize>at * RECORD_BYTES, n, uses, usesEnd);
}

/** Finds the roots of the agents' tables, and empties the buffers and what is counted. Returns the mm. */
export function prepareReplay(mmId: u32, agents: u32): Mm {
  const mm = mmAt(mmId);
  const roots: usize = header(HDR_XBUF);
  for (let agent: u32 = 0; agent < agents; agent++) {
    const id = load<u32>(roots + agent * 4);
    store<u32>(roots + agent * 4, id ? <u32>deviceTableOf(id).root : <u32>mm.pgd);
  }
  memory.fill(roots + ROOTS_BYTES, 0, BUFFER_BYTES * agents);
  lookNowhere();
  setHeader(HDR_RAM_LOADS, 0);
  setHeader(HDR_RAM_STORES, 0);
  setHeader(HDR_USES, 0);
  return mm;
}

/**
 * Runs the records from the one at `next` to number n, with the buffers as prepareReplay() or an earlier call
 * has left them. Returns REPLAY_*.
 */
export function runRecords(
  mm: Mm,
  agents: u32,
  records: usize,
  next: usize,
  n: u32,
  uses: usize,
  usesEnd: usize,
): i32 {
  setHeaderF64(HDR_RESULT, n);
  if (agents <= 2 && !uses && poolHigh(RESOURCE_PAGE_TABLE) <= LARGE_TABLES)
    return runPlain(mm, agents - 1, records, next, n);
  return runFull(mm, agents - 1, records, next, n, uses, usesEnd);
}

/** Drops what the buffers of all agents have of a page, whose entries have changed. */
export function forgetPage(agents: u32, page: u64): void {
  let tlb: usize = header(HDR_XBUF) + ROOTS_BYTES;
  for (; agents; agents--, tlb += BUFFER_BYTES) store<u64>(tlbEntry(tlb, page), 0);
}

/** Runs records with one device at most, no log of uses and small tables. */
function runPlain(mm: Mm, lastAgent: u32, records: usize, next: usize, n: u32): i32 {
  return run(true, mm, lastAgent, records, next, n, 0, 0);
}

/** Runs records where there is more to do. */
function runFull(mm: Mm, lastAgent: u32, records: usize, next: usize, n: u32, uses: usize, end: usize): i32 {
  return run(false, mm, lastAgent, records, next, n, uses, end);
}

/**
 * Runs the records from the one at `next` on. It is compiled twice: each value that the loop keeps costs
 * those that do not need it some percent.
 */
@inline
function run(
  plain: bool,
  mm: Mm,
  lastAgent: u32,
  records: usize,
  next: usize,
  n: u32,
  uses: usize,
  usesEnd: usize,
): i32 {
  const roots: usize = header(HDR_XBUF);
  const deviceBase = header(HDR_DEVICE_BASE);
  const isLarge = !plain && poolHigh(RESOURCE_PAGE_TABLE) > LARGE_TABLES;
  // The records before this one have been looked at ahead.
  let ahead: usize = isLarge ? lookedAhead() : 0;
  const firstUse = uses;
  // The last place at which a record may begin to write uses.
  const lastUse = usesEnd - PAGES_MAX * 4;
  // The CPU's buffer and table, and the current device's: the only one's, unless there are several.
  const cpuTlb = roots + ROOTS_BYTES;
  const cpuRoot: usize = load<u32>(roots);
  const devices: u32 = lastAgent ? AGENT_MASK : 0;
  let tlb = cpuTlb + BUFFER_BYTES;
  let root: usize = load<u32>(roots, 4);
  // Device pages from this one on join the log of recency.ts.
  const listed = (plain || !uses) && usesAreKept() ? deviceBase : <u32>-1;
  // The devices' pages that were used last, the newest first. A program goes back and forth between a few
  // pages, so they join the log of all uses only when others push them out, or at the end.
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
      noteFour(page0, page1, page2, page3);
      setHeaderF64(HDR_RESULT, indexOf(records, next) - 1);
      if (!plain) setHeader(HDR_USES, (<u32>(uses - firstUse)) >> 2);
      return REPLAY_MARK;
    }
    if (!(how & devices)) {
      const entry = tlbEntry(cpuTlb, page);
      if (!tlbHits(entry, page, isLoad)) {
        if (!plain && isLarge && next >= ahead) ahead = lookAhead(cpuRoot, next, last);
        if (!tlbFill(cpuRoot, cpuTlb + TLB_BYTES, entry, page, isLoad)) {
          noteFour(page0, page1, page2, page3);
          if (!plain) setHeader(HDR_USES, (<u32>(uses - firstUse)) >> 2);
          return stop(mm, indexOf(records, next), page, isLoad, false);
        }
      }
    } else {
      if (!plain && firstUse && !done && uses > lastUse) {
        setHeaderF64(HDR_RESULT, indexOf(records, next));
        setHeader(HDR_USES, (<u32>(uses - firstUse)) >> 2);
        return REPLAY_USES_FULL;
      }
      if (!plain && lastAgent > 1) {
        const device = min((how & AGENT_MASK) >> RECORD_AGENT_SHIFT, lastAgent);
        tlb = cpuTlb + device * BUFFER_BYTES;
        root = load<u32>(roots + device * 4);
      }
      const entry = tlbEntry(tlb, page);
      if (!tlbHits(entry, page, isLoad)) {
        if (!plain && isLarge && next >= ahead) ahead = lookAhead(root, next, last);
        if (!tlbFill(root, tlb + TLB_BYTES, entry, page, isLoad)) {
          noteFour(page0, page1, page2, page3);
          if (!plain && firstUse) {
            // The record starts over: it has used nothing yet.
            for (; done; done--) if (load<u32>(tlbEntry(tlb, page - done), 8) >= deviceBase) uses -= 4;
            setHeader(HDR_USES, (<u32>(uses - firstUse)) >> 2);
          }
          return stop(mm, indexOf(records, next), page, isLoad, true);
        }
      }
      const pfn = load<u32>(entry, 8);
      if (pfn < listed) {
        if (pfn < deviceBase) {
          if (!more) countRam(kind);
        } else if (!plain && firstUse) {
          store<u32>(uses, ((pfn - deviceBase) << 1) | (<u32>(isLoad ^ 1)));
          uses += 4;
        }
      } else if (pfn != page0) {
        if (pfn != page1) {
          if (pfn != page2) {
            if (pfn != page3) noteFour(0, 0, 0, page3);
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
  noteFour(page0, page1, page2, page3);
  if (!plain) setHeader(HDR_USES, (<u32>(uses - firstUse)) >> 2);
  return REPLAY_DONE;
}

/** Notes the uses of pages of the device, the last argument first; 0 is none. */
function noteFour(page0: u32, page1: u32, page2: u32, page3: u32): void {
  if (page3) noteUse(page3);
  if (page2) noteUse(page2);
  if (page1) noteUse(page1);
  if (page0) noteUse(page0);
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
