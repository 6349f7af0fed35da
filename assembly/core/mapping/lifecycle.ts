// The life of an address space: it is made empty, forked and closed.

import { FOLIO_ANON_EXCLUSIVE, FOLIO_MIGRATION_SHARED } from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { LOG_FORK } from "../../abi/log";
import { RESOURCE_MM, RESOURCE_NOTIFIER } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { EBUSY, EINVAL, ENOMEM } from "../../uapi/errno";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_PAGE, MMU_NOTIFY_RELEASE } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import {
  PTE_EXCLUSIVE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  VM_DONTCOPY,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_UFFD_MISSING,
  VM_WIPEONFORK,
} from "../../uapi/vm";
import { exists } from "../base/object";
import { poolAlloc, poolFree, poolId } from "../base/pool";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { exclusiveStaysMapped } from "../base/rules";
import { log } from "../base/stat";
import { restoredPte } from "../fault/fault";
import { folioOf } from "../frame/folio";
import { memcgJoin, memcgLeave, memcgOf } from "../frame/memcg";
import { drainUnlocked } from "../frame/unlocked";
import { ksmEnter, ksmExit } from "../ksm/ksm";
import { Cmd } from "../operation/cmd";
import { notifierRemove, notifyEnd, notifyStart } from "../operation/notify";
import { clearDeviceTablesOf } from "../space/device-table";
import { vmaAdd, vmaDestroy } from "../space/merge";
import { Mm, MM_ALIVE, MM_MERGEABLE, mmAt, newGeneration } from "../space/mm";
import { anonVmaFork } from "../space/anon-vma";
import { swapGet } from "../space/swap";
import { isCow, Vma, vmaAlloc, vmaAt, vmaFree, vmaLookup } from "../space/vma";
import { addRss, zapRange } from "../space/zap";
import { hugeZeroGet, isHugeZero } from "../table/huge";
import {
  allocTable,
  freeAllTables,
  hasPmdTable,
  isHuge,
  leafTable,
  makePmdTable,
  slotOf,
  slotsEnd,
  SPACE_END,
  spanEnd,
  walkAlloc,
} from "../table/pagetable";
import { copyPinned, copyPinnedHugetlb, isPinnedPte, mayHavePinned, splitPinned } from "./fork-pinned";

/** Makes an empty address space, charged to a memcg (0: none). Returns its id, -EINVAL or -ENOMEM. */
export function mmCreate(memcg: u32): i32 {
  if (memcg && !memcgOf(memcg)) return -EINVAL;
  const mm = changetype<Mm>(poolAlloc(RESOURCE_MM));
  if (!exists(mm)) return -ENOMEM;
  const pgd = allocTable(mm.id, 3, 0);
  if (!pgd) {
    poolFree(RESOURCE_MM, changetype<usize>(mm));
    return -ENOMEM;
  }
  mm.pgd = <u32>pgd;
  mm.flags = MM_ALIVE;
  mm.memcg = memcg;
  mm.seq = 2;
  mm.generation = newGeneration();
  memcgJoin(memcg);
  return mm.id;
}

/** Frees everything that an address space has, without telling its subscribers. */
function destroyMm(mm: Mm): void {
  const id = mm.id;
  drainUnlocked();
  clearDeviceTablesOf(id);
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(mm.vmaFirst)) {
    zapRange(mm, vma.start, vma.end);
    vmaDestroy(mm, vma);
  }
  while (mm.notifiers) notifierRemove(poolId(RESOURCE_NOTIFIER, mm.notifiers));
  freeAllTables(mm.pgd);
  ksmExit(mm);
  memcgLeave(mm.memcg);
  mm.flags = 0;
  mm.generation = 0;
  poolFree(RESOURCE_MM, changetype<usize>(mm));
}

/** OP_CLOSE: tells the subscribers `release`, then frees the address space. -EBUSY inside an invalidation. */
export function closeStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    if (mm.invalidations) return -EBUSY;
    cmd.phase = 1;
  }
  if (!notifyStart(cmd, cmd.mm, 0, SPACE_END, MMU_NOTIFY_RELEASE, 0)) return REQUEST;
  notifyEnd(cmd);
  destroyMm(mm);
  return 0;
}

/** OP_FORK. */
@unmanaged
export class ForkCmd extends Cmd {
  /** The child's id, once it is made. */
  child: u32;
  /** The address of the parent's vma that is being copied; 0 after the last. */
  vma: u32;
}

if (<i32>offsetof<ForkCmd>() > COMMAND_SIZE) ERROR("ForkCmd");

/** cmd.phase of OP_FORK: the child is made next; it gets the vma; it gets the vma's entries. */
const FORK_CHILD: u32 = 0;
const FORK_VMA: u32 = 1;
const FORK_ENTRIES: u32 = 2;

/**
 * OP_FORK: copies a vma at a time, first the vma, then its entries, which are write-protected in both address
 * spaces where pages are shared copy-on-write. Returns the child's id; -ENOMEM if a table ran out, and the
 * child is undone.
 */
export function forkStep(cmd: ForkCmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == FORK_CHILD) {
    const child = mmCreate(mm.memcg);
    if (child < 0) return child;
    cmd.child = child;
    if (mm.flags & MM_MERGEABLE) ksmEnter(mmAt(child));
    cmd.vma = mm.vmaFirst;
    cmd.phase = FORK_VMA;
  }
  const child = mmAt(cmd.child);
  for (let vma = vmaAt(cmd.vma); exists(vma); vma = vmaAt(cmd.vma)) {
    if (cmd.phase == FORK_VMA) {
      if (vma.flags & VM_DONTCOPY) {
        cmd.vma = vma.next;
        continue;
      }
      if (!copyMapping(child, vma)) return forkFailed(child);
      cmd.phase = FORK_ENTRIES;
    }
    if (needsCopy(vma)) {
      // copy_hugetlb_page_range announces by another event.
      const event = vma.flags & VM_HUGETLB ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_PROTECTION_PAGE;
      if (isCow(vma) && !notifyStart(cmd, cmd.mm, vma.start, vma.end, event, 0)) return REQUEST;
      if (mayHavePinned(vma) && splitPinned(cmd, vma) == REQUEST) return REQUEST;
      const copied = copyEntries(mm, child, vma);
      notifyEnd(cmd);
      if (!copied) return forkFailed(child);
    }
    cmd.phase = FORK_VMA;
    cmd.vma = vma.next;
  }
  log(LOG_FORK, cmd.mm, 0, cmd.child, 0);
  return cmd.child;
}

/** Undoes a child whose copy ran out of memory. */
function forkFailed(child: Mm): i32 {
  destroyMm(child);
  return -ENOMEM;
}

/** vma_needs_copy: entries that faults would make again are not copied. */
function needsCopy(vma: Vma): bool {
  if (vma.flags & VM_WIPEONFORK) return false;
  return vma.anonVma != 0 || (vma.flags & (VM_PFNMAP | VM_MIXEDMAP)) != 0;
}

/** Gives the child a vma like this one, without its locks. False when a table is full. */
function copyMapping(child: Mm, vma: Vma): bool {
  const copy = vmaAlloc(
    child,
    vma.start,
    vma.end,
    vma.flags & ~(VM_LOCKED | VM_UFFD_MISSING),
    vma.pgoff,
    vma.file,
  );
  if (!exists(copy)) return false;
  if (!(vma.flags & VM_WIPEONFORK) && !anonVmaFork(copy, vma)) {
    vmaFree(copy);
    return false;
  }
  vmaAdd(child, copy);
  return true;
}

/** copy_page_range. False when page tables run out; the child is consistent all the same. */
function copyEntries(mm: Mm, child: Mm, vma: Vma): bool {
  const cow = isCow(vma);
  const childId = child.id;
  // The child's vma, where the parent's may have pages that are pinned for long.
  const copy = mayHavePinned(vma) ? vmaLookup(child, vma.start) : vmaAt(0);
  let next = vma.start;
  while (next < vma.end) {
    let addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, vma.end);
    if (!table) {
      // The child gets the parent's upper tables, too: what a later mprotect announces depends on them.
      if (hasPmdTable(mm.pgd, addr) && !makePmdTable(child.pgd, childId, addr)) return false;
      continue;
    }
    let to = walkAlloc(child.pgd, childId, addr);
    if (!to) return false;
    if (isHugeZero(table)) hugeZeroGet();
    const last = slotsEnd(table, addr, next);
    if (exists(copy) && vma.flags & VM_HUGETLB && isPinnedPte(load<u64>(table))) {
      if (!copyPinnedHugetlb(copy, addr, to, ptePfn(load<u64>(table)))) return false;
      continue;
    }
    // A mapping that is still huge has no pinned part: it is shared whole, though the references of sharing
    // may make one look pinned.
    const mayPin = exists(copy) && !isHuge(table);
    for (let at = slotOf(table, addr); at < last; at += 8, to += 8, addr += PAGE_SIZE) {
      if (!load<u64>(at)) continue;
      const pte = takeBack(vma, at);
      const pinned = mayPin && isPinnedPte(pte);
      const entry = pinned ? copyPinned(copy, addr, ptePfn(pte)) : copyPte(child, pte, at, cow);
      if (!entry) return false;
      store<u64>(to, entry);
    }
  }
  return true;
}

/** Returns the parent's entry at `at`, after ending a device's exclusive access to its page. */
@inline
function takeBack(vma: Vma, at: usize): u64 {
  const pte = load<u64>(at);
  if (pteKind(pte) != PTE_KIND_DEVICE_EXCLUSIVE) return pte;
  const restored = restoredPte(pte, vma);
  store<u64>(at, restored);
  if (!exclusiveStaysMapped()) folioOf(ptePfn(restored)).maps++;
  return restored;
}

/** Shares what the parent's entry `pte` at `at` names with the child. Returns the child's entry. */
@inline
function copyPte(child: Mm, entry: u64, at: usize, cow: bool): u64 {
  let pte = entry;
  const kind = pteKind(pte);
  if (kind == PTE_KIND_SWAP && !ptePresent(pte)) {
    swapGet(ptePfn(pte));
    child.rssSwap++;
    pte &= ~(<u64>PTE_EXCLUSIVE);
    store<u64>(at, pte);
    return pte;
  }
  if (ptePresent(pte) ? (pteFlags(pte) & PTE_SPECIAL) != 0 : !hasPage(kind)) return pte;
  const folio = folioOf(ptePfn(pte));
  addRss(child, folio, 1);
  if (cow && pteFlags(pte) & (PTE_WRITE | PTE_EXCLUSIVE)) {
    pte &= ~(<u64>(PTE_WRITE | PTE_EXCLUSIVE));
    store<u64>(at, pte);
  }
  if (kind == PTE_KIND_MIGRATION) {
    folio.set(FOLIO_MIGRATION_SHARED);
    return pte;
  }
  folio.refs++;
  folio.maps++;
  if (cow) folio.clear(FOLIO_ANON_EXCLUSIVE);
  return pte & ~(<u64>PTE_YOUNG);
}

/** Does an entry of this kind, not present, name a page that the child gets a reference to? */
@inline
function hasPage(kind: u32): bool {
  return kind == PTE_KIND_MIGRATION || kind == PTE_KIND_DEVICE;
}
