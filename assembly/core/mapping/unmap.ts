// Unmapping a range: munmap, and the first step of a fixed mmap or mremap.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { LOG_MUNMAP } from "../../abi/log";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_UNMAP } from "../../uapi/event";
import { PTE_KIND_DEVICE, PTE_KIND_DEVICE_EXCLUSIVE, PTE_SPECIAL } from "../../uapi/pte";
import { VM_LOCKED } from "../../uapi/vm";
import { exists } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { munlocksInBatches } from "../base/rules";
import { log } from "../base/stat";
import { drainUnlocked, unlockPage } from "../frame/unlocked";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cutsHugetlb, splitAt } from "../operation/split";
import { vmaDestroy, vmaSplit } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { findVmaFrom, Vma, vmaAt } from "../space/vma";
import { freeUnusedTables, zapRange } from "../space/zap";
import { leafTable, slotOf, slotsEnd, SPACE_END, spanEnd, USER_END } from "../table/pagetable";

/** Frees the tables of [start, end), where nothing is mapped, that the vmas on both sides do not need. */
export function freeTablesOfGap(mm: Mm, start: u64, end: u64): void {
  const next = findVmaFrom(mm, start);
  const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
  freeUnusedTables(mm, start, end, exists(prev) ? prev.end : 0, exists(next) ? next.start : SPACE_END);
}

/** munlock_vma_folio of each page that the entries of a locked vma map. */
function unlockPages(mm: Mm, vma: Vma): void {
  let next = vma.start;
  while (next < vma.end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, vma.end);
    if (!table) continue;
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      const pte = load<u64>(at);
      const kind = pteKind(pte);
      const present = ptePresent(pte) && !(pteFlags(pte) & PTE_SPECIAL);
      if (present || (!ptePresent(pte) && (kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE)))
        unlockPage(ptePfn(pte));
    }
  }
}

/**
 * Destroys the vmas of [start, end), which lie wholly inside it, and frees the tables that no vma needs now.
 */
function removeVmas(mm: Mm, start: u64, end: u64): void {
  let vma = findVmaFrom(mm, start);
  const prev = exists(vma) ? vmaAt(vma.prev) : vmaAt(mm.vmaLast);
  while (exists(vma) && vma.start < end) {
    const next = vmaAt(vma.next);
    if (vma.flags & VM_LOCKED) {
      if (munlocksInBatches()) unlockPages(mm, vma);
      mm.lockedPages -= <u32>vma.pages;
    }
    zapRange(mm, vma.start, vma.end);
    vmaDestroy(mm, vma);
    vma = next;
  }
  freeUnusedTables(mm, start, end, exists(prev) ? prev.end : 0, exists(vma) ? vma.start : SPACE_END);
}

/**
 * do_munmap of [start, end), as a part of any operation: announced as `unmap`. 0, also if nothing was mapped
 * there; REQUEST; -EINVAL if an end lies inside a hugetlb page or beyond user space; -ENOMEM if no vma is
 * left for a split.
 */
export function unmapRange(cmd: Cmd, start: u64, end: u64): i32 {
  const mm = mmAt(cmd.mm);
  if (!cmd.unmapPhase) {
    if (end > USER_END) return -EINVAL;
    let vma = findVmaFrom(mm, start);
    if (!exists(vma) || vma.start >= end) return 0;
    if (vma.start < start) {
      if (cutsHugetlb(vma, start)) return -EINVAL;
      if (splitAt(cmd, vma, vma.start, start) == REQUEST) return REQUEST;
      if (!vmaSplit(mm, vma, start, true)) return -ENOMEM;
    }
    vma = findVmaFrom(mm, end - 1);
    if (exists(vma) && vma.start < end && vma.end > end) {
      if (cutsHugetlb(vma, end)) return -EINVAL;
      if (splitAt(cmd, vma, vma.start, end) == REQUEST) return REQUEST;
      if (!vmaSplit(mm, vma, end, false)) return -ENOMEM;
    }
    drainUnlocked();
    cmd.unmapPhase = 1;
  }
  if (!notifyStart(cmd, cmd.mm, start, end, MMU_NOTIFY_UNMAP, 0)) return REQUEST;
  removeVmas(mm, start, end);
  notifyEnd(cmd);
  cmd.unmapPhase = 0;
  log(LOG_MUNMAP, cmd.mm, start, <u32>min<u64>((end - start) >> 12, 0xffffffff), 0);
  return 0;
}

/** OP_MUNMAP: unmapRange() of the command's range. */
export function munmapStep(cmd: Cmd): i32 {
  return unmapRange(cmd, cmd.start, cmd.end);
}
