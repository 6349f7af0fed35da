// ksmScan: what ksmd does. A pass looks at each anonymous page of each mergeable mapping, in the order in
// which the address spaces came and by address. A page that has not changed since the last pass is compared
//
//   1. with the KSM pages: if one has the same contents, the entry gets that page;
//   2. with the pages that this pass has seen: if one has the same contents, this page becomes a KSM page and
//      the other's entry gets it.
//
// Pinned pages cannot be merged; pages on a device are left out. A write to a KSM page copies it (fault.ts).

import { FOLIO_KSM, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_KSM_MMS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import { VM_MERGEABLE } from "../../uapi/vm";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { ptePfn } from "../base/pte";
import { Folio, folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { drainUnlocked } from "../frame/unlocked";
import {
  clearSeen,
  isAlive,
  itemAlloc,
  itemFree,
  KsmItem,
  ksmItemAt,
  ksmNodeAt,
  nodeChain,
  seenChain,
} from "../space/ksm-item";
import { Mm, mmAt } from "../space/mm";
import { findVmaFrom, vmaAt } from "../space/vma";
import { leafTable, nextPage, slotOf, SPACE_END } from "../table/pagetable";
import { ksmLeave, ksmPrune, ksmUnlist } from "./ksm";
import { alike, isCandidate, join, KsmCmd, merge, pageOf, PHASE_PROTECT, PHASE_SCAN } from "./merge";

/** At most this many addresses get one KSM page by merging (max_page_sharing); forks may add more. */
const SHARING_MAX: u32 = 256;
/** Passes that look at a page before some begin to skip it. */
const AGE_SKIPPED: u32 = 3;

/** OP_KSM: runs the passes that are left. 0 or REQUEST. */
export function ksmStep(cmd: KsmCmd): i32 {
  for (; cmd.passes; cmd.passes--) {
    if (!cmd.scanned) {
      ksmPrune();
      clearSeen();
      cmd.scanned = header(HDR_KSM_MMS);
      if (cmd.scanned) drainUnlocked();
    }
    while (cmd.scanned) {
      const mm = mmAt(cmd.scanned);
      if (scanMm(cmd, mm) == REQUEST) return REQUEST;
      cmd.scanned = mm.ksmNext;
      cmd.cursor = 0;
      cmd.last = 0;
      if (!mm.ksmItems && !hasMergeable(mm)) ksmUnlist(mm);
    }
  }
  ksmPrune();
  return 0;
}

/** Has the address space a vma that KSM looks at? */
function hasMergeable(mm: Mm): bool {
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next))
    if (vma.flags & VM_MERGEABLE) return true;
  return false;
}

/** Compares the pages of one address space from cmd.cursor on, and merges what can be. 0 or REQUEST. */
function scanMm(cmd: KsmCmd, mm: Mm): i32 {
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

// ── Which pages ──────────────────────────────────────────────────────────────────────────────────────────

/**
 * scan_get_next_rmap_item: the item of the next address to be looked at, whose page is cmd.page; 0 at the
 * end.
 */
function nextItem(cmd: KsmCmd, mm: Mm): usize {
  for (let vma = findVmaFrom(mm, cmd.cursor); exists(vma); vma = vmaAt(vma.next)) {
    if (!(vma.flags & VM_MERGEABLE) || !vma.anonVma) continue;
    let addr = max(cmd.cursor, vma.start);
    while (addr < vma.end) {
      const table = leafTable(mm.pgd, addr);
      const pte: u64 = table ? load<u64>(slotOf(table, addr)) : 0;
      const item = isCandidate(pte) ? itemOf(cmd, mm, addr) : 0;
      addr = nextPage(mm.pgd, table, addr);
      if (!item || leaveOut(ksmItemAt(item), folioOf(ptePfn(pte)))) continue;
      cmd.cursor = addr;
      cmd.page = ptePfn(pte);
      return item;
    }
  }
  forgetUntil(cmd, mm, SPACE_END);
  return 0;
}

/**
 * The item of an address, made if there is none; frees the items of addresses before it. 0 when no item is
 * free.
 */
function itemOf(cmd: KsmCmd, mm: Mm, addr: u64): usize {
  let item = forgetUntil(cmd, mm, addr);
  if (!item || ksmItemAt(item).address != addr) {
    const made = itemAlloc(mm.id, addr);
    if (!exists(made)) return 0;
    made.mmNext = <u32>item;
    item = changetype<usize>(made);
    store<u32>(linkAfter(cmd, mm), <u32>item);
  }
  cmd.last = <u32>item;
  return item;
}

/** The address of the link to the item after cmd.last. */
function linkAfter(cmd: KsmCmd, mm: Mm): usize {
  return cmd.last
    ? <usize>cmd.last + offsetof<KsmItem>("mmNext")
    : changetype<usize>(mm) + offsetof<Mm>("ksmItems");
}

/**
 * Frees the items between cmd.last and `addr`, but those that have to stay. Returns the item that follows.
 */
function forgetUntil(cmd: KsmCmd, mm: Mm, addr: u64): usize {
  let at: usize = load<u32>(linkAfter(cmd, mm));
  while (at && ksmItemAt(at).address < addr) {
    const item = ksmItemAt(at);
    if (ksmLeave(item)) {
      store<u32>(linkAfter(cmd, mm), item.mmNext);
      itemFree(item);
    } else cmd.last = <u32>at;
    at = load<u32>(linkAfter(cmd, mm));
  }
  return at;
}

/** should_skip_rmap_item: is this a pass that skips the page, as many before found nothing for it? */
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

// ── What is alike ────────────────────────────────────────────────────────────────────────────────────────

/** A checksum of a page's contents, never 0. */
function checksumOf(pfn: u32): u32 {
  const frame = frameOf(pfn);
  let sum: u64 = 0x9e3779b97f4a7c15;
  for (let at = frame; at < frame + PAGE_SIZE; at += 8) {
    sum = rotl<u64>(sum ^ load<u64>(at), 29) * 0xbf58476d1ce4e5b9;
  }
  const high = <u32>(sum >> 32);
  return high ? high : 1; // an item with 0 was never looked at
}

/** cmp_and_merge_page of cmd.page at the item's address; sets cmd.phase if the page is to be merged. */
function compare(cmd: KsmCmd, item: KsmItem): void {
  const pfn = cmd.page;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_KSM) && item.node == folio.index) return;
  if (!ksmLeave(item)) return;
  if (folio.has(FOLIO_KSM)) return join(item, ksmNodeAt(folio.index), 0); // the fork of a KSM page
  const checksum = checksumOf(pfn);
  const before = item.checksum;
  item.checksum = checksum;
  if (before != checksum || !stableAlike(cmd, pfn, checksum)) return;
  cmd.item = <u32>changetype<usize>(item);
  cmd.phase = PHASE_PROTECT;
  if (cmd.node) return;
  // The pages that this pass has seen.
  const chain = seenChain(checksum);
  for (cmd.other = load<u32>(chain); cmd.other; cmd.other = ksmItemAt(cmd.other).next) {
    const other = ksmItemAt(cmd.other);
    const otherPfn = other.checksum == checksum ? pageOf(other) : 0;
    if (!otherPfn || !alike(pfn, otherPfn)) continue;
    // Two entries of forks name one page: nothing to do, and nothing to remember.
    if (otherPfn == pfn) cmd.phase = PHASE_SCAN;
    return;
  }
  item.next = load<u32>(chain);
  store<u32>(chain, cmd.item);
  cmd.phase = PHASE_SCAN;
}

/**
 * stable_tree_search: sets cmd.node to the node of a KSM page with the same contents that may get another
 * address; 0 if there is none. False if a candidate is locked.
 */
function stableAlike(cmd: KsmCmd, pfn: u32, checksum: u32): bool {
  cmd.node = 0;
  let most: u32 = 0;
  for (let at: usize = load<u32>(nodeChain(checksum)); at; at = ksmNodeAt(at).next) {
    const node = ksmNodeAt(at);
    if (node.checksum != checksum || !isAlive(node) || isDevicePfn(node.pfn) || !alike(pfn, node.pfn))
      continue;
    if (folioOf(node.pfn).has(FOLIO_LOCKED)) return false;
    if (node.length >= SHARING_MAX || (cmd.node && node.length <= most)) continue;
    most = node.length;
    cmd.node = <u32>at;
  }
  return true;
}
