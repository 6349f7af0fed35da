// The part of KSM that other operations call: which address spaces have mergeable memory, unmerging pages
// (MADV_UNMERGEABLE, mremap), and when an item may leave its page.

import { EAGAIN, EFAULT, ENOMEM } from "../../uapi/errno";
import { FOLIO_KSM } from "../../abi/frame";
import { HDR_KSM_MMS, HDR_KSM_SHARED, HDR_KSM_SHARING } from "../../abi/header";
import { RESOURCE_KSM_NODE } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import {
  PTE_KIND_DEVICE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_YOUNG,
} from "../../uapi/pte";
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
import { Mm, MM_MERGEABLE, mmAt } from "../space/mm";
import { anonVmaAt, anonVmaRelease, linkAt } from "../space/anon-vma";
import { swapCached } from "../space/swap";
import { protection, Vma, vmaAt } from "../space/vma";
import { leafTable, nextPage, readPte, slotOf } from "../table/pagetable";

/** __ksm_enter: puts an address space at the end of the list that ksmScan looks through. Idempotent. */
export function ksmEnter(mm: Mm): void {
  if (mm.flags & MM_MERGEABLE) return;
  mm.flags |= MM_MERGEABLE;
  mm.ksmNext = 0;
  if (!header(HDR_KSM_MMS)) return setHeader(HDR_KSM_MMS, mm.id);
  let last = mmAt(header(HDR_KSM_MMS));
  while (last.ksmNext) last = mmAt(last.ksmNext);
  last.ksmNext = mm.id;
}

/** Takes an address space out of the list that ksmScan looks through. */
export function ksmUnlist(mm: Mm): void {
  const id = mm.id;
  mm.flags &= ~MM_MERGEABLE;
  if (header(HDR_KSM_MMS) == id) return setHeader(HDR_KSM_MMS, mm.ksmNext);
  let before = mmAt(header(HDR_KSM_MMS));
  while (before.ksmNext != id) before = mmAt(before.ksmNext);
  before.ksmNext = mm.ksmNext;
}

/**
 * ksm_exit of an address space that has no mappings any more. Its items outlive it where they have a page,
 * which forks of it may map.
 */
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

/**
 * Frees the nodes of pages that are gone and the items without use; counts the pages shared and their
 * mappings.
 */
export function ksmPrune(): void {
  let shared: u32 = 0;
  let sharing: u32 = 0;
  const last = poolUsed(RESOURCE_KSM_NODE) ? poolHigh(RESOURCE_KSM_NODE) : 0;
  for (let id: u32 = 1; id <= last; id++) {
    const node = ksmNodeAt(poolObject(RESOURCE_KSM_NODE, id));
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

/** Takes an item, whose address has another page now, from its node. */
function dropItem(item: KsmItem): void {
  removeItem(item);
  anonVmaRelease(item.anonVma);
}

/**
 * Does an entry name this page: present, swapped with the page in the swap cache, on a device, or migrating?
 */
export function names(pte: u64, pfn: u32): bool {
  const kind = pteKind(pte);
  if (ptePresent(pte)) return ptePfn(pte) == pfn;
  if (kind == PTE_KIND_SWAP) return swapCached(ptePfn(pte)) == pfn;
  return (kind == PTE_KIND_DEVICE || kind == PTE_KIND_MIGRATION) && ptePfn(pte) == pfn;
}

/** Has the node an item for this address? */
function hasItem(node: KsmNode, mm: u32, address: u64): bool {
  for (let at: usize = node.first; at; at = ksmItemAt(at).next) {
    if (ksmItemAt(at).mm == mm && ksmItemAt(at).address == address) return true;
  }
  return false;
}

/** Does the reverse map find the mapping of a fork, which has no item of its own yet, by this item alone? */
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
 * remove_rmap_item_from_tree: takes the item from its KSM page, if it has one, leaving another item in its
 * place if forks need it. False if it has to stay: its address still has the page, or no item is free.
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

/** Flags of the entry of a page that was copied only to unshare it: those of a page that was just read. */
@inline
export function unsharedFlags(vma: Vma): u32 {
  return (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma);
}

/** Is the page of an entry, present, on a device or migrating, a KSM page? */
function isKsm(pte: u64): bool {
  const kind = pteKind(pte);
  if (ptePresent(pte) ? pteFlags(pte) & PTE_SPECIAL : kind != PTE_KIND_DEVICE && kind != PTE_KIND_MIGRATION)
    return false;
  return folioOf(ptePfn(pte)).has(FOLIO_KSM);
}

/**
 * unmerge_ksm_pages: copies each KSM page of [start, end) of one vma, announced as `clear`; device pages come
 * back first. 0, REQUEST, or a negative errno, which leaves copied what was copied. cmd.ksmDone is 0 before
 * and after.
 */
export function breakKsm(cmd: Cmd, vma: Vma, start: u64, end: u64): i32 {
  if (!poolUsed(RESOURCE_KSM_NODE)) return 0;
  const pgd = vma.mm.pgd;
  let addr = start + ((<u64>cmd.ksmDone) << 12);
  while (addr < end) {
    const table = leafTable(pgd, addr);
    const slot = table ? slotOf(table, addr) : 0;
    const pte: u64 = slot ? load<u64>(slot) : 0;
    if (!slot || (!cmd.faultPage && !isKsm(pte))) {
      addr = nextPage(pgd, table, addr);
      continue;
    }
    // A page that is copied, or back from a device, is looked at again.
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
