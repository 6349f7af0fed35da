// migrate_vma_setup and migrate_device_range: which pages of a range can move, with their entries replaced, so that
// nobody touches them until the end.

import { EINVAL, ENOMEM } from "../uapi/errno";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_MIGRATE, REQUEST } from "../uapi/event";
import {
  MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, MIGRATE_PFN_WRITE, MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE, MIGRATE_VMA_SELECT_SYSTEM,
} from "../uapi/pfn";
import {
  PTE_DIRTY, PTE_EXCLUSIVE, PTE_KIND_DEVICE, PTE_KIND_MASK, PTE_KIND_MIGRATION, PTE_NO_ACCESS, PTE_PRESENT,
  PTE_SPECIAL, PTE_WRITE, PTE_YOUNG,
} from "../uapi/pte";
import {
  REASON_FREE_PAGE, REASON_HOLE_NOT_ANON, REASON_LARGE_FOLIO, REASON_LOCKED, REASON_MIGRATING,
  REASON_NO_MAPPING, REASON_NOT_ISOLATED, REASON_NOT_PRESENT, REASON_NOT_SELECTED, REASON_OTHER_OWNER,
  REASON_PINNED, REASON_STILL_MAPPED,
} from "../uapi/reason";
import {
  COUNT_MIGRATIONS, FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_COUNT_MASK, FOLIO_DIRTY, FOLIO_FILE, FOLIO_FLAGS,
  FOLIO_FREE, FOLIO_HEAD, FOLIO_LOCKED, FOLIO_LRU, FOLIO_MAPS, FOLIO_MIGRATION_SHARED, FOLIO_SHMEM, FOLIO_SIZE,
  FOLIO_SWAP_CACHE, FOLIO_TAIL, HDR_FOLIOS, MIGRATION_SETUP, OWNER_ANY, TABLE_MIGRATION,
} from "../uapi/struct";
import { VM_HUGETLB, VM_SPECIAL } from "../uapi/vm";
import { Cmd } from "./cmd";
import { Folio, folioOf, isDevicePfn } from "./folio";
import { header } from "./layout";
import {
  isOpen, mapsPage, Migration, migrationAlloc, pfnOf, removeMigrationEntries, takeEntry,
} from "./migration";
import { mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { getPage, ownFirst, ownSize, putPage, validPfn, zoneOf, zoneOfPfn } from "./page-alloc";
import { holeEnd, leafEnd, leafTable, slotOf, walk } from "./pagetable";
import { poolId } from "./pool";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "./pte";
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
    cmd.f = collect(m);
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
  if (cmd.f) {
    if (unmapAll(cmd, m) == REQUEST) return REQUEST;
    restoreDropped(m);
  }
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
  m.setSource(i, UNFINISHED | <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | pfn);
}

/** In src, during setup: the page is still to be isolated and unmapped elsewhere. */
const UNFINISHED: u32 = 0x08000000;

/**
 * migrate_vma_collect. Runs of pages that are this entry's alone are taken in one step; others go an entry at a time.
 * Returns how many pages are unfinished.
 */
function collect(m: Migration): u32 {
  const vma = vmaAt(m.vma);
  const pgd = vma.mm.pgd;
  const anonymous = isAnonymous(vma);
  const first = ownFirst(m.owner);
  const size = ownSize(m.owner);
  let addr = m.start;
  let i: u32 = 0;
  let unfinished: u32 = 0;
  let candidates: u32 = 0;
  while (addr < m.end) {
    const table = leafTable(pgd, addr);
    const until = table ? leafEnd(addr, m.end) : min(holeEnd(pgd, addr), m.end);
    let at = table ? slotOf(table, addr) : 0;
    const last = i + <u32>((until - addr) >> 12);
    addr = until;
    for (; i < last; i++, at += 8) {
      if (table) {
        const end = takeSole(m, i, last, at, first, size);
        at += <usize>(end - i) << 3;
        candidates += end - i;
        i = end;
        if (i == last) break;
      }
      const pte = table ? load<u64>(at) : 0;
      if (pte) unfinished += collectEntry(m, i, at, pte);
      else if (anonymous) m.setSource(i, MIGRATE_PFN_MIGRATE);
      else m.stay(i, REASON_HOLE_NOT_ANON);
      candidates += m.source(i) & MIGRATE_PFN_MIGRATE ? 1 : 0;
    }
  }
  m.cpages = candidates;
  return unfinished;
}

/**
 * From slot i on, whose entry is at `at`: pages that are nobody else's, anonymous, not locked, with the mapping's reference
 * alone, in RAM and on the LRU if RAM is selected, in
 * device memory [first, first + size) if that is. Locks and isolates them, and puts
 * migration entries in their places. Returns the first slot whose page is not so.
 */
function takeSole(m: Migration, i: u32, last: u32, at: usize, first: u32, size: u32): u32 {
  const system = (m.select & MIGRATE_VMA_SELECT_SYSTEM) != 0;
  const device = (m.select & MIGRATE_VMA_SELECT_DEVICE_PRIVATE) != 0;
  const folios = header(HDR_FOLIOS);
  let src = m.src + i * 4;
  for (; i < last; i++, at += 8, src += 4) {
    const pte = load<u64>(at);
    const pfn = ptePfn(pte);
    const kind = pteFlags(pte) & (PTE_PRESENT | PTE_SPECIAL | PTE_KIND_MASK);
    let lru: u32 = FOLIO_LRU;
    if (kind == <u32>PTE_PRESENT) {
      if (!system) break;
    } else {
      if (kind != PTE_KIND_DEVICE || !device || pfn - first >= size) break;
      lru = 0;
    }
    const folio = folios + pfn * FOLIO_SIZE;
    const flags = <u32>load<u16>(folio, FOLIO_FLAGS);
    const counts = load<u64>(folio);
    if ((counts & 0x00ffffff00ffffff) != 0x0000000100000001) break;
    if ((flags & (FOLIO_LOCKED | FOLIO_ANON | FOLIO_HEAD | FOLIO_TAIL | FOLIO_LRU)) != (FOLIO_ANON | lru)) break;
    const kept = pteFlags(pte) & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_NO_ACCESS);
    const exclusive: u32 = flags & FOLIO_ANON_EXCLUSIVE ? PTE_EXCLUSIVE : 0;
    const dirty: u32 = lru && kept & PTE_DIRTY ? FOLIO_DIRTY : 0;
    // As takeEntry() does: whether the page is exclusive, the entry knows from here on.
    store<u16>(folio, (flags & ~(FOLIO_LRU | FOLIO_ANON_EXCLUSIVE)) | FOLIO_LOCKED | dirty, FOLIO_FLAGS);
    store<u32>(folio, <u32>(counts >> 32) & ~FOLIO_COUNT_MASK, FOLIO_MAPS);
    store<u64>(at, makePte(pfn, kept | exclusive | PTE_KIND_MIGRATION));
    const write: u32 = kept & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
    store<u32>(src, <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | write | pfn);
  }
  return i;
}

/** Is a page of this kind and owner wanted? REASON_NONE (0) or why not. */
@inline
function selected(m: Migration, pte: u64): u32 {
  const present = ptePresent(pte);
  if (present && !isDevicePfn(ptePfn(pte))) return m.select & MIGRATE_VMA_SELECT_SYSTEM ? 0 : REASON_NOT_SELECTED;
  const kind = pteKind(pte);
  if (kind == PTE_KIND_MIGRATION) return REASON_MIGRATING;
  if (!present && kind != PTE_KIND_DEVICE) return REASON_NOT_PRESENT;
  const wanted = present ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  if (!(m.select & wanted)) return REASON_NOT_SELECTED;
  const owner = zoneOf(zoneOfPfn(ptePfn(pte))).owner;
  return owner == m.owner || m.owner == <u32>OWNER_ANY ? 0 : REASON_OTHER_OWNER;
}

/** Any entry. 1 if its page was collected, and is to be isolated and unmapped elsewhere. */
function collectEntry(m: Migration, i: u32, at: usize, pte: u64): u32 {
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  let reason = selected(m, pte);
  if (!reason) {
    if (ptePresent(pte) && pteFlags(pte) & PTE_SPECIAL) {
      m.setSource(i, MIGRATE_PFN_MIGRATE);
      return 0;
    }
    if (!folio.has(FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM)) reason = REASON_NO_MAPPING;
    else if (folio.has(FOLIO_HEAD | FOLIO_TAIL)) reason = REASON_LARGE_FOLIO;
    else if (pfn != m.faultPage && folio.has(FOLIO_LOCKED)) reason = REASON_LOCKED;
  }
  if (reason) {
    m.stay(i, reason);
    return 0;
  }
  folio.set(FOLIO_LOCKED);
  // The mapping's reference becomes the migration's.
  takeEntry(at, pte, pfn, folio);
  const write: u32 = pteFlags(pte) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
  m.setSource(i, UNFINISHED | <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | write | pfn);
  return 1;
}

/** migrate_device_unmap: isolates each page, and replaces the entries that other mappings have of it. */
function unmapAll(cmd: Cmd, m: Migration): i32 {
  for (; cmd.e < m.npages; cmd.e++) {
    const word = m.source(cmd.e);
    if (!(word & UNFINISHED)) continue;
    const pfn = pfnOf(word);
    const folio = folioOf(pfn);
    if (!cmd.link && !isDevicePfn(pfn)) {
      if (!folio.has(FOLIO_LRU)) {
        m.stay(cmd.e, REASON_NOT_ISOLATED);
        m.setSource(cmd.e, m.source(cmd.e) & ~UNFINISHED);
        continue;
      }
      folio.clear(FOLIO_LRU);
    }
    if ((folio.mapcount || cmd.link) && unmapElsewhere(cmd, pfn, folio) == REQUEST) return REQUEST;
    const explained: u32 = 1 + (isDevicePfn(pfn) ? 1 : 0) + (pfn == m.faultPage ? 1 : 0) + (folio.has(FOLIO_FILE | FOLIO_SHMEM | FOLIO_SWAP_CACHE) ? 1 : 0);
    if (folio.mapcount) m.stay(cmd.e, REASON_STILL_MAPPED);
    else if (folio.refcount > explained) m.stay(cmd.e, REASON_PINNED);
    m.setSource(cmd.e, m.source(cmd.e) & ~UNFINISHED);
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
    const addr = rmapAddress(vma, folio, link);
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
    removeMigrationEntries(m, slot, pfn, pfn);
    letGo(m, pfn);
    m.setSource(i, 0);
  }
  m.cpages = candidates;
}

/** Unlocks a page, puts it back on the LRU and drops the migration's reference. */
export function letGo(m: Migration, pfn: u32): void {
  const folio = folioOf(pfn);
  const lock: u32 = pfn == m.faultPage ? 0 : FOLIO_LOCKED;
  folio.flags = <u16>((folio.flags & ~lock) | (isDevicePfn(pfn) ? 0 : FOLIO_LRU));
  putPage(pfn);
}
