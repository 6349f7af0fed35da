// MADV_COLLAPSE: copies small pages to a huge one. Pages that are elsewhere (in swap space, on a device) are
// brought first; holes and zero pages become zeros.

import { EAGAIN, EBUSY, EINVAL, ENOMEM } from "../../uapi/errno";
import { FOLIO_ANON, FOLIO_LARGE, FOLIO_LOCKED, FOLIO_LRU, FOLIO_SWAP_CACHE } from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import { VM_NOHUGEPAGE, VM_UFFD_MISSING } from "../../uapi/vm";
import { LARGE_PAGES } from "../base/layout";
import { collapsesReadOnly } from "../base/rules";
import { pteFlags, ptePfn, ptePresent } from "../base/pte";
import { handleFault } from "../fault/fault";
import { allocHuge, hugeFits, mapHuge } from "../fault/huge";
import { Folio, folioOf, isDevicePfn } from "../frame/folio";
import { copyFrame, zeroFrame } from "../frame/frame";
import { memcgHasRoom } from "../frame/memcg";
import { zoneOf } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { isAnonymous, Vma } from "../space/vma";
import { addRss, unmapPage } from "../space/zap";
import { largeMaps, largeRefs } from "../frame/large";
import { headOf } from "../frame/order";
import { HUGE_MASK } from "../table/huge";
import { isHuge, leafTable, readPte, spanEnd } from "../table/pagetable";

/** Success; other results are positive errnos, kept unless a later block overrides them. */
const SCAN_SUCCEED: i32 = 0;
/** Set beside an errno: no later block is looked at. */
const STOPS: i32 = 0x100;

/** CollapseState.step: begin; look at a block; bring its pages; announce `clear` and copy. */
const STEP_BEGIN: u32 = 0;
const STEP_LOOK: u32 = 1;
const STEP_BRING: u32 = 2;
const STEP_CLEAR: u32 = 3;

/** The state of collapseRange(), embedded in MadviseCmd; step is STEP_BEGIN before and after. */
@unmanaged
export class CollapseState {
  /** The block at hand: its first address. */
  block: u64;
  /** STEP_BRING: the address in it that is next. */
  cursor: u64;
  /** STEP_*: what is next for the block. */
  step: u32;
  /** How many blocks are huge. */
  collapsed: u32;
  /** The errno, positive, of the last block that is not. */
  error: u32;
}

/**
 * madvise_collapse of [start, end), which one vma has: every 2 MiB block that lies in it wholly becomes a
 * huge page. 0, REQUEST, or the errno of the last block that did not.
 */
export function collapseRange(cmd: Cmd, state: CollapseState, vma: Vma, start: u64, end: u64): i32 {
  const first = (start + HUGE_MASK) & ~HUGE_MASK;
  const last = end & ~HUGE_MASK;
  if (state.step == STEP_BEGIN) {
    if (!isAnonymous(vma) || vma.flags & VM_NOHUGEPAGE || !hugeFits(vma, vma.end - min(vma.end, PMD_SIZE)))
      return -EINVAL;
    state.block = first;
    state.collapsed = 0;
    state.step = STEP_LOOK;
  }
  while (state.block < last) {
    const result = collapseBlock(cmd, state, vma, state.block);
    if (result == REQUEST) return REQUEST;
    state.step = STEP_LOOK;
    if (result == SCAN_SUCCEED) state.collapsed++;
    else {
      state.error = <u32>(result & ~STOPS);
      if (result & STOPS) break;
    }
    // The blocks of a hole all give the same errno: they are skipped together.
    const pgd = vma.mm.pgd;
    state.block = spanEnd(pgd, leafTable(pgd, state.block), state.block, last);
  }
  state.step = STEP_BEGIN;
  // Like Linux: reject a range that holds no 2 MiB boundary; accept one that begins and ends at the same
  // boundary.
  if (last < first) return -EINVAL;
  return <u64>state.collapsed == (last - first) / PMD_SIZE ? 0 : -(<i32>state.error);
}

/** Collapses one block: SCAN_SUCCEED, an errno (with STOPS or not), or REQUEST. */
function collapseBlock(cmd: Cmd, state: CollapseState, vma: Vma, from: u64): i32 {
  const pgd = vma.mm.pgd;
  const table = leafTable(pgd, from);
  if (!table) return EINVAL;
  if (isHuge(table)) return ptePresent(load<u64>(table)) ? SCAN_SUCCEED : EINVAL;
  if (state.step == STEP_LOOK) {
    const refused = scan(vma, table, true);
    if (refused) return refused;
    if (!zoneOf(0).freeBlocks) return STOPS | ENOMEM;
    if (!memcgHasRoom(vma.mm.memcg, LARGE_PAGES)) return STOPS | EBUSY;
    state.step = STEP_BRING;
    state.cursor = from;
  }
  if (state.step == STEP_BRING) {
    const result = bringPages(cmd, state, vma, from + PMD_SIZE);
    if (result) return result;
    state.step = STEP_CLEAR;
  }
  if (!notifyStart(cmd, cmd.mm, from, from + PMD_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const refused = scan(vma, table, false);
  const head = refused ? 0 : allocHuge(vma.mm);
  if (head) copyAll(vma, from, table, head);
  notifyEnd(cmd);
  return refused ? refused : head ? SCAN_SUCCEED : STOPS | ENOMEM;
}

/**
 * hpage_collapse_scan_pmd: may the pages of a leaf table become one? SCAN_SUCCEED or an errno (with STOPS or
 * not). `away`: entries that are not present do not matter, as their pages will be brought.
 */
function scan(vma: Vma, table: usize, away: bool): i32 {
  let writable = false;
  for (let at = table; at < table + PAGE_SIZE; at += 8) {
    const pte = load<u64>(at);
    const zero = ptePresent(pte) && (pteFlags(pte) & PTE_SPECIAL) != 0;
    if (!pte || zero) {
      if (vma.flags & VM_UFFD_MISSING) return STOPS | EINVAL;
      continue;
    }
    if (!ptePresent(pte)) {
      if (away) continue;
      return EINVAL;
    }
    // A coherent device page (SCAN_PAGE_NULL).
    if (isDevicePfn(ptePfn(pte))) return EINVAL;
    const folio = folioOf(ptePfn(pte));
    if (!folio.has(FOLIO_ANON)) return STOPS | EINVAL;
    if (folio.has(FOLIO_LOCKED) || !folio.has(FOLIO_LRU) || isHeld(ptePfn(pte), folio)) return EAGAIN;
    if (pteFlags(pte) & PTE_WRITE) writable = true;
  }
  // A mapping without an anon_vma has nothing but zero pages (SCAN_PAGE_ANON).
  if (!vma.anonVma) return EINVAL;
  return writable || !away || collapsesReadOnly() ? SCAN_SUCCEED : EINVAL;
}

/** Has the page's folio references beside those of its entries and the swap cache? */
function isHeld(pfn: u32, folio: Folio): bool {
  if (folio.has(FOLIO_LARGE)) return largeRefs(headOf(pfn)) != largeMaps(headOf(pfn));
  return folio.refcount != folio.mapcount + (folio.has(FOLIO_SWAP_CACHE) ? 1 : 0);
}

/**
 * __collapse_huge_page_swapin: faults in what of [state.cursor, end) is elsewhere. 0, an errno (with STOPS or
 * not) or REQUEST.
 */
function bringPages(cmd: Cmd, state: CollapseState, vma: Vma, end: u64): i32 {
  while (state.cursor < end) {
    const pte = readPte(vma.mm.pgd, state.cursor);
    if (cmd.faultPage || (pte && !ptePresent(pte))) {
      const result = handleFault(cmd, vma, state.cursor, 0);
      if (result == REQUEST) return REQUEST;
      if (result) return result == -EAGAIN ? EAGAIN : STOPS | EINVAL;
    }
    state.cursor += PAGE_SIZE;
  }
  return 0;
}

/** Copies the pages of a leaf table to the large folio at `head`, which takes their place in the table. */
function copyAll(vma: Vma, from: u64, table: usize, head: u32): void {
  const mm = vma.mm;
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    const pte = load<u64>(table + i * 8);
    if (!pte || pteFlags(pte) & PTE_SPECIAL) {
      zeroFrame(head + i);
      continue;
    }
    const pfn = ptePfn(pte);
    copyFrame(head + i, pfn);
    addRss(mm, folioOf(pfn), -1);
    unmapPage(pfn, folioOf(pfn));
  }
  mapHuge(vma, from, table, head);
}
