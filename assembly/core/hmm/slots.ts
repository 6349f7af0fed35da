// The slots of hmm_range_fault: a u32 for each page of the range, which holds a request (HMM_PFN_REQ_*) until
// the walk reaches it, and afterwards what the page's entry says (an hmm_pfn word, drawn in uapi/pfn.ts).

import { OWNER_ANY } from "../../abi/argument";
import { COMMAND_SIZE, HDR_FAULT_ADDR } from "../../abi/header";
import { EPERM } from "../../uapi/errno";
import { HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE, HMM_PFN_VALID, HMM_PFN_WRITE } from "../../uapi/pfn";
import { ACCESS_WRITE, VM_WRITE } from "../../uapi/vm";
import { setHeaderF64 } from "../base/layout";
import { ptePfn } from "../base/pte";
import { zoneOf, zoneOfPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { Vma } from "../space/vma";

/** What a slot asks of its entry: a fault, for writing. */
const NEED_FAULT: u32 = 1;
const NEED_WRITE: u32 = 2;
/** Answer of the walk beside 0 and errors: [faultStart, faultEnd) is to be faulted in. */
export const FAULT_RANGE: i32 = 1;

/** OP_RANGE_FAULT of [start, end): the fields of struct hmm_range. The slots before cursor hold outputs. */
@unmanaged
export class RangeFaultCmd extends Cmd {
  /** While faulting: what is left of the piece. */
  faultStart: u64;
  faultEnd: u64;
  /** ACCESS_* of these faults. */
  faultFlags: u32;
  /** The address of u32[], a slot for each page. */
  pfns: u32;
  /** Requests of every slot; the mask says which of a slot's own requests count, too. */
  defaultFlags: u32;
  mask: u32;
  /** Whose device pages are reported as they are, OWNER_ANY: all. */
  owner: u32;
  /** The subscription whose sequence must still be `seq` when the walk begins; 0 none. */
  notifier: u32;
  seq: u32;
}

if (<i32>offsetof<RangeFaultCmd>() > COMMAND_SIZE) ERROR("RangeFaultCmd");

/** NEED_* bits of a slot whose entry gives `offers` (HMM_PFN_VALID, HMM_PFN_WRITE); 0 if that is enough. */
@inline
export function needFault(cmd: RangeFaultCmd, slot: usize, offers: u32): u32 {
  const request = (load<u32>(slot) & cmd.mask) | cmd.defaultFlags;
  if (!(request & (<u32>HMM_PFN_REQ_FAULT))) return 0;
  if (request & HMM_PFN_REQ_WRITE && !(offers & HMM_PFN_WRITE)) return NEED_FAULT | NEED_WRITE;
  return offers & (<u32>HMM_PFN_VALID) ? 0 : NEED_FAULT;
}

/** The address of the slot of addr. */
@inline
export function slotFor(cmd: RangeFaultCmd, addr: u64): usize {
  return <usize>cmd.pfns + ((<usize>((addr - cmd.start) >> 12)) << 2);
}

/** The NEED_* bits of the slots of [start, end) together, where every entry gives `offers`. */
export function rangeNeeds(cmd: RangeFaultCmd, start: u64, end: u64, offers: u32): u32 {
  if (!((cmd.defaultFlags | cmd.mask) & (<u32>HMM_PFN_REQ_FAULT))) return 0;
  let needs: u32 = 0;
  for (let at = slotFor(cmd, start); at < slotFor(cmd, end); at += 4) needs |= needFault(cmd, at, offers);
  return needs;
}

/** Writes one output into the slots of [start, end). */
export function fillSlots(cmd: RangeFaultCmd, start: u64, end: u64, word: u32): void {
  const last = slotFor(cmd, end);
  for (let at = slotFor(cmd, start); at < last; at += 4) store<u32>(at, word);
}

/** Has [addr, end) faulted in next: FAULT_RANGE, or -EPERM where the vma may not be written. */
export function beginFault(cmd: RangeFaultCmd, vma: Vma, addr: u64, end: u64, needs: u32): i32 {
  cmd.cursor = addr;
  if (needs & NEED_WRITE && !(vma.flags & VM_WRITE)) {
    setHeaderF64(HDR_FAULT_ADDR, addr);
    return -EPERM;
  }
  cmd.faultStart = addr;
  cmd.faultEnd = end;
  cmd.faultFlags = needs & NEED_WRITE ? ACCESS_WRITE : 0;
  return FAULT_RANGE;
}

/** Is the device page of an entry the caller's own? */
export function isOwn(cmd: RangeFaultCmd, pte: u64): bool {
  return cmd.owner == <u32>OWNER_ANY || zoneOf(zoneOfPfn(ptePfn(pte))).owner == cmd.owner;
}
