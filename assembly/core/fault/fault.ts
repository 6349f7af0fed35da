// The fault handler. What an access to one page of anonymous memory does, by its entry:
//
//   entry              read                             write
//   none               maps the zero page               maps a new page
//   zero page          –                                maps a new page, after `clear`
//   write-protected    –                                reuses the page, or maps a copy after `clear`
//   swap               reads the page back              the same
//   device-private     the driver brings it back        the same, then as above
//   device-exclusive   the CPU takes it back, after     the same, then as above
//                      `exclusive`
//   migration          -EAGAIN: the caller must wait    the same

import { COUNT_FAULT, COUNT_REQUEST } from "../../abi/counter";
import { FOLIO_ANON_EXCLUSIVE, FOLIO_LOCKED, FOLIO_LRU } from "../../abi/frame";
import {
  HDR_FAULT_CODE,
  HDR_FAULT_KIND,
  HDR_HUGEPAGES,
  HDR_REQ_ANSWER,
  HDR_REQ_DEVMEM,
  HDR_REQ_FLAGS,
  HDR_REQ_KIND,
  HDR_REQ_MM,
  HDR_REQ_ORDER,
  HDR_REQ_PAGE,
  HDR_REQ_START,
  HDR_REQ_VMA,
  HDR_ZERO_PFN,
  HUGEPAGES_SIZED,
} from "../../abi/header";
import { REQUEST, REQUEST_DEVICE_FAULT } from "../../abi/request";
import {
  FAULT_KIND_ANON,
  FAULT_KIND_DEVICE,
  FAULT_KIND_EXCLUSIVE,
  FAULT_KIND_SPURIOUS,
  FAULT_KIND_ZERO,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
} from "../../uapi/event";
import { PAGE_SIZE, TABLE_SHIFT } from "../../uapi/page";
import {
  PTE_DIRTY,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  ACCESS_PIN,
  ACCESS_WRITE,
  FAULT_LOOP,
  FAULT_OOM,
  FAULT_SIGBUS,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_HUGETLB,
  VM_SPECIAL,
  VM_UFFD_MISSING,
  VM_WRITE,
} from "../../uapi/vm";
import { header, setHeader, setHeaderF64 } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import {
  exclusiveComesBackWritable,
  exclusiveGoesPageByPage,
  exclusiveStaysMapped,
  revokeSendsClear,
} from "../base/rules";
import { count } from "../base/stat";
import { folioOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { headOf } from "../frame/order";
import { getPage, putPage } from "../frame/page-alloc";
import { zoneOfPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { anonVmaPrepare } from "../space/anon-vma";
import { inheritFaultPage } from "../operation/refs";
import { mmAt } from "../space/mm";
import { protection, Vma } from "../space/vma";
import { leafTable, readPte, slotOf, walkAlloc } from "../table/pagetable";
import { addNewAnon, allocUserPage, busError, done, mustWait, outOfMemory, writtenFlags } from "./common";
import { mustUnshare, unshareFault, writeProtectFault } from "./cow";
import { fileFault } from "./file";
import { FALLBACK, hugeFault } from "./huge";
import { hugetlbFault } from "./hugetlb";
import { sizedFault } from "./sized";
import { swapFault } from "./swap";

/**
 * A driver that answers "done" this often without having moved the page makes the access loop: the fault
 * fails.
 */
const FAULT_TRIES: u32 = 8;

/**
 * handle_mm_fault: faults in the page at addr (page aligned) of a vma, whose access the caller has checked;
 * `flags` are ACCESS_*. Returns 0 when the entry has changed for the better (the caller looks again: a fault
 * may take several steps), VM_FAULT_* bits when the access fails, -EAGAIN at a page that is locked or
 * migrating, or REQUEST.
 */
export function handleFault(cmd: Cmd, vma: Vma, addr: u64, flags: u32): i32 {
  if (cmd.faultPage) return finishDeviceFault(cmd, vma);
  const table = leafTable(vma.mm.pgd, addr);
  if (table) return handleEntry(cmd, vma, addr, slotOf(table, addr), flags);
  const result = vma.flags & VM_HUGETLB ? hugetlbFault(cmd, vma, addr, flags) : hugeFault(vma, addr, flags);
  if (result != FALLBACK) return result;
  const slot = walkAlloc(vma.mm.pgd, vma.mmId, addr);
  return slot ? handleEntry(cmd, vma, addr, slot, flags) : outOfMemory();
}

/** handleFault() with the entry at `slot`, for callers that have walked the table already. */
export function handleEntry(cmd: Cmd, vma: Vma, addr: u64, slot: usize, flags: u32): i32 {
  const pte = load<u64>(slot);
  if (!pte) {
    if (vma.flags & (VM_UFFD_MISSING | VM_SPECIAL)) {
      // A userfaultfd handler hears of it by the signal; a driver's mapping was complete when it was made.
      return busError();
    }
    if (vma.file) return fileFault(vma, addr, slot, flags);
    return flags & ACCESS_WRITE ? anonymousFault(vma, addr, slot) : zeroPageFault(vma, addr, slot);
  }
  if (!ptePresent(pte)) {
    if (pteKind(pte) == PTE_KIND_DEVICE) return deviceFault(cmd, vma, addr, pte, flags);
    if (pteKind(pte) == PTE_KIND_MIGRATION) return mustWait(ptePfn(pte));
    if (pteKind(pte) == PTE_KIND_SWAP) return swapFault(vma, addr, slot, pte, flags);
    if (pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE) return exclusiveFault(cmd, vma, addr, slot, pte);
    return busError();
  }
  if (flags & ACCESS_WRITE && !(pteFlags(pte) & PTE_WRITE))
    return writeProtectFault(cmd, vma, addr, slot, pte);
  if ((flags & (ACCESS_WRITE | ACCESS_PIN)) == ACCESS_PIN && mustUnshare(pte, vma))
    return unshareFault(cmd, vma, addr, slot, pte);
  store<u64>(slot, pte | PTE_YOUNG | (flags & ACCESS_WRITE ? PTE_DIRTY : 0));
  return done(vma, addr, FAULT_KIND_SPURIOUS, ptePfn(pte));
}

/** do_anonymous_page, for a read. */
function zeroPageFault(vma: Vma, addr: u64, slot: usize): i32 {
  const zero = header(HDR_ZERO_PFN);
  store<u64>(slot, makePte(zero, (<u32>PTE_PRESENT) | PTE_YOUNG | PTE_SPECIAL | protection(vma)));
  return done(vma, addr, FAULT_KIND_ZERO, zero);
}

/** do_anonymous_page, for a write. */
@inline
function anonymousFault(vma: Vma, addr: u64, slot: usize): i32 {
  if (!anonVmaPrepare(vma)) return outOfMemory();
  if (header(HDR_HUGEPAGES) & HUGEPAGES_SIZED && sizedFault(vma, addr, slot)) return 0;
  const pfn = allocUserPage(vma.mm);
  if (!pfn) return outOfMemory();
  zeroFrame(pfn);
  addNewAnon(vma, addr, folioOf(pfn), FOLIO_LRU);
  store<u64>(slot, makePte(pfn, writtenFlags(vma)));
  return done(vma, addr, FAULT_KIND_ANON, pfn);
}

/** The present entry that a device-exclusive entry stands for: the same page, as accessible as it was. */
@inline
export function restoredPte(pte: u64, vma: Vma): u64 {
  const folio = folioOf(ptePfn(pte));
  const own = exclusiveComesBackWritable()
    ? folio.has(FOLIO_ANON_EXCLUSIVE)
    : (pteFlags(pte) & PTE_WRITE) != 0;
  const write = own && (vma.flags & VM_WRITE) != 0;
  return makePte(ptePfn(pte), (<u32>PTE_PRESENT) | protection(vma) | (write ? PTE_WRITE | PTE_DIRTY : 0));
}

/** remove_device_exclusive_entry: the CPU takes the page back, after devices were told. */
function exclusiveFault(cmd: Cmd, vma: Vma, addr: u64, slot: usize, pte: u64): i32 {
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  // The page that was asked for has the lock: where a large folio goes as a whole, that is its first.
  if (folioOf(exclusiveGoesPageByPage() ? pfn : headOf(pfn)).has(FOLIO_LOCKED)) return mustWait(pfn);
  const event: u32 = revokeSendsClear() ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_EXCLUSIVE;
  if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, event, 0)) return REQUEST;
  store<u64>(slot, restoredPte(pte, vma));
  if (!exclusiveStaysMapped()) folio.maps++;
  notifyEnd(cmd);
  return done(vma, addr, FAULT_KIND_EXCLUSIVE, pfn);
}

/**
 * do_swap_page for a device-private entry: asks the page's driver to migrate the page to system memory.
 * REQUEST or -EAGAIN.
 */
function deviceFault(cmd: Cmd, vma: Vma, addr: u64, pte: u64, flags: u32): i32 {
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_LOCKED)) return mustWait(pfn);
  folio.set(FOLIO_LOCKED);
  getPage(pfn);
  cmd.faultPage = pfn;
  cmd.faultAddr = addr;
  setHeader(HDR_REQ_KIND, REQUEST_DEVICE_FAULT);
  setHeader(HDR_REQ_MM, vma.mmId);
  setHeaderF64(HDR_REQ_START, addr);
  setHeader(HDR_REQ_DEVMEM, zoneOfPfn(pfn));
  setHeader(HDR_REQ_PAGE, pfn);
  setHeader(HDR_REQ_VMA, <u32>vma.ptr);
  setHeader(HDR_REQ_FLAGS, flags);
  setHeader(HDR_REQ_ORDER, pteFlags(pte) & PTE_HUGE ? TABLE_SHIFT : 0);
  setHeader(HDR_REQ_ANSWER, 0);
  count(COUNT_REQUEST);
  return REQUEST;
}

/**
 * Drops the lock and the reference that deviceFault() took on the page that the driver was asked for, if it
 * did.
 */
function releaseFaultPage(cmd: Cmd): void {
  const pfn = cmd.faultPage;
  if (!pfn) return;
  cmd.faultPage = 0;
  if (!inheritFaultPage(pfn)) folioOf(pfn).clear(FOLIO_LOCKED);
  putPage(pfn);
}

/**
 * Ends a device fault whose operation is canceled and will be started again once an asynchronous driver has
 * brought the page back. The fault counts now, since the new operation meets no device page.
 */
export function cancelDeviceFault(cmd: Cmd): void {
  if (!cmd.faultPage) return;
  mmAt(cmd.mm).faults++;
  count(COUNT_FAULT + FAULT_KIND_DEVICE);
  setHeader(HDR_FAULT_KIND, FAULT_KIND_DEVICE);
  releaseFaultPage(cmd);
}

/**
 * Continues after the driver's answer. 0, or VM_FAULT_* bits for a driver that failed or did not move the
 * page.
 */
function finishDeviceFault(cmd: Cmd, vma: Vma): i32 {
  const pfn = cmd.faultPage;
  const answer = header(HDR_REQ_ANSWER);
  releaseFaultPage(cmd);
  if (answer & VM_FAULT_ERROR) {
    setHeader(HDR_FAULT_CODE, answer & VM_FAULT_OOM ? FAULT_OOM : FAULT_SIGBUS);
    return answer & VM_FAULT_ERROR;
  }
  const pte = readPte(vma.mm.pgd, cmd.faultAddr);
  if (pteKind(pte) == PTE_KIND_DEVICE && ptePfn(pte) == pfn && ++cmd.faultTries >= FAULT_TRIES) {
    setHeader(HDR_FAULT_CODE, FAULT_LOOP);
    return VM_FAULT_SIGBUS;
  }
  return done(vma, cmd.faultAddr, FAULT_KIND_DEVICE, ptePfn(pte));
}
