// Faulting whole ranges in: MADV_POPULATE, mlock and MAP_POPULATE.

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

/** Faults [cmd.cursor, end) of one vma in, moving the cursor. 0, REQUEST, -EAGAIN or VM_FAULT_* bits. */
function populateVma(cmd: Cmd, vma: Vma, end: u64, flags: u32): i32 {
  const pgd = vma.mm.pgd;
  const enough = flags & ACCESS_WRITE ? (<u32>PTE_PRESENT) | PTE_WRITE : <u32>PTE_PRESENT;
  while (cmd.cursor < end) {
    // Within one leaf table the entries are neighbours.
    let slot: usize = cmd.faultPage ? 0 : walk(pgd, cmd.cursor);
    const until = leafEnd(cmd.cursor, end);
    while (slot && cmd.cursor < until) {
      if ((load<u32>(slot) & enough) != enough) {
        if (load<u64>(slot)) {
          const pages = flags & ACCESS_WRITE ? writeRun(cmd, vma, cmd.cursor, until, slot) : 0;
          if (!pages) break;
          slot += pages << 3;
          cmd.cursor += (<u64>pages) << 12;
          continue;
        }
        const result = handleEntry(cmd, vma, cmd.cursor, slot, flags);
        if (result) return result;
        if ((load<u32>(slot) & enough) != enough) break;
      }
      markAccessed(load<u64>(slot));
      slot += 8;
      cmd.cursor += PAGE_SIZE;
    }
    if (cmd.cursor == end) break;
    if (slot && cmd.cursor == until) continue;
    const result = handleFault(cmd, vma, cmd.cursor, flags);
    if (result) return result;
    if (flags & ACCESS_WRITE && !(vma.flags & VM_WRITE)) cmd.cursor += PAGE_SIZE;
  }
  return 0;
}

/** MADV_POPULATE_READ / WRITE over [cmd.cursor, cmd.end). */
export function populateRange(cmd: Cmd, write: bool): i32 {
  const flags: u32 = ACCESS_GUP | (write ? ACCESS_WRITE : 0);
  while (cmd.cursor < cmd.end) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
    const refused = checkAccess(vma, flags);
    if (refused == FAULT_MAPERR) return -ENOMEM;
    if (refused != FAULT_NONE) return -EINVAL;
    const result = populateVma(cmd, vma, min(vma.end, cmd.end), flags);
    if (result == REQUEST || result < 0) return result;
    if (result & VM_FAULT_OOM) return -ENOMEM;
    if (result & VM_FAULT_ERROR) return -EFAULT;
  }
  return 0;
}

/**
 * mm_populate over [cmd.cursor, cmd.end): what a locked mapping needs present. Writable private mappings are
 * write-faulted, so that no copy is needed later; mappings without any permission cannot be populated.
 */
export function populateLocked(cmd: Cmd): i32 {
  while (cmd.cursor < cmd.end) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
    if (!exists(vma)) return -ENOMEM;
    if (vma.flags & (VM_IO | VM_PFNMAP)) {
      cmd.cursor = min(vma.end, cmd.end);
      continue;
    }
    if (!(vma.flags & VM_ACCESS)) {
      setHeader(HDR_FAULT_CODE, FAULT_ACCERR);
      return -ENOMEM;
    }
    const write = (vma.flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
    const result = populateVma(cmd, vma, min(vma.end, cmd.end), write ? ACCESS_WRITE : 0);
    if (result == REQUEST || result == -EAGAIN) return result;
    if (result) return header(HDR_FAULT_CODE) == FAULT_OOM ? -EAGAIN : -ENOMEM;
  }
  return 0;
}
