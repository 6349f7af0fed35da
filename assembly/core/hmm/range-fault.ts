// hmm_range_fault: reports what the entries of a range are to a device, faulting pages in where that is
// asked.
//
// Where a slot needs a fault, the walk stops: every page from there to the end of the walk's piece (the vma's
// part of 2 MiB) goes through the fault handler, device pages of the caller included; then the walk goes on
// at that slot. Slots before it hold outputs, slots from it on still hold requests.

import { HDR_FAULT_ADDR } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EAGAIN, EBUSY, EFAULT, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { HMM_PFN_ERROR } from "../../uapi/pfn";
import { PTE_HMM, PTE_KIND_DEVICE } from "../../uapi/pte";
import { VM_FAULT_ERROR, VM_FAULT_OOM, VM_IO, VM_PFNMAP, VM_READ } from "../../uapi/vm";
import { setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags, pteKind, ptePresent } from "../base/pte";
import { handleFault } from "../fault/fault";
import { notifierStale } from "../operation/notify";
import { mmAt } from "../space/mm";
import { Vma, vmaInRange, vmaLookup } from "../space/vma";
import { isHuge, leafTable, slotOf, spanEnd } from "../table/pagetable";
import { encode } from "./encode";
import { beginFault, FAULT_RANGE, fillSlots, isOwn, RangeFaultCmd, rangeNeeds } from "./slots";

/** cmd.phase of OP_RANGE_FAULT. */
const PHASE_WALK: u32 = 0;
const PHASE_FAULT: u32 = 1;

/** OP_RANGE_FAULT: walks, faults in the piece where the walk stopped, walks again from there. */
export function rangeFaultStep(cmd: RangeFaultCmd): i32 {
  while (true) {
    if (cmd.phase == PHASE_FAULT) {
      const result = faultPiece(cmd);
      if (result) return result;
      cmd.phase = PHASE_WALK;
    }
    if (cmd.notifier && notifierStale(cmd.notifier, cmd.seq)) return -EBUSY;
    const result = walkRange(cmd);
    if (result != FAULT_RANGE) return result;
    cmd.phase = PHASE_FAULT;
  }
}

/** Faults [faultStart, faultEnd) in. 0, REQUEST or a negative errno. */
function faultPiece(cmd: RangeFaultCmd): i32 {
  const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
  while (cmd.faultStart < cmd.faultEnd) {
    const result = handleFault(cmd, vma, cmd.faultStart, cmd.faultFlags);
    if (result == REQUEST) return result;
    if (result) {
      setHeaderF64(HDR_FAULT_ADDR, cmd.faultStart);
      if (result == -EAGAIN) return result;
      if (result & VM_FAULT_ERROR) return result & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
    }
    cmd.faultStart += PAGE_SIZE;
  }
  return 0;
}

/** Walks from the cursor on. 0 at the end of the range, FAULT_RANGE, or a negative errno. */
function walkRange(cmd: RangeFaultCmd): i32 {
  const mm = mmAt(cmd.mm);
  while (cmd.cursor < cmd.end) {
    const vma = vmaInRange(mm, cmd.cursor, cmd.end);
    const inside = exists(vma) && vma.start <= cmd.cursor;
    const end = inside ? min(cmd.end, vma.end) : exists(vma) ? vma.start : cmd.end;
    if (inside && vma.flags & VM_READ && !(vma.flags & (VM_IO | VM_PFNMAP))) {
      const result = walkVma(cmd, vma, end);
      if (result) return result;
    } else {
      if (rangeNeeds(cmd, cmd.cursor, end, 0)) {
        setHeaderF64(HDR_FAULT_ADDR, cmd.cursor);
        return -EFAULT;
      }
      fillSlots(cmd, cmd.cursor, end, HMM_PFN_ERROR);
    }
    cmd.cursor = end;
  }
  return 0;
}

/** walkRange() of [cursor, end), which lies in one vma. */
function walkVma(cmd: RangeFaultCmd, vma: Vma, end: u64): i32 {
  const pgd = vma.mm.pgd;
  let next = cmd.cursor;
  while (next < end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = spanEnd(pgd, table, addr, end);
    if (!table) {
      const needs = rangeNeeds(cmd, addr, next, 0);
      if (needs) return beginFault(cmd, vma, addr, next, needs);
      fillSlots(cmd, addr, next, 0);
      continue;
    }
    const first = load<u64>(table);
    const there = ptePresent(first);
    if (isHuge(table) && (there || (pteKind(first) == PTE_KIND_DEVICE && !isOwn(cmd, first)))) {
      // Linux has one entry here: if any slot needs a fault, all of the piece is faulted in.
      const needs = rangeNeeds(cmd, addr, next, pteFlags(first) & (<u32>PTE_HMM));
      if (needs) return beginFault(cmd, vma, addr, next, needs);
      if (!there) {
        fillSlots(cmd, addr, next, HMM_PFN_ERROR);
        continue;
      }
    }
    const result = encode(cmd, vma, slotOf(table, addr), addr, next);
    if (result) return result;
  }
  return 0;
}
