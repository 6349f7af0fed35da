// Populating ranges: MADV_POPULATE_READ and _WRITE, mlock and MAP_POPULATE.

import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../../uapi/errno";
import { HDR_FAULT_CODE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_PRESENT, PTE_WRITE } from "../../uapi/pte";
import {
  ACCESS_GUP,
  ACCESS_WRITE,
  FAULT_ACCERR,
  FAULT_MAPERR,
  FAULT_NONE,
  FAULT_OOM,
  VM_ACCESS,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_IO,
  VM_PFNMAP,
  VM_SHARED,
  VM_WRITE,
} from "../../uapi/vm";
import { header, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { checkAccess } from "../fault/common";
import { handleEntry, handleFault } from "../fault/fault";
import { writeRun } from "../fault/run";
import { markAccessed } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { mmAt } from "../space/mm";
import { Vma, vmaLookup } from "../space/vma";
import { leafEnd, walk } from "../table/pagetable";

/**
 * Faults [cmd.populateCursor, end) of one vma in, moving the cursor. 0, REQUEST, -EAGAIN or VM_FAULT_* bits.
 */
function populateVma(cmd: Cmd, vma: Vma, end: u64, flags: u32): i32 {
  const pgd = vma.mm.pgd;
  const enough = flags & ACCESS_WRITE ? (<u32>PTE_PRESENT) | PTE_WRITE : <u32>PTE_PRESENT;
  while (cmd.populateCursor < end) {
    // In one leaf table the entries are neighbors.
    let slot: usize = cmd.faultPage ? 0 : walk(pgd, cmd.populateCursor);
    const until = leafEnd(cmd.populateCursor, end);
    while (slot && cmd.populateCursor < until) {
      if ((load<u32>(slot) & enough) != enough) {
        if (load<u64>(slot)) {
          const pages = flags & ACCESS_WRITE ? writeRun(cmd, vma, cmd.populateCursor, until, slot) : 0;
          if (!pages) break;
          slot += pages << 3;
          cmd.populateCursor += (<u64>pages) << 12;
          continue;
        }
        const result = handleEntry(cmd, vma, cmd.populateCursor, slot, flags);
        if (result && !triesAgain(cmd, result)) return result;
        if ((load<u32>(slot) & enough) != enough) break;
      }
      markAccessed(load<u64>(slot));
      slot += 8;
      cmd.populateCursor += PAGE_SIZE;
    }
    if (cmd.populateCursor == end) break;
    if (slot && cmd.populateCursor == until) continue;
    const result = handleFault(cmd, vma, cmd.populateCursor, flags);
    if (result && triesAgain(cmd, result)) continue;
    if (result) return result;
    if (flags & ACCESS_WRITE && !(vma.flags & VM_WRITE)) cmd.populateCursor += PAGE_SIZE;
  }
  return 0;
}

/**
 * Is a fault for which memory ran out tried again? get_user_pages returns the pages that it has reached,
 * and is called again for the rest: it fails if it reaches none. /
 */
function triesAgain(cmd: Cmd, result: i32): bool {
  if (result < 0 || result == REQUEST || !(result & VM_FAULT_OOM) || cmd.populateCursor == cmd.populateFrom)
    return false;
  cmd.populateFrom = cmd.populateCursor;
  return true;
}

/** MADV_POPULATE_READ or, to write, MADV_POPULATE_WRITE of [start, end). 0, REQUEST or a negative errno. */
export function populateRange(cmd: Cmd, start: u64, end: u64, write: bool): i32 {
  const flags: u32 = ACCESS_GUP | (write ? ACCESS_WRITE : 0);
  if (!cmd.populateCursor) cmd.populateCursor = cmd.populateFrom = start;
  while (cmd.populateCursor < end) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.populateCursor);
    const refused = checkAccess(vma, flags);
    if (refused == FAULT_MAPERR) return -ENOMEM;
    if (refused != FAULT_NONE) return -EINVAL;
    if (cmd.populateCursor == vma.start) cmd.populateFrom = vma.start;
    const result = populateVma(cmd, vma, min(vma.end, end), flags);
    if (result == REQUEST || result < 0) return result;
    if (result & VM_FAULT_OOM) return -ENOMEM;
    if (result & VM_FAULT_ERROR) return -EFAULT;
  }
  return 0;
}

/**
 * mm_populate of [start, end): what a locked mapping needs present. Writable private mappings are
 * write-faulted, so that no copy is needed later; mappings without any permission cannot be populated. 0,
 * REQUEST or a negative errno.
 */
export function populateLocked(cmd: Cmd, start: u64, end: u64): i32 {
  if (!cmd.populateCursor) cmd.populateCursor = cmd.populateFrom = start;
  const result = populateMappings(cmd, end);
  if (result != REQUEST) cmd.populateCursor = 0;
  return result;
}

/** populateLocked() of [cmd.populateCursor, end). */
function populateMappings(cmd: Cmd, end: u64): i32 {
  while (cmd.populateCursor < end) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.populateCursor);
    if (!exists(vma)) return -ENOMEM;
    if (vma.flags & (VM_IO | VM_PFNMAP)) {
      cmd.populateCursor = min(vma.end, end);
      continue;
    }
    if (!(vma.flags & VM_ACCESS)) {
      setHeader(HDR_FAULT_CODE, FAULT_ACCERR);
      return -ENOMEM;
    }
    const write = (vma.flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
    if (cmd.populateCursor == vma.start) cmd.populateFrom = vma.start;
    const result = populateVma(cmd, vma, min(vma.end, end), write ? ACCESS_WRITE : 0);
    if (result == REQUEST || result == -EAGAIN) return result;
    if (result) return header(HDR_FAULT_CODE) == FAULT_OOM ? -EAGAIN : -ENOMEM;
  }
  return 0;
}
