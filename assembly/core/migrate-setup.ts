// migrate_vma_setup and migrate_device_range: which pages of a range can move, with their entries replaced, so that
// nobody touches them until the end.

import { EINVAL, ENOMEM } from "../uapi/errno";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_MIGRATE, REQUEST } from "../uapi/event";
import {
  MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, MIGRATE_PFN_WRITE, MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from "../uapi/pfn";
import { PTE_KIND_DEVICE, PTE_KIND_MIGRATION, PTE_SPECIAL, PTE_WRITE } from "../uapi/pte";
import {
  REASON_FREE_PAGE, REASON_HOLE_NOT_ANON, REASON_LARGE_FOLIO, REASON_LOCKED, REASON_MIGRATING,
  REASON_NO_MAPPING, REASON_NOT_ISOLATED, REASON_NOT_PRESENT, REASON_NOT_SELECTED, REASON_OTHER_OWNER,
  REASON_PINNED, REASON_STILL_MAPPED,
} from "../uapi/reason";
import {
  COUNT_MIGRATIONS, FOLIO_ANON, FOLIO_FILE, FOLIO_FREE, FOLIO_HEAD, FOLIO_LOCKED, FOLIO_LRU,
  FOLIO_MIGRATION_SHARED, FOLIO_SHMEM, FOLIO_SWAP_CACHE, FOLIO_TAIL, MIGRATION_SETUP, OWNER_ANY,
  TABLE_MIGRATION,
} from "../uapi/struct";
import { VM_HUGETLB, VM_SPECIAL } from "../uapi/vm";
import { Cmd } from "./cmd";
import { Folio, folioOf, isDevicePfn } from "./folio";
import {
  isOpen, mapsPage, Migration, migrationAlloc, pfnOf, removeMigrationEntries, takeEntry,
} from "./migration";
import { mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { getPage, putPage, validPfn, zoneOf, zoneOfPfn } from "./page-alloc";
import { holeEnd, leafEnd, leafTable, slotOf, walk } from "./pagetable";
import { poolId } from "./pool";
import { pteFlags, pteKind, ptePfn, ptePresent } from "./pte";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "./rmap";
import { count } from "./stat";
import { isAnonymous, some, vmaAt, vmaLookup } from "./vma";

/** OP_MIGRATE_SETUP: [start, end); b: select; c: owner; d: fault page. a: the migration; e: slot being unmapped. */
export function migrateSetupStep(cmd: Cmd): i32 {
  if (cmd.phase == 0) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.start);
    if (!some(vma) || vma.flags & (VM_SPECIAL | VM_HUGETLB) || cmd.end > vma.end || cmd.start >= cmd.end) return -EINVAL;
    if (cmd.d && (!validPfn(cmd.d) || !folioOf(cmd.d).has(FOLIO_LOCKED) || !isDevicePfn(cmd.d))) return -EINVAL;
    const m = migrationAlloc(<u32>((cmd.end - cmd.start) >> 12));
    if (!isOpen(m)) return -ENOMEM;
    m.mm = cmd.mm;
    m.vma = <u32>vma.ptr;
    m.select = cmd.b;
    m.start = cmd.start;
    m.end = cmd.end;
    m.owner = cmd.c;
    m.faultPage = cmd.d;
    cmd.a = <u32>changetype<usize>(m);
    cmd.phase = 1;
  }
  const m = changetype<Migration>(cmd.a);
  if (cmd.phase == 1) {
    if (!notifyStart(cmd, cmd.mm, m.start, m.end, MMU_NOTIFY_MIGRATE, m.owner)) return REQUEST;
    collect(m);
    notifyEnd(cmd);
    cmd.phase = 2;
  }
  return finishSetup(cmd, m);
}

/** OP_MIGRATE_DEVICE_SETUP: pages [e, e + f). b: slot being unmapped. */
export function migrateDeviceSetupStep(cmd: Cmd): i32 {
  if (cmd.phase == 0) {
    const m = migrationAlloc(cmd.f);
    if (!isOpen(m)) return -ENOMEM;
    m.select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    cmd.a = <u32>changetype<usize>(m);
    const first = cmd.e;
    cmd.e = 0;
    cmd.phase = 2;
    for (let i: u32 = 0; i < m.npages; i++) collectPfn(m, i, first + i);
  }
  return finishSetup(cmd, changetype<Migration>(cmd.a));
}

function finishSetup(cmd: Cmd, m: Migration): i32 {
  if (unmapAll(cmd, m) == REQUEST) return REQUEST;
  restoreDropped(m);
  m.state = MIGRATION_SETUP;
  count(COUNT_MIGRATIONS);
  return poolId(TABLE_MIGRATION, changetype<usize>(m));
}

/** A page of the device, wherever it is mapped. */
function collectPfn(m: Migration, i: u32, pfn: u32): void {
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_FREE)) return m.stay(i, REASON_FREE_PAGE);
  if (folio.has(FOLIO_LOCKED)) return m.stay(i, REASON_LOCKED);
  getPage(pfn);
  folio.set(FOLIO_LOCKED);
  m.setSource(i, <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | pfn);
}

/** migrate_vma_collect: an entry at a time. */
function collect(m: Migration): void {
  const vma = vmaAt(m.vma);
  const pgd = vma.mm.pgd;
  const anonymous = isAnonymous(vma);
  let addr = m.start;
  let i: u32 = 0;
  while (addr < m.end) {
    const table = leafTable(pgd, addr);
    const until = table ? leafEnd(addr, m.end) : min(holeEnd(pgd, addr), m.end);
    let at = table ? slotOf(table, addr) : 0;
    for (; addr < until; addr += 4096, i++) {
      const pte = table ? load<u64>(at) : 0;
      if (pte) collectEntry(m, i, at, pte);
      else if (anonymous) m.setSource(i, MIGRATE_PFN_MIGRATE);
      else m.stay(i, REASON_HOLE_NOT_ANON);
      at += 8;
    }
  }
}

/** Is a page of this kind and owner wanted? REASON_NONE (0) or why not. */
@inline
function selected(m: Migration, pte: u64): u32 {
  if (ptePresent(pte)) return m.select & MIGRATE_VMA_SELECT_SYSTEM ? 0 : REASON_NOT_SELECTED;
  const kind = pteKind(pte);
  if (kind == PTE_KIND_MIGRATION) return REASON_MIGRATING;
  if (kind != PTE_KIND_DEVICE) return REASON_NOT_PRESENT;
  if (!(m.select & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) return REASON_NOT_SELECTED;
  const owner = zoneOf(zoneOfPfn(ptePfn(pte))).owner;
  return owner == m.owner || m.owner == <u32>OWNER_ANY ? 0 : REASON_OTHER_OWNER;
}

@inline
function collectEntry(m: Migration, i: u32, at: usize, pte: u64): void {
  const refused = selected(m, pte);
  if (refused) return m.stay(i, refused);
  if (ptePresent(pte) && pteFlags(pte) & PTE_SPECIAL) return m.setSource(i, MIGRATE_PFN_MIGRATE);
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  if (!folio.has(FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM)) return m.stay(i, REASON_NO_MAPPING);
  if (folio.has(FOLIO_HEAD | FOLIO_TAIL)) return m.stay(i, REASON_LARGE_FOLIO);
  if (pfn != m.faultPage) {
    if (folio.has(FOLIO_LOCKED)) return m.stay(i, REASON_LOCKED);
    folio.set(FOLIO_LOCKED);
  }
  // The mapping's reference becomes the migration's.
  takeEntry(at, pte, pfn, folio);
  m.setSource(i, <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | pfn | (pteFlags(pte) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0));
}

/** migrate_device_unmap: isolates each page, and replaces the entries that other mappings have of it. */
function unmapAll(cmd: Cmd, m: Migration): i32 {
  for (; cmd.e < m.npages; cmd.e++) {
    const word = m.source(cmd.e);
    if (!(word & <u32>MIGRATE_PFN_VALID)) continue;
    const pfn = pfnOf(word);
    const folio = folioOf(pfn);
    if (!cmd.link && !isDevicePfn(pfn)) {
      if (!folio.has(FOLIO_LRU)) {
        m.stay(cmd.e, REASON_NOT_ISOLATED);
        continue;
      }
      folio.clear(FOLIO_LRU);
    }
    if ((folio.mapcount || cmd.link) && unmapElsewhere(cmd, pfn, folio) == REQUEST) return REQUEST;
    const explained: u32 = 1 + (isDevicePfn(pfn) ? 1 : 0) + (pfn == m.faultPage ? 1 : 0) + (folio.has(FOLIO_FILE | FOLIO_SHMEM | FOLIO_SWAP_CACHE) ? 1 : 0);
    if (folio.mapcount) m.stay(cmd.e, REASON_STILL_MAPPED);
    else if (folio.refcount > explained) m.stay(cmd.e, REASON_PINNED);
  }
  return 0;
}

/**
 * try_to_migrate: every vma that could map the page is told (`clear`, one page), whether it does or not, until nothing
 * maps it any more. cmd.link: the vma being told.
 */
function unmapElsewhere(cmd: Cmd, pfn: u32, folio: Folio): i32 {
  let link: usize = cmd.link ? <usize>cmd.link : rmapFirst(folio);
  while (link) {
    cmd.link = <u32>link;
    const vma = rmapVma(link, folio);
    const addr = rmapAddress(vma, folio);
    if (!notifyStart(cmd, vma.mmId, addr, addr + 4096, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
    const slot = walk(vma.mm.pgd, addr);
    if (slot && mapsPage(load<u64>(slot), pfn)) {
      takeEntry(slot, load<u64>(slot), pfn, folio);
      folio.set(FOLIO_MIGRATION_SHARED);
      putPage(pfn);
    }
    notifyEnd(cmd);
    if (!folio.mapcount) break;
    link = rmapNext(link, folio);
  }
  cmd.link = 0;
  return 0;
}

/** Pages that turned out to be unable to move get their entries back; what can move is counted. */
function restoreDropped(m: Migration): void {
  const pgd = m.mm ? mmAt(m.mm).pgd : 0;
  let candidates: u32 = 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    if (word & MIGRATE_PFN_MIGRATE) {
      candidates++;
      continue;
    }
    if (!(word & <u32>MIGRATE_PFN_VALID)) continue;
    const pfn = pfnOf(word);
    const slot = pgd ? walk(pgd, m.start + (<u64>i << 12)) : 0;
    removeMigrationEntries(mmAt(m.mm), slot, pfn, pfn);
    letGo(m, pfn);
    m.setSource(i, 0);
  }
  m.cpages = candidates;
}

/** Unlocks a page, puts it back on the LRU and drops the migration's reference. */
export function letGo(m: Migration, pfn: u32): void {
  const folio = folioOf(pfn);
  if (pfn != m.faultPage) folio.clear(FOLIO_LOCKED);
  if (!isDevicePfn(pfn)) folio.set(FOLIO_LRU);
  putPage(pfn);
}
