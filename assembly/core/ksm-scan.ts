// ksmScan: what ksmd does. A pass looks at each anonymous page of each mergeable mapping, by address space (in the order
// in which they came) and address. A page that has not changed since the last pass is compared
//
//   1. with the KSM pages: if one is alike, the entry gets that page;
//   2. with the pages that this pass has seen before: if one is alike, this page becomes a KSM page, and the other's entry
//      gets it.
//
// An entry is write-protected first (`clear` is told), so that its page changes no more, then replaced (`clear` again). A
// pinned page cannot be. Pages on a device are left out. A write to a KSM page copies it (fault.ts).

import { MMU_NOTIFY_CLEAR, REQUEST } from "../uapi/event";
import { PAGE_SIZE } from "../uapi/page";
import { PTE_DIRTY, PTE_SPECIAL, PTE_WRITE } from "../uapi/pte";
import {
  FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_DIRTY, FOLIO_HEAD, FOLIO_KSM, FOLIO_LOCKED, FOLIO_SWAP_CACHE,
  FOLIO_TAIL, HDR_KSM_MMS,
} from "../uapi/struct";
import { VM_MERGEABLE } from "../uapi/vm";
import { Cmd } from "./cmd";
import { copyPage } from "./fault";
import { Folio, folioOf, frameOf, isDevicePfn } from "./folio";
import { ksmLeave, ksmPrune, ksmUnlist, unsharedFlags } from "./ksm";
import {
  addItem, clearSeen, forgetSeen, isAlive, itemAlloc, itemFree, KsmItem, ksmItemAt, KsmNode, ksmNodeAt,
  nodeAlloc, nodeChain, nodeFree, seenChain,
} from "./ksm-item";
import { header } from "./layout";
import { Mm, mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { getPage } from "./page-alloc";
import { holeEnd, leafTable, readPte, slotOf, walk } from "./pagetable";
import { makePte, pteFlags, ptePfn, ptePresent } from "./pte";
import { anonVmaAt, anonVmaHold, linkAt } from "./rmap";
import { SPACE_END } from "./unmap";
import { findVmaFrom, some, Vma, vmaAt, vmaLookup } from "./vma";
import { unmapPage } from "./zap";

/** Addresses that one KSM page is given to by merging (max_page_sharing); forks may exceed it. */
const SHARING_MAX: u32 = 256;
/** A page is looked at in so many passes before some leave it out. */
const AGE_SKIPPED: u32 = 3;

const PHASE_SCAN: u32 = 0;
const PHASE_PROTECT: u32 = 1;
const PHASE_REPLACE: u32 = 2;
const PHASE_PROTECT_OTHER: u32 = 3;
const PHASE_REPLACE_OTHER: u32 = 4;
const PHASE_BREAK: u32 = 5;

/** Between 0 and REQUEST: the entry is not what it was, or its page may not be merged. */
const REFUSED: i32 = 1;

/**
 * OP_KSM: a: passes left; b: the mm; cursor: the next address; f: the item of the last one. While two pages are merged
 * (phase): c: the item; e: its page; flags: the node of the KSM page, or d: the item of the other page.
 */
export function ksmStep(cmd: Cmd): i32 {
  for (; cmd.a; cmd.a--) {
    if (!cmd.b) {
      ksmPrune();
      clearSeen();
      cmd.b = header(HDR_KSM_MMS);
    }
    while (cmd.b) {
      const mm = mmAt(cmd.b);
      if (scanMm(cmd, mm) == REQUEST) return REQUEST;
      cmd.b = mm.ksmNext;
      cmd.cursor = 0;
      cmd.f = 0;
      if (!mm.ksmItems && !hasMergeable(mm)) ksmUnlist(mm);
    }
  }
  ksmPrune();
  return 0;
}

function hasMergeable(mm: Mm): bool {
  for (let vma = vmaAt(mm.vmaFirst); some(vma); vma = vmaAt(vma.next)) if (vma.flags & VM_MERGEABLE) return true;
  return false;
}

function scanMm(cmd: Cmd, mm: Mm): i32 {
  while (true) {
    if (cmd.phase) {
      if (merge(cmd) == REQUEST) return REQUEST;
      cmd.phase = PHASE_SCAN;
    }
    const item = nextItem(cmd, mm);
    if (!item) return 0;
    compare(cmd, ksmItemAt(item));
  }
}

// ── Which pages ───────────────────────────────────────────────────────────────────────────────────────────────

/** scan_get_next_rmap_item: the item of the next address that is to be looked at; its page is cmd.e. 0 at the end. */
function nextItem(cmd: Cmd, mm: Mm): usize {
  for (let vma = findVmaFrom(mm, cmd.cursor); some(vma); vma = vmaAt(vma.next)) {
    if (!(vma.flags & VM_MERGEABLE) || !vma.anonVma) continue;
    let addr = max(cmd.cursor, vma.start);
    while (addr < vma.end) {
      const table = leafTable(mm.pgd, addr);
      if (!table) {
        addr = holeEnd(mm.pgd, addr);
        continue;
      }
      const pte = load<u64>(slotOf(table, addr));
      const item = isCandidate(pte) ? itemOf(cmd, mm, addr) : 0;
      addr += PAGE_SIZE;
      if (!item || leaveOut(ksmItemAt(item), folioOf(ptePfn(pte)))) continue;
      cmd.cursor = addr;
      cmd.e = ptePfn(pte);
      return item;
    }
  }
  forgetUntil(cmd, mm, SPACE_END);
  return 0;
}

function isCandidate(pte: u64): bool {
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL || isDevicePfn(ptePfn(pte))) return false;
  const folio = folioOf(ptePfn(pte));
  return folio.has(FOLIO_ANON) && !folio.has(FOLIO_HEAD | FOLIO_TAIL);
}

/** The item of an address, made if there is none; those of addresses that were passed over are given up. 0: no room. */
function itemOf(cmd: Cmd, mm: Mm, addr: u64): usize {
  let item = forgetUntil(cmd, mm, addr);
  if (!item || ksmItemAt(item).address != addr) {
    const made = itemAlloc(mm.id, addr);
    if (!changetype<usize>(made)) return 0;
    made.mmNext = <u32>item;
    item = changetype<usize>(made);
    store<u32>(linkAfter(cmd, mm), <u32>item);
  }
  cmd.f = <u32>item;
  return item;
}

/** Where the link to the item after cmd.f stands. */
function linkAfter(cmd: Cmd, mm: Mm): usize {
  return cmd.f ? <usize>cmd.f + offsetof<KsmItem>("mmNext") : changetype<usize>(mm) + offsetof<Mm>("ksmItems");
}

/** Gives up the items below `addr` that have not been visited, but those that have to stay. The item that follows. */
function forgetUntil(cmd: Cmd, mm: Mm, addr: u64): usize {
  let at: usize = load<u32>(linkAfter(cmd, mm));
  while (at && ksmItemAt(at).address < addr) {
    const item = ksmItemAt(at);
    if (ksmLeave(item)) {
      store<u32>(linkAfter(cmd, mm), item.mmNext);
      itemFree(item);
    } else cmd.f = <u32>at;
    at = load<u32>(linkAfter(cmd, mm));
  }
  return at;
}

/** should_skip_rmap_item: a page that was often looked at in vain is left out now and then. */
function leaveOut(item: KsmItem, folio: Folio): bool {
  if (folio.has(FOLIO_KSM)) return false;
  const age: u32 = item.age;
  if (age < 255) item.age++;
  if (age < AGE_SKIPPED) return false;
  if (!item.skips) {
    item.skips = <u8>(age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8);
    return false;
  }
  item.skips--;
  ksmLeave(item);
  return true;
}

// ── What is alike ─────────────────────────────────────────────────────────────────────────────────────────────

function checksumOf(pfn: u32): u32 {
  const frame = frameOf(pfn);
  let sum: u64 = 0x9e3779b97f4a7c15;
  for (let at = frame; at < frame + PAGE_SIZE; at += 8) {
    sum = rotl<u64>(sum ^ load<u64>(at), 29) * 0xbf58476d1ce4e5b9;
  }
  const high = <u32>(sum >> 32);
  return high ? high : 1; // 0: never looked at
}

@inline
function alike(a: u32, b: u32): bool {
  return memory.compare(frameOf(a), frameOf(b), PAGE_SIZE) == 0;
}

/** cmp_and_merge_page: what becomes of the page cmd.e at the item's address; cmd.phase says if it is to be merged. */
function compare(cmd: Cmd, item: KsmItem): void {
  const pfn = cmd.e;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_KSM) && item.node == folio.index) return;
  if (!ksmLeave(item)) return;
  if (folio.has(FOLIO_KSM)) return join(item, ksmNodeAt(folio.index), 0); // a fork's
  const checksum = checksumOf(pfn);
  const before = item.checksum;
  item.checksum = checksum;
  if (before != checksum || !stableAlike(cmd, pfn, checksum)) return;
  cmd.c = <u32>changetype<usize>(item);
  cmd.phase = PHASE_PROTECT;
  if (cmd.flags) return;
  // cmd.d: what this pass has seen.
  const chain = seenChain(checksum);
  for (cmd.d = load<u32>(chain); cmd.d; cmd.d = ksmItemAt(cmd.d).next) {
    const other = ksmItemAt(cmd.d);
    const otherPfn = other.checksum == checksum ? pageOf(other) : 0;
    if (!otherPfn || !alike(pfn, otherPfn)) continue;
    // Two entries of forks for one page: nothing to do, and nothing to remember.
    if (otherPfn == pfn) cmd.phase = PHASE_SCAN;
    return;
  }
  item.next = load<u32>(chain);
  store<u32>(chain, cmd.c);
  cmd.phase = PHASE_SCAN;
}

/** stable_tree_search: cmd.flags is the node of a KSM page that is alike and may have more users, 0 none. False: locked. */
function stableAlike(cmd: Cmd, pfn: u32, checksum: u32): bool {
  cmd.flags = 0;
  let most: u32 = 0;
  for (let at: usize = load<u32>(nodeChain(checksum)); at; at = ksmNodeAt(at).next) {
    const node = ksmNodeAt(at);
    if (node.checksum != checksum || !isAlive(node) || isDevicePfn(node.pfn) || !alike(pfn, node.pfn)) continue;
    if (folioOf(node.pfn).has(FOLIO_LOCKED)) return false;
    if (node.length >= SHARING_MAX || (cmd.flags && node.length <= most)) continue;
    most = node.length;
    cmd.flags = <u32>at;
  }
  return true;
}

// ── Merging ───────────────────────────────────────────────────────────────────────────────────────────────────

/** find_mergeable_vma: the item's mapping; null if it has changed so that nothing may be merged there. */
function vmaOf(item: KsmItem): Vma {
  const vma = vmaLookup(mmAt(item.mm), item.address);
  return some(vma) && vma.flags & VM_MERGEABLE && vma.anonVma ? vma : vmaAt(0);
}

/** The page at an item's address, if it could be merged; else 0. */
function pageOf(item: KsmItem): u32 {
  const pte = readPte(mmAt(item.mm).pgd, item.address);
  return some(vmaOf(item)) && isCandidate(pte) ? ptePfn(pte) : 0;
}

/** The item's address has the node's page. `behind`: the item that its own stands behind, 0: it is the first. */
function join(item: KsmItem, node: KsmNode, behind: usize): void {
  item.anonVma = vmaLookup(mmAt(item.mm), item.address).anonVma;
  anonVmaHold(item.anonVma);
  addItem(node, item, behind);
}

/** try_to_merge_with_ksm_page and try_to_merge_two_pages. 0 when all is said and done, or REQUEST. */
function merge(cmd: Cmd): i32 {
  const item = ksmItemAt(cmd.c);
  const other = ksmItemAt(cmd.d);
  let result: i32 = 0;
  if (cmd.phase == PHASE_PROTECT) {
    result = protect(cmd, item, cmd.e);
    if (result) return result;
    if (!cmd.flags && !makeKsm(item, cmd.e)) return 0;
    cmd.phase = cmd.flags ? PHASE_REPLACE : PHASE_PROTECT_OTHER;
  }
  if (cmd.phase == PHASE_REPLACE) {
    result = replace(cmd, item, cmd.e, ksmNodeAt(cmd.flags));
    if (!result) join(item, ksmNodeAt(cmd.flags), 0);
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
      join(other, ksmNodeAt(item.node), cmd.c);
      return 0;
    }
    cmd.phase = PHASE_BREAK;
  }
  return breakAgain(cmd, item);
}

/** write_protect_page: the page stays as it is from here on. 0, REFUSED (somebody else refers to it), or REQUEST. */
function protect(cmd: Cmd, item: KsmItem, pfn: u32): i32 {
  const folio = folioOf(pfn);
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

/** While somebody was told, the entry became something else. */
function gone(cmd: Cmd): i32 {
  notifyEnd(cmd);
  return REFUSED;
}

/** The protected page becomes a KSM page, with the item as its first. False where the reverse map would lose mappings. */
function makeKsm(item: KsmItem, pfn: u32): bool {
  const folio = folioOf(pfn);
  const vma = vmaOf(item);
  const anon: u32 = folio.mapcount == 1 ? vma.anonVma : folio.mapping;
  if (mappingsAt(anon, item.address, pfn) != folio.mapcount) return false;
  const node = nodeAlloc(pfn, item.checksum);
  if (!changetype<usize>(node)) return false;
  anonVmaHold(anon);
  item.anonVma = anon;
  addItem(node, item, 0);
  folio.mapping = 0;
  folio.pgoff = changetype<usize>(node);
  folio.set(FOLIO_KSM | FOLIO_DIRTY);
  return true;
}

/** How many of an anon_vma's vmas map the page at this address. */
function mappingsAt(anon: u32, addr: u64, pfn: u32): u32 {
  let found: u32 = 0;
  for (let link: usize = anonVmaAt(anon).first; link; link = linkAt(link).next) {
    const vma = vmaAt(linkAt(link).vma);
    if (addr < vma.start || addr >= vma.end) continue;
    const pte = readPte(vma.mm.pgd, addr);
    if (ptePresent(pte) && ptePfn(pte) == pfn) found++;
  }
  return found;
}

/** replace_page: the entry of a protected page gets the KSM page. 0, REFUSED, or REQUEST. */
function replace(cmd: Cmd, item: KsmItem, pfn: u32, node: KsmNode): i32 {
  if (!pfn || pageOf(item) != pfn || !isAlive(node)) return gone(cmd);
  if (!notifyStart(cmd, item.mm, item.address, item.address + PAGE_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const slot = walk(mmAt(item.mm).pgd, item.address);
  const pte = load<u64>(slot);
  if (pteFlags(pte) & (PTE_WRITE | PTE_DIRTY) || folioOf(pfn).has(FOLIO_ANON_EXCLUSIVE) || !alike(pfn, node.pfn)) return gone(cmd);
  getPage(node.pfn);
  folioOf(node.pfn).maps++;
  store<u64>(slot, makePte(node.pfn, unsharedFlags(vmaOf(item))));
  unmapPage(pfn, folioOf(pfn));
  notifyEnd(cmd);
  return 0;
}

/** break_cow: the page that was to be shared has no partner. 0 or REQUEST. */
function breakAgain(cmd: Cmd, item: KsmItem): i32 {
  const vma = vmaOf(item);
  const slot = some(vma) ? walk(vma.mm.pgd, item.address) : 0;
  const pte: u64 = slot ? load<u64>(slot) : 0;
  if (ptePresent(pte) && folioOf(ptePfn(pte)).index == item.node && folioOf(ptePfn(pte)).has(FOLIO_KSM)) {
    if (copyPage(cmd, vma, item.address, slot, pte, unsharedFlags(vma)) == REQUEST) return REQUEST;
  } else notifyEnd(cmd);
  const node = ksmNodeAt(item.node);
  if (ksmLeave(item) && !node.length) nodeFree(node);
  return 0;
}
