// ksmScan: what ksmd does. A pass looks at each anonymous page of each mergeable mapping, by address space (in the order
// in which they came) and address. A page that has not changed since the last pass is compared
//
//   1. with the KSM pages: if one is alike, the entry gets that page;
//   2. with the pages that this pass has seen before: if one is alike, this page becomes a KSM page, and the other's entry
//      gets it.
//
// Pinned pages cannot be merged, pages on a device are left out. A write to a KSM page copies it (fault.ts).

import { FOLIO_KSM, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_KSM_MMS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import { VM_MERGEABLE } from "../../uapi/vm";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { ptePfn } from "../base/pte";
import { Folio, folioOf, frameOf, isDevicePfn } from "../frame/folio";
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
import { holeEnd, leafTable, slotOf, SPACE_END } from "../table/pagetable";
import { ksmLeave, ksmPrune, ksmUnlist } from "./ksm";
import { alike, isCandidate, join, KsmCmd, merge, pageOf, PHASE_PROTECT, PHASE_SCAN } from "./merge";

/** Addresses that one KSM page is given to by merging (max_page_sharing); forks may exceed it. */
const SHARING_MAX: u32 = 256;
/** A page is looked at in so many passes before some leave it out. */
const AGE_SKIPPED: u32 = 3;

/** OP_KSM: runs the passes that are left. Always 0 in the end. */
export function ksmStep(cmd: KsmCmd): i32 {
  for (; cmd.passes; cmd.passes--) {
    if (!cmd.scanned) {
      ksmPrune();
      clearSeen();
      cmd.scanned = header(HDR_KSM_MMS);
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

function hasMergeable(mm: Mm): bool {
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next))
    if (vma.flags & VM_MERGEABLE) return true;
  return false;
}

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

// ── Which pages ───────────────────────────────────────────────────────────────────────────────────────────────

/** scan_get_next_rmap_item: the item of the next address that is to be looked at; its page is cmd.page. 0 at the end. */
function nextItem(cmd: KsmCmd, mm: Mm): usize {
  for (let vma = findVmaFrom(mm, cmd.cursor); exists(vma); vma = vmaAt(vma.next)) {
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
      cmd.page = ptePfn(pte);
      return item;
    }
  }
  forgetUntil(cmd, mm, SPACE_END);
  return 0;
}

/** The item of an address, made if there is none; those of addresses that were passed over are given up. 0: no room. */
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

/** Where the link to the item after cmd.last stands. */
function linkAfter(cmd: KsmCmd, mm: Mm): usize {
  return cmd.last
    ? <usize>cmd.last + offsetof<KsmItem>("mmNext")
    : changetype<usize>(mm) + offsetof<Mm>("ksmItems");
}

/** Gives up the items below `addr` that have not been visited, but those that have to stay. The item that follows. */
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

/** cmp_and_merge_page: what becomes of the page cmd.page at the item's address; cmd.phase says if it is to be merged. */
function compare(cmd: KsmCmd, item: KsmItem): void {
  const pfn = cmd.page;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_KSM) && item.node == folio.index) return;
  if (!ksmLeave(item)) return;
  if (folio.has(FOLIO_KSM)) return join(item, ksmNodeAt(folio.index), 0); // a fork's
  const checksum = checksumOf(pfn);
  const before = item.checksum;
  item.checksum = checksum;
  if (before != checksum || !stableAlike(cmd, pfn, checksum)) return;
  cmd.item = <u32>changetype<usize>(item);
  cmd.phase = PHASE_PROTECT;
  if (cmd.node) return;
  // cmd.other: what this pass has seen.
  const chain = seenChain(checksum);
  for (cmd.other = load<u32>(chain); cmd.other; cmd.other = ksmItemAt(cmd.other).next) {
    const other = ksmItemAt(cmd.other);
    const otherPfn = other.checksum == checksum ? pageOf(other) : 0;
    if (!otherPfn || !alike(pfn, otherPfn)) continue;
    // Two entries of forks for one page: nothing to do, and nothing to remember.
    if (otherPfn == pfn) cmd.phase = PHASE_SCAN;
    return;
  }
  item.next = load<u32>(chain);
  store<u32>(chain, cmd.item);
  cmd.phase = PHASE_SCAN;
}

/** stable_tree_search: cmd.node is the node of a KSM page that is alike and may have more users, 0 none. False: locked. */
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
