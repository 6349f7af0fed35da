// Demand paging: a replay whose device faults the core serves itself, a page at a time, as the simulator's
// driver would: the page that was used longest ago leaves if there is no room, and the page that faulted
// comes. Both are whole migrations (migrate/move.ts). What is not that simple stops the replay as ever: a
// record of several pages, a page that is shared, tables or memory that are missing, subscribers with a
// callback. So each step that is begun here succeeds, and nothing has to be undone.

import { FOLIO_ANON, FOLIO_HEAD, FOLIO_LOCKED, FOLIO_LRU, FOLIO_TAIL } from "../../abi/frame";
import { MOVE_BYTES, MOVE_COPIED, MOVE_WRITTEN } from "../../abi/argument";
import {
  HDR_FAIL_ALLOC,
  HDR_FAULT_ADDR,
  HDR_FLAG_LOG,
  HDR_FLAG_STEPS,
  HDR_FLAGS,
  HDR_RESULT,
  HDR_USES,
  HEADER,
} from "../../abi/header";
import {
  PAGING_CAME,
  PAGING_COPIED,
  PAGING_EVENTS_MAX,
  PAGING_LEFT,
  PAGING_LEFT_DIRTY,
  RECORD_BYTES,
  RECORD_SIZE_SHIFT,
  REPLAY_DEVICE_FAULT,
} from "../../abi/record";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_KIND_DEVICE, PTE_KIND_MASK, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import { VM_HUGETLB, VM_SPECIAL, VM_UFFD_MISSING, VM_WRITE } from "../../uapi/vm";
import { oldestAddress } from "../access/oldest";
import { forgetPage, prepareReplay, runRecords } from "../access/replay";
import { header, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags, ptePfn } from "../base/pte";
import { FOLIO_COUNTS, FOLIO_SOLE, folioOf } from "../frame/folio";
import { zoneOf } from "../frame/zone";
import { anybodyIsAsked } from "../operation/notify";
import { deviceTableOf } from "../space/device-table";
import { Mm } from "../space/mm";
import { isAnonymous, vmaLookup } from "../space/vma";
import { isHuge, leafTable, slotOf } from "../table/pagetable";
import { migrateMove } from "./device";

/** The flags of a folio that say whether a page is an ordinary anonymous one. */
const USUAL: u32 = FOLIO_LOCKED | FOLIO_ANON | FOLIO_HEAD | FOLIO_TAIL | FOLIO_LRU;
/** Somebody looks at each change, or an allocation is to fail. */
const WATCHED: u32 = HDR_FLAG_LOG | HDR_FLAG_STEPS;

/**
 * replay() of a CPU and one device, which pages on demand: its page table is `table`, its memory `devmem`,
 * where `room` pages may come before one must leave. Uses must be kept (trackUse). `out` is the address of
 * MOVE_BYTES bytes and of PAGING_EVENTS_MAX f64 after them, which say what came and what left, PAGING_*;
 * HDR_USES is their number. Returns REPLAY_*, as replay() does.
 */
export function replayPaging(
  mmId: u32,
  records: usize,
  at: u32,
  n: u32,
  devmem: u32,
  table: u32,
  room: u32,
  out: usize,
): i32 {
  const mm = prepareReplay(mmId, AGENTS);
  const first = out + MOVE_BYTES;
  const last = first + (PAGING_EVENTS_MAX - 2) * 8;
  let event = first;
  let next = records + <usize>at * RECORD_BYTES;
  let reason = runRecords(mm, AGENTS, records, next, n, 0, 0);
  for (let served: u64 = 0; reason == REPLAY_DEVICE_FAULT && event <= last;) {
    next = records + <usize>load<f64>(HEADER + HDR_RESULT) * RECORD_BYTES;
    const addr = <u64>load<f64>(HEADER + HDR_FAULT_ADDR);
    if (addr == served || !isOfOnePage(next) || isWatched() || !canCome(mm, table, addr)) break;
    if (!room) {
      const oldest = oldestAddress(mmId, devmem);
      if (!oldest || !canLeave(mm, oldest) || !move(mmId, oldest, 0, devmem, table, out)) break;
      event = note(event, oldest, found(out, MOVE_WRITTEN) ? PAGING_LEFT_DIRTY : PAGING_LEFT);
      room++;
    }
    if (!zoneOf(devmem).freePages || !move(mmId, addr, 1, devmem, table, out)) break;
    event = note(event, addr, found(out, MOVE_COPIED) ? PAGING_COPIED : PAGING_CAME);
    room--;
    served = addr;
    reason = runRecords(mm, AGENTS, records, next, n, 0, 0);
  }
  setHeader(HDR_USES, (<u32>(event - first)) >> 3);
  return reason;
}

/** The CPU and the device. */
const AGENTS: u32 = 2;

/** Moves the page at an address. Returns whether it has moved. */
function move(mmId: u32, addr: u64, toDevice: u32, devmem: u32, table: u32, out: usize): bool {
  const moved = migrateMove(mmId, <f64>addr, <f64>(addr + PAGE_SIZE), toDevice, devmem, table, 0, 0, out);
  forgetPage(AGENTS, addr >> 12);
  return moved == 1;
}

/** Writes what happened to the page at an address. Returns the place after it. */
@inline
function note(event: usize, addr: u64, what: u32): usize {
  store<f64>(event, <f64>(((addr >> 12) << 2) | what));
  return event + 8;
}

/** Whether one of a move's answers about one page is yes. */
@inline
function found(out: usize, which: u32): bool {
  return load<u16>(out + which) != 0;
}

/** Whether a record accesses one page. */
@inline
function isOfOnePage(record: usize): bool {
  const where = load<u64>(record);
  return (where & (PAGE_SIZE - 1)) + max<u64>(where >> RECORD_SIZE_SHIFT, 1) <= <u64>PAGE_SIZE;
}

/** Whether somebody follows each change, or an allocation is to fail. */
@inline
function isWatched(): bool {
  return (header(HDR_FLAGS) & WATCHED) != 0 || header(HDR_FAIL_ALLOC) != 0;
}

/** Whether a page of kind `kind` is an anonymous one with one mapping and no other reference. */
function isSole(pte: u64, kind: u32, lru: u32): bool {
  if ((pteFlags(pte) & (PTE_PRESENT | PTE_SPECIAL | PTE_KIND_MASK)) != kind) return false;
  const folio = folioOf(ptePfn(pte));
  return (folio.counts & FOLIO_COUNTS) == FOLIO_SOLE && ((<u32>folio.flags) & USUAL) == (FOLIO_ANON | lru);
}

/** Whether the page at an address can come to the device, which can then write it. */
function canCome(mm: Mm, table: u32, addr: u64): bool {
  const vma = vmaLookup(mm, addr);
  const flags = exists(vma) ? vma.flags & (VM_WRITE | VM_SPECIAL | VM_HUGETLB | VM_UFFD_MISSING) : 0;
  if (flags != VM_WRITE || !isAnonymous(vma) || mm.memcg) return false;
  const leaf = leafTable(mm.pgd, addr);
  if (!leaf || isHuge(leaf) || !leafTable(deviceTableOf(table).root, addr)) return false;
  const pte = load<u64>(slotOf(leaf, addr));
  const comes = !pte || (isSole(pte, <u32>PTE_PRESENT, FOLIO_LRU) && (pteFlags(pte) & PTE_WRITE) != 0);
  return comes && !anybodyIsAsked(mm, addr, addr + PAGE_SIZE);
}

/** Whether the device's page at an address can leave for RAM. */
function canLeave(mm: Mm, addr: u64): bool {
  const leaf = leafTable(mm.pgd, addr);
  if (!leaf || isHuge(leaf) || !isSole(load<u64>(slotOf(leaf, addr)), PTE_KIND_DEVICE, 0)) return false;
  const ram = zoneOf(0);
  return ram.freePages > ram.tables && !anybodyIsAsked(mm, addr, addr + PAGE_SIZE);
}
