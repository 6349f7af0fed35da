// KSM: what the other operations have to know of it. Which address spaces have mergeable memory; breaking pages up again
// (MADV_UNMERGEABLE, mremap); and when an item may leave its page.

import { EAGAIN, EFAULT, ENOMEM } from "../../uapi/errno";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import {
  PTE_KIND_DEVICE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  FOLIO_KSM,
  HDR_KSM_MMS,
  HDR_KSM_SHARED,
  HDR_KSM_SHARING,
  MM_MERGEABLE,
  TABLE_KSM_NODE,
} from "../../abi/struct";
import { VM_FAULT_OOM } from "../../uapi/vm";
import { header, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolObject, poolUsed } from "../base/pool";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { copyPage } from "../fault/cow";
import { handleFault } from "../fault/fault";
import { folioOf } from "../frame/folio";
import { Cmd } from "../operation/cmd";
import {
  addItem,
  isAlive,
  itemAlloc,
  itemFree,
  KsmItem,
  ksmItemAt,
  KsmNode,
  ksmNodeAt,
  nodeFree,
  removeItem,
} from "../space/ksm-item";
import { Mm, mmAt } from "../space/mm";
import { anonVmaAt, anonVmaRelease, linkAt } from "../space/rmap";
import { swapCached } from "../space/swap";
import { protection, Vma, vmaAt } from "../space/vma";
import { holeEnd, leafTable, readPte, slotOf } from "../table/pagetable";

/** __ksm_enter: from now on ksmScan looks through this address space, after all others. */
export function ksmEnter(mm: Mm): void {
  if (mm.flags & MM_MERGEABLE) return;
  mm.flags |= MM_MERGEABLE;
  mm.ksmNext = 0;
  if (!header(HDR_KSM_MMS)) return setHeader(HDR_KSM_MMS, mm.id);
  let last = mmAt(header(HDR_KSM_MMS));
  while (last.ksmNext) last = mmAt(last.ksmNext);
  last.ksmNext = mm.id;
}

/** Takes an address space out of the list. */
export function ksmUnlist(mm: Mm): void {
  const id = mm.id;
  mm.flags &= ~MM_MERGEABLE;
  if (header(HDR_KSM_MMS) == id) return setHeader(HDR_KSM_MMS, mm.ksmNext);
  let before = mmAt(header(HDR_KSM_MMS));
  while (before.ksmNext != id) before = mmAt(before.ksmNext);
  before.ksmNext = mm.ksmNext;
}

/** ksm_exit: an address space without mappings goes. Its items stay with pages that forks of it may have. */
export function ksmExit(mm: Mm): void {
  if (mm.flags & MM_MERGEABLE) ksmUnlist(mm);
  for (let at: usize = mm.ksmItems; at;) {
    const item = ksmItemAt(at);
    at = item.mmNext;
    item.mmNext = 0;
    item.mm = 0;
    if (!item.node) itemFree(item);
  }
  ksmPrune();
}

/** Gives back the nodes of pages that are gone, and the items that nobody needs. Counts what is left. */
export function ksmPrune(): void {
  let shared: u32 = 0;
  let sharing: u32 = 0;
  const last = poolUsed(TABLE_KSM_NODE) ? poolHigh(TABLE_KSM_NODE) : 0;
  for (let id: u32 = 1; id <= last; id++) {
    const node = ksmNodeAt(poolObject(TABLE_KSM_NODE, id));
    if (!node.pfn) continue;
    const alive = isAlive(node);
    for (let at: usize = node.first; at;) {
      const item = ksmItemAt(at);
      at = item.next;
      if (alive && (item.mm || forksNeed(item))) continue;
      dropItem(item);
      if (!item.mm) itemFree(item);
    }
    if (!alive) nodeFree(node);
    else if (node.length) {
      shared++;
      sharing += node.length - 1;
    }
  }
  setHeader(HDR_KSM_SHARED, shared);
  setHeader(HDR_KSM_SHARING, sharing);
}

/** The item's address has its page no more. */
function dropItem(item: KsmItem): void {
  removeItem(item);
  anonVmaRelease(item.anonVma);
}

/** Does an entry stand for this page, in whatever form? */
export function names(pte: u64, pfn: u32): bool {
  const kind = pteKind(pte);
  if (ptePresent(pte)) return ptePfn(pte) == pfn;
  if (kind == PTE_KIND_SWAP) return swapCached(ptePfn(pte)) == pfn;
  return (kind == PTE_KIND_DEVICE || kind == PTE_KIND_MIGRATION) && ptePfn(pte) == pfn;
}

function hasItem(node: KsmNode, mm: u32, address: u64): bool {
  for (let at: usize = node.first; at; at = ksmItemAt(at).next) {
    if (ksmItemAt(at).mm == mm && ksmItemAt(at).address == address) return true;
  }
  return false;
}

/** Is this item how the reverse map finds the mapping of a fork, which has no item of its own yet? */
function forksNeed(item: KsmItem): bool {
  const node = ksmNodeAt(item.node);
  for (let link: usize = anonVmaAt(item.anonVma).first; link; link = linkAt(link).next) {
    const vma = vmaAt(linkAt(link).vma);
    if (item.address < vma.start || item.address >= vma.end || vma.mmId == item.mm) continue;
    const pte = readPte(vma.mm.pgd, item.address);
    if (names(pte, node.pfn) && !hasItem(node, vma.mmId, item.address)) return true;
  }
  return false;
}

/**
 * remove_rmap_item_from_tree: the item leaves its KSM page, if it has one; for forks that need it, another item takes its
 * place. False if it has to stay: its address has the page, or there is no other item.
 */
export function ksmLeave(item: KsmItem): bool {
  const node = ksmNodeAt(item.node);
  if (!exists(node)) return true;
  if (isAlive(node)) {
    if (names(readPte(mmAt(item.mm).pgd, item.address), node.pfn)) return false;
    if (forksNeed(item)) {
      const standIn = itemAlloc(0, item.address);
      if (!exists(standIn)) return false;
      standIn.anonVma = item.anonVma;
      addItem(node, standIn, changetype<usize>(item));
      removeItem(item);
      return true;
    }
  }
  dropItem(item);
  return true;
}

/** How a page that is copied only to be unshared is mapped: as if it had just been read. */
@inline
export function unsharedFlags(vma: Vma): u32 {
  return (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma);
}

function isKsm(pte: u64): bool {
  const kind = pteKind(pte);
  if (ptePresent(pte) ? pteFlags(pte) & PTE_SPECIAL : kind != PTE_KIND_DEVICE && kind != PTE_KIND_MIGRATION)
    return false;
  return folioOf(ptePfn(pte)).has(FOLIO_KSM);
}

/**
 * unmerge_ksm_pages: each KSM page of [start, end) of one vma gets copied, `clear` being told; those on a device come back
 * first. 0, REQUEST, or a negative errno; what was copied by then stays so. cmd.ksmDone is 0 before and after.
 */
export function breakKsm(cmd: Cmd, vma: Vma, start: u64, end: u64): i32 {
  if (!poolUsed(TABLE_KSM_NODE)) return 0;
  const pgd = vma.mm.pgd;
  let addr = start + ((<u64>cmd.ksmDone) << 12);
  while (addr < end) {
    const table = leafTable(pgd, addr);
    if (!table) {
      addr = holeEnd(pgd, addr);
      continue;
    }
    const slot = slotOf(table, addr);
    const pte = load<u64>(slot);
    if (!cmd.faultPage && !isKsm(pte)) {
      addr += PAGE_SIZE;
      continue;
    }
    cmd.ksmDone = <u32>((addr - start) >> 12);
    const absent = cmd.faultPage || !ptePresent(pte);
    const result = absent
      ? handleFault(cmd, vma, addr, 0)
      : copyPage(cmd, vma, addr, slot, pte, unsharedFlags(vma));
    if (result == REQUEST || result == -EAGAIN) return result;
    if (result) return result & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
  }
  cmd.ksmDone = 0;
  return 0;
}
