// Holes of a migration: pages() maps a new page, or a huge one, where nothing or the zero page was.

import { COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import { FOLIO_LRU } from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_MIGRATE } from "../../uapi/event";
import { MIGRATE_PFN_MIGRATE } from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  REASON_HOLE_FILLED,
  REASON_HOLE_NOT_ANON,
  REASON_MEMCG_LIMIT,
  REASON_NO_ANON_VMA,
  REASON_NO_TABLE,
  REASON_UFFD,
} from "../../uapi/reason";
import { VM_UFFD_MISSING, VM_WRITE } from "../../uapi/vm";
import { LARGE_PAGES } from "../base/layout";
import { exists } from "../base/object";
import { makePte, pteFlags, ptePresent } from "../base/pte";
import { splitsHugeZeroLate } from "../base/rules";
import { count } from "../base/stat";
import { addNewAnon, addNewAnonLarge } from "../fault/common";
import { isPrivatePfn } from "../frame/coherent";
import { folioOf, isDevicePfn } from "../frame/folio";
import { chargeLarge } from "../frame/large";
import { memcgCharge } from "../frame/memcg";
import { noteUse } from "../frame/recency";
import { notifyStart } from "../operation/notify";
import { splitMapping } from "../operation/split";
import { Migration } from "../space/migration";
import { mmAt } from "../space/mm";
import { anonVmaPrepare } from "../space/anon-vma";
import { isAnonymous, protection, Vma, vmaAt, vmaLookup } from "../space/vma";
import { fillLeaf, hugeZeroPut, isHugeZero } from "../table/huge";
import { dropLeaf, leafTable, walkAlloc } from "../table/pagetable";
import { MigratePagesCmd } from "./cmd";

/** The mapping of a hole's `pages` pages, which may have changed since setup; null if there is none. */
export function vmaOfHole(m: Migration, addr: u64, pages: u32): Vma {
  const vma = vmaLookup(mmAt(m.mm), addr);
  return exists(vma) && addr + ((<u64>pages) << 12) <= vma.end ? vma : vmaAt(0);
}

/**
 * Opens a second `migrate` window, from the first hole that is filled (page i, at the first call) to the
 * range's end. False: the operation returns REQUEST.
 */
export function fillWindow(cmd: MigratePagesCmd, m: Migration, i: u32): bool {
  if (!m.holesFrom) m.holesFrom = i + 1;
  const from = m.start + ((<u64>(m.holesFrom - 1)) << 12);
  if (!cmd.windowAsked || cmd.windowMm) {
    if (!notifyStart(cmd, m.mm, from, m.end, MMU_NOTIFY_MIGRATE, m.owner)) return false;
    cmd.windowAsked = 1;
  }
  return true;
}

/**
 * migrate_vma_insert_page: maps the destination `pfn` at page i, which was a hole, or notes why not. 0 or
 * REQUEST.
 */
export function fillHole(cmd: MigratePagesCmd, m: Migration, i: u32, pfn: u32): i32 {
  const addr = m.start + ((<u64>i) << 12);
  const vma = vmaOfHole(m, addr, 1);
  if (exists(vma) && !fillWindow(cmd, m, i)) return REQUEST;
  if (exists(vma) && splitsHugeZeroLate()) {
    const table = leafTable(vma.mm.pgd, addr);
    if (table && isHugeZero(table) && splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
  }
  const reason = exists(vma) ? insertPage(m, vma, addr, pfn) : REASON_HOLE_NOT_ANON;
  if (reason) {
    m.stay(i, reason);
    return 0;
  }
  m.setSource(i, MIGRATE_PFN_MIGRATE);
  m.moved++;
  if (isDevicePfn(pfn)) noteUse(pfn);
  count(isDevicePfn(pfn) ? COUNT_TO_DEVICE : COUNT_TO_SYSTEM);
  return 0;
}

/** Maps a page at addr. A reason to leave the hole, or 0. */
function insertPage(m: Migration, vma: Vma, addr: u64, pfn: u32): u32 {
  if (!isAnonymous(vma)) return REASON_HOLE_NOT_ANON;
  if (vma.flags & VM_UFFD_MISSING) return REASON_UFFD;
  const mm = mmAt(m.mm);
  const slot = walkAlloc(mm.pgd, m.mm, addr);
  if (!slot) return REASON_NO_TABLE;
  if (!anonVmaPrepare(vma)) return REASON_NO_ANON_VMA;
  const pte = load<u64>(slot);
  const zero = ptePresent(pte) && (pteFlags(pte) & (PTE_SPECIAL | PTE_HUGE)) == PTE_SPECIAL;
  if (pte && !zero) return REASON_HOLE_FILLED;
  if (!memcgCharge(mm.memcg)) return REASON_MEMCG_LIMIT;
  const folio = folioOf(pfn);
  folio.memcg = mm.memcg;
  folio.refs++;
  addNewAnon(vma, addr, folio, isDevicePfn(pfn) ? 0 : FOLIO_LRU);
  store<u64>(slot, makePte(pfn, insertedFlags(vma, isPrivatePfn(pfn))));
  return 0;
}

/** The flags of the entry of a page that is inserted; `device`: CPUs may not map it. */
function insertedFlags(vma: Vma, device: bool): u32 {
  const write: u32 = vma.flags & VM_WRITE ? PTE_WRITE : 0;
  return (
    protection(vma) |
    write |
    (device ? PTE_KIND_DEVICE : (<u32>PTE_PRESENT) | PTE_YOUNG | (write ? PTE_DIRTY : 0))
  );
}

/**
 * Maps the large folio at `head` over the 2 MiB at addr, which were a hole. A reason to leave the hole, or 0.
 */
export function insertUnit(m: Migration, vma: Vma, addr: u64, head: u32): u32 {
  if (!isAnonymous(vma)) return REASON_HOLE_NOT_ANON;
  if (vma.flags & VM_UFFD_MISSING) return REASON_UFFD;
  const mm = mmAt(m.mm);
  const there = leafTable(mm.pgd, addr);
  if (there && !isHugeZero(there)) return REASON_HOLE_FILLED;
  if (!anonVmaPrepare(vma)) return REASON_NO_ANON_VMA;
  const table = walkAlloc(mm.pgd, m.mm, addr);
  if (!table) return REASON_NO_TABLE;
  if (!memcgCharge(mm.memcg, LARGE_PAGES)) {
    if (!there) dropLeaf(mm.pgd, addr);
    return REASON_MEMCG_LIMIT;
  }
  if (there) hugeZeroPut();
  const device = isDevicePfn(head);
  chargeLarge(head, mm.memcg);
  addNewAnonLarge(vma, addr, head, device ? 0 : FOLIO_LRU);
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    folioOf(pfn).refs++;
    if (device) noteUse(pfn);
  }
  fillLeaf(table, head, insertedFlags(vma, isPrivatePfn(head)));
  m.moved += LARGE_PAGES;
  count(device ? COUNT_TO_DEVICE : COUNT_TO_SYSTEM, LARGE_PAGES);
  return 0;
}
