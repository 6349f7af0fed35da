// Merging two pages, for scan.ts: an entry is made read-only first (announced as `clear`), so that its page
// no longer changes, then replaced (`clear` again). A pinned page cannot be made read-only: the merge is
// undone.

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_KSM,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import { VM_MERGEABLE } from "../../uapi/vm";
import { exists } from "../base/object";
import { makePte, pteFlags, ptePfn, ptePresent } from "../base/pte";
import { copyPage } from "../fault/cow";
import { folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { getPage } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { SPLIT_DONE, splitFolio } from "../operation/split";
import {
  addItem,
  forgetSeen,
  isAlive,
  KsmItem,
  ksmItemAt,
  KsmNode,
  ksmNodeAt,
  nodeAlloc,
  nodeFree,
} from "../space/ksm-item";
import { mmAt } from "../space/mm";
import { anonVmaAt, anonVmaHold, linkAt } from "../space/anon-vma";
import { swapSlotOf } from "../space/swap";
import { Vma, vmaAt, vmaLookup } from "../space/vma";
import { unmapPage } from "../space/zap";
import { readPte, walk } from "../table/pagetable";
import { ksmLeave, names, unsharedFlags } from "./ksm";

/** OP_KSM: the scan stands before address `cursor` of one address space. */
@unmanaged
export class KsmCmd extends Cmd {
  /** Passes left, the one under way included. */
  passes: u32;
  /** The id of the mm being scanned; 0 between passes. */
  scanned: u32;
  /** The KsmItem of the last address looked at in it; 0 none. */
  last: u32;
  /** The page that is looked at or merged, and its KsmItem. */
  page: u32;
  item: u32;
  /** What it is merged with: the KsmNode of a KSM page, or if that is 0 the KsmItem of another page. */
  node: u32;
  other: u32;
}

if (<i32>offsetof<KsmCmd>() > COMMAND_SIZE) ERROR("KsmCmd");

/** cmd.phase of OP_KSM: nothing is being merged. */
export const PHASE_SCAN: u32 = 0;
/** cmd.phase while two pages are merged; merge() draws how they follow each other. */
export const PHASE_PROTECT: u32 = 1;
const PHASE_REPLACE: u32 = 2;
const PHASE_PROTECT_OTHER: u32 = 3;
const PHASE_REPLACE_OTHER: u32 = 4;
const PHASE_BREAK: u32 = 5;

/** Answer of a step beside 0 and REQUEST: the entry is not what it was, or its page may not be merged. */
const REFUSED: i32 = 1;

/** May the page of this entry be merged: is it present, anonymous and in system memory? */
export function isCandidate(pte: u64): bool {
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL || isDevicePfn(ptePfn(pte))) return false;
  const folio = folioOf(ptePfn(pte));
  return folio.has(FOLIO_ANON);
}

/** Have two pages the same contents? */
@inline
export function alike(a: u32, b: u32): bool {
  return memory.compare(frameOf(a), frameOf(b), PAGE_SIZE) == 0;
}

/** find_mergeable_vma: the vma at the item's address; null if nothing may be merged there any more. */
function vmaOf(item: KsmItem): Vma {
  const vma = vmaLookup(mmAt(item.mm), item.address);
  return exists(vma) && vma.flags & VM_MERGEABLE && vma.anonVma ? vma : vmaAt(0);
}

/** The page at an item's address if it may be merged, else 0. */
export function pageOf(item: KsmItem): u32 {
  const pte = readPte(mmAt(item.mm).pgd, item.address);
  return exists(vmaOf(item)) && isCandidate(pte) ? ptePfn(pte) : 0;
}

/**
 * Adds an item, whose address has the node's page, to the node: after the item `behind`, or with 0 as the
 * first.
 */
export function join(item: KsmItem, node: KsmNode, behind: usize): void {
  item.anonVma = vmaLookup(mmAt(item.mm), item.address).anonVma;
  anonVmaHold(item.anonVma);
  addItem(node, item, behind);
}

/**
 * try_to_merge_with_ksm_page, where cmd.node is a KSM page's, and try_to_merge_two_pages. 0 when it is over,
 * whether the pages are merged or not, or REQUEST.
 *
 *   with a KSM page   PROTECT ─▶ REPLACE
 *   two pages         PROTECT ─▶ PROTECT_OTHER ─▶ REPLACE_OTHER, and where one of these fails ─▶ BREAK
 */
export function merge(cmd: KsmCmd): i32 {
  const item = ksmItemAt(cmd.item);
  const other = ksmItemAt(cmd.other);
  let result: i32;
  if (cmd.phase == PHASE_PROTECT) {
    result = protect(cmd, item, cmd.page);
    if (result) return result;
    if (!cmd.node && !makeKsm(item, cmd.page)) return 0;
    cmd.phase = cmd.node ? PHASE_REPLACE : PHASE_PROTECT_OTHER;
  }
  if (cmd.phase == PHASE_REPLACE) {
    result = replace(cmd, item, cmd.page, ksmNodeAt(cmd.node));
    if (!result) join(item, ksmNodeAt(cmd.node), 0);
    return result;
  }
  if (cmd.phase == PHASE_PROTECT_OTHER) {
    result = protect(cmd, other, pageOf(other));
    if (result == REQUEST) return REQUEST;
    cmd.phase = result ? PHASE_BREAK : PHASE_REPLACE_OTHER;
  }
  if (cmd.phase == PHASE_REPLACE_OTHER) {
    result = item.node ? replace(cmd, other, pageOf(other), ksmNodeAt(item.node)) : REFUSED;
    if (result == REQUEST) return REQUEST;
    if (!result) {
      forgetSeen(other);
      join(other, ksmNodeAt(item.node), cmd.item);
      return 0;
    }
    cmd.phase = PHASE_BREAK;
  }
  return breakAgain(cmd, item);
}

/** write_protect_page: makes the entry read-only, so that the page stays as it is. 0, REFUSED or REQUEST. */
function protect(cmd: KsmCmd, item: KsmItem, pfn: u32): i32 {
  const folio = folioOf(pfn);
  // A part of a huge page becomes a page of its own first; one of zeros may be the zero page then.
  const split = pfn && folio.has(FOLIO_LARGE) && pageOf(item) == pfn ? splitFolio(cmd, pfn) : SPLIT_DONE;
  if (split) return split == REQUEST ? REQUEST : REFUSED;
  if (!pfn || pageOf(item) != pfn || folio.has(FOLIO_LOCKED)) return cmd.windowMm ? gone(cmd) : REFUSED;
  if (!notifyStart(cmd, item.mm, item.address, item.address + PAGE_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const slot = walk(mmAt(item.mm).pgd, item.address);
  const pte = load<u64>(slot);
  let result: i32 = 0;
  if (pteFlags(pte) & (PTE_WRITE | PTE_DIRTY) || folio.has(FOLIO_ANON_EXCLUSIVE)) {
    if (folio.refcount != folio.mapcount + (folio.has(FOLIO_SWAP_CACHE) ? 1 : 0)) result = REFUSED;
    else {
      if (pteFlags(pte) & PTE_DIRTY) folio.set(FOLIO_DIRTY);
      folio.clear(FOLIO_ANON_EXCLUSIVE);
      store<u64>(slot, pte & ~(<u64>(PTE_WRITE | PTE_DIRTY)));
    }
  }
  notifyEnd(cmd);
  return result;
}

/** The entry changed while subscribers were told: closes the window. */
function gone(cmd: KsmCmd): i32 {
  notifyEnd(cmd);
  return REFUSED;
}

/** Makes the protected page a KSM page with one item. False where the reverse map would lose mappings. */
function makeKsm(item: KsmItem, pfn: u32): bool {
  const folio = folioOf(pfn);
  const vma = vmaOf(item);
  const entries = folio.mapcount + (folio.has(FOLIO_SWAP_CACHE) ? folioOf(swapSlotOf(pfn)).refcount : 0);
  const anon: u32 = entries == 1 ? vma.anonVma : folio.mapping;
  if (entriesAt(anon, item.address, pfn) != entries) return false;
  const node = nodeAlloc(pfn, item.checksum);
  if (!exists(node)) return false;
  anonVmaHold(anon);
  item.anonVma = anon;
  addItem(node, item, 0);
  folio.mapping = 0;
  folio.pgoff = changetype<usize>(node);
  folio.set(FOLIO_KSM | FOLIO_DIRTY);
  return true;
}

/** Counts the vmas of an anon_vma whose entry at this address names the page. */
function entriesAt(anon: u32, addr: u64, pfn: u32): u32 {
  let found: u32 = 0;
  for (let link: usize = anonVmaAt(anon).first; link; link = linkAt(link).next) {
    const vma = vmaAt(linkAt(link).vma);
    if (addr < vma.start || addr >= vma.end) continue;
    if (names(readPte(vma.mm.pgd, addr), pfn)) found++;
  }
  return found;
}

/** replace_page: the entry of a protected page gets the KSM page. 0, REFUSED or REQUEST. */
function replace(cmd: KsmCmd, item: KsmItem, pfn: u32, node: KsmNode): i32 {
  if (!pfn || pageOf(item) != pfn || !isAlive(node)) return gone(cmd);
  if (!notifyStart(cmd, item.mm, item.address, item.address + PAGE_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const slot = walk(mmAt(item.mm).pgd, item.address);
  const pte = load<u64>(slot);
  if (
    pteFlags(pte) & (PTE_WRITE | PTE_DIRTY) ||
    folioOf(pfn).has(FOLIO_ANON_EXCLUSIVE) ||
    !alike(pfn, node.pfn)
  )
    return gone(cmd);
  getPage(node.pfn);
  folioOf(node.pfn).maps++;
  store<u64>(slot, makePte(node.pfn, unsharedFlags(vmaOf(item))));
  unmapPage(pfn, folioOf(pfn));
  notifyEnd(cmd);
  return 0;
}

/** break_cow: unshares the KSM page that got no second mapping. 0 or REQUEST. */
function breakAgain(cmd: KsmCmd, item: KsmItem): i32 {
  const vma = vmaOf(item);
  const slot = exists(vma) ? walk(vma.mm.pgd, item.address) : 0;
  const pte: u64 = slot ? load<u64>(slot) : 0;
  if (ptePresent(pte) && folioOf(ptePfn(pte)).index == item.node && folioOf(ptePfn(pte)).has(FOLIO_KSM)) {
    if (copyPage(cmd, vma, item.address, slot, pte, unsharedFlags(vma)) == REQUEST) return REQUEST;
  } else notifyEnd(cmd);
  const node = ksmNodeAt(item.node);
  // A pin may keep the page a KSM page: then its node stays, too.
  if (ksmLeave(item) && !node.length && !isAlive(node)) nodeFree(node);
  return 0;
}
