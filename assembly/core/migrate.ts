// migrate_vma_pages and migrate_vma_finalize: what happens to the candidates once a driver has given destinations.

import { EINVAL } from "../uapi/errno";
import { LOG_MIGRATE, MMU_NOTIFY_MIGRATE, REQUEST } from "../uapi/event";
import { MIGRATE_PFN_ERROR, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../uapi/pfn";
import {
  PTE_DIRTY, PTE_EXCLUSIVE, PTE_KIND_DEVICE, PTE_KIND_MIGRATION, PTE_NO_ACCESS, PTE_PRESENT, PTE_SPECIAL,
  PTE_WRITE, PTE_YOUNG,
} from "../uapi/pte";
import {
  REASON_DRIVER_ERROR, REASON_FILE_PAGE, REASON_HOLE_FILLED, REASON_HOLE_NOT_ANON, REASON_MEMCG_LIMIT,
  REASON_NO_ANON_VMA, REASON_NO_DESTINATION, REASON_NO_TABLE, REASON_REFERENCED, REASON_UFFD,
} from "../uapi/reason";
import {
  COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM, FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_COUNT_MASK,
  FOLIO_DIRTY, FOLIO_FILE, FOLIO_FLAGS, FOLIO_FREE, FOLIO_INDEX, FOLIO_LOCKED, FOLIO_LRU, FOLIO_MAPS,
  FOLIO_MIGRATION_SHARED, FOLIO_MLOCKED, FOLIO_RESERVED, FOLIO_SHMEM, FOLIO_SIZE, HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES, HDR_FAULT_ADDR, HDR_FOLIOS, MIGRATION_PAGES, MIGRATION_SETUP,
} from "../uapi/struct";
import { PAGE_SIZE, TABLE_ENTRIES } from "../uapi/page";
import { VM_UFFD_MISSING, VM_WRITE } from "../uapi/vm";
import { Cmd } from "./cmd";
import { clearDeviceRange, deviceTableOf, deviceTableSet } from "./device-table";
import { addNewAnon } from "./fault-base";
import { cacheReplace, fileAt } from "./file";
import { Folio, folioOf, isDevicePfn } from "./folio";
import { header, setHeaderF64 } from "./layout";
import { lruTouch, lruTouchAll } from "./lru";
import { memcgCharge } from "./memcg";
import { letGo } from "./migrate-setup";
import { isOpen, Migration, migrationFree, migrationOf, pfnOf, removeMigrationEntries } from "./migration";
import { mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { addExternalRefs, clearFolio, freePages, putPage } from "./page-alloc";
import { readPte, walk, walkAlloc } from "./pagetable";
import { makePte, pteFlags, ptePfn, ptePresent } from "./pte";
import { anonVmaPrepare } from "./rmap";
import { count, log } from "./stat";
import { freeSwap } from "./swap";
import { isAnonymous, protection, Vma, vmaAt } from "./vma";

/** May a driver give this page as a destination: locked, referenced, mapped nowhere, and not given already? */
@inline
function isSound(pfn: u32, frames: u32): bool {
  if (pfn >= frames) return false;
  const folio = folioOf(pfn);
  const used = <u32>(FOLIO_FREE | FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_RESERVED);
  return (folio.flags & (used | FOLIO_LOCKED)) == FOLIO_LOCKED && !folio.mapcount;
}

/** Are all destinations sound? Each is marked by a mapping while that is looked at, so that none comes twice. */
function destinationsAreSound(m: Migration): bool {
  const frames = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const end = m.dst + m.npages * 4;
  let at = m.dst;
  for (; at < end; at += 4) {
    const word = load<u32>(at);
    if (!(word & <u32>MIGRATE_PFN_VALID)) continue;
    if (!isSound(pfnOf(word), frames)) break;
    folioOf(pfnOf(word)).maps++;
  }
  for (let marked = m.dst; marked < at; marked += 4) {
    const word = load<u32>(marked);
    if (word & <u32>MIGRATE_PFN_VALID) folioOf(pfnOf(word)).maps--;
  }
  if (at < end) setHeaderF64(HDR_FAULT_ADDR, (at - m.dst) >> 2);
  return at == end;
}

/** OP_MIGRATE_PAGES: a: the migration; e: the slot; f: 1 once the second window is asked for. */
export function migratePagesStep(cmd: Cmd): i32 {
  const m = changetype<Migration>(cmd.a);
  if (cmd.phase == 0) {
    if (m.state != MIGRATION_SETUP || !destinationsAreSound(m)) return -EINVAL;
    cmd.phase = 1;
  }
  for (let i = cmd.e; i < m.npages; i++) {
    i = moveRun(m, i);
    if (i == m.npages) break;
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    const to = m.target(i);
    if (to & MIGRATE_PFN_ERROR) m.stay(i, REASON_DRIVER_ERROR);
    else if (!(to & <u32>MIGRATE_PFN_VALID)) m.stay(i, REASON_NO_DESTINATION);
    else if (word & <u32>MIGRATE_PFN_VALID) movePage(m, i, pfnOf(word), pfnOf(to));
    else {
      cmd.e = i;
      if (fillHole(cmd, m, i, pfnOf(to)) == REQUEST) return REQUEST;
    }
  }
  notifyEnd(cmd);
  m.state = MIGRATION_PAGES;
  log(LOG_MIGRATE, m.mm, m.start, m.cpages, m.moved);
  return m.moved;
}

/** folio_migrate_mapping and folio_migrate_flags: the destination becomes the page. */
function movePage(m: Migration, i: u32, pfn: u32, toPfn: u32): void {
  const from = folioOf(pfn);
  const to = folioOf(toPfn);
  const toDevice = isDevicePfn(toPfn);
  if (!from.has(FOLIO_ANON) ? toDevice : !freeSwap(pfn, from)) return m.stay(i, REASON_FILE_PAGE);
  const cached = !from.has(FOLIO_ANON);
  if (from.refcount != <u32>(1 + (pfn == m.faultPage ? 1 : 0) + (cached ? 1 : 0))) return m.stay(i, REASON_REFERENCED);
  if (cached) cacheReplace(fileAt(from.mapping), from.pgoff, pfn, toPfn);
  to.mapping = from.mapping;
  to.pgoff = from.pgoff;
  to.set(from.flags & (FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_DIRTY | FOLIO_MLOCKED));
  to.memcg = from.memcg;
  from.memcg = 0;
  m.moved++;
  if (toDevice) lruTouch(toPfn);
  count(toDevice ? (isDevicePfn(pfn) ? COUNT_DEVICE_TO_DEVICE : COUNT_TO_DEVICE) : COUNT_TO_SYSTEM);
}

/** The counts in a folio's first u64; above them stand its memcg and the top of its index. */
const COUNTS: u64 = 0x00ffffff00ffffff;
const ANON: u64 = (<u64>FOLIO_ANON) << 48;
/** Of a folio's second u64: what moves with the page. */
const KEPT: u64 = ((<u64>(FOLIO_ANON | FOLIO_DIRTY | FOLIO_MLOCKED)) << 48) | 0x0000ffffffffffff;

/**
 * movePage() of slots from i on, as long as they have destinations and pages that are anonymous and have no reference
 * beyond the migration's (and a fault's). Returns the first slot that has not.
 */
function moveRun(m: Migration, i: u32): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const both = <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
  const faultPage = m.faultPage;
  const first = i;
  let toDevice: u32 = 0;
  let toSystem: u32 = 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (const last = m.npages; i < last; i++, src += 4, dst += 4) {
    const word = load<u32>(src);
    const target = load<u32>(dst);
    if ((word & both) != both || (target & <u32>(MIGRATE_PFN_VALID | MIGRATE_PFN_ERROR)) != <u32>MIGRATE_PFN_VALID) break;
    const pfn = word & PFN_MASK;
    const toPfn = target & PFN_MASK;
    const from = folios + pfn * FOLIO_SIZE;
    const to = folios + toPfn * FOLIO_SIZE;
    const counts = load<u64>(from);
    const what = load<u64>(from, FOLIO_INDEX); // index, mapping, flags
    const own: u32 = pfn == faultPage ? 2 : 1;
    if (!(what & ANON) || (<u32>counts & FOLIO_COUNT_MASK) != own) break;
    store<u64>(to, (load<u64>(to) & COUNTS) | (counts & ~COUNTS));
    store<u64>(to, (what & KEPT) | (<u64>load<u16>(to, FOLIO_FLAGS) << 48), FOLIO_INDEX);
    store<u32>(from, own);
    toSystem += toPfn < base ? 1 : 0;
    toDevice += (pfn < base ? 1 : 0) & (toPfn < base ? 0 : 1);
  }
  lruTouchAll(m.dst + first * 4, i - first);
  m.moved += i - first;
  count(COUNT_TO_SYSTEM, toSystem);
  count(COUNT_TO_DEVICE, toDevice);
  count(COUNT_DEVICE_TO_DEVICE, i - first - toSystem - toDevice);
  return i;
}

/** migrate_vma_insert_page: a new page where there was none, or the zero page. 0 or REQUEST. */
function fillHole(cmd: Cmd, m: Migration, i: u32, pfn: u32): i32 {
  const vma = vmaAt(m.vma);
  const addr = m.start + (<u64>i << 12);
  if (!m.holesFrom) m.holesFrom = i + 1;
  const from = m.start + (<u64>(m.holesFrom - 1) << 12);
  if (!cmd.f || cmd.windowMm) {
    if (!notifyStart(cmd, m.mm, from, m.end, MMU_NOTIFY_MIGRATE, m.owner)) return REQUEST;
    cmd.f = 1;
  }
  const reason = insertPage(m, vma, addr, pfn);
  if (reason) {
    m.stay(i, reason);
    return 0;
  }
  m.setSource(i, MIGRATE_PFN_MIGRATE);
  m.moved++;
  if (isDevicePfn(pfn)) lruTouch(pfn);
  count(isDevicePfn(pfn) ? COUNT_TO_DEVICE : COUNT_TO_SYSTEM);
  return 0;
}

function insertPage(m: Migration, vma: Vma, addr: u64, pfn: u32): u32 {
  if (!isAnonymous(vma)) return REASON_HOLE_NOT_ANON;
  if (vma.flags & VM_UFFD_MISSING) return REASON_UFFD;
  const mm = mmAt(m.mm);
  const slot = walkAlloc(mm.pgd, m.mm, addr);
  if (!slot) return REASON_NO_TABLE;
  if (!anonVmaPrepare(vma)) return REASON_NO_ANON_VMA;
  const pte = load<u64>(slot);
  if (pte && !(ptePresent(pte) && pteFlags(pte) & PTE_SPECIAL)) return REASON_HOLE_FILLED;
  if (!memcgCharge(mm.memcg)) return REASON_MEMCG_LIMIT;
  const folio = folioOf(pfn);
  folio.memcg = mm.memcg;
  folio.refs++;
  addNewAnon(vma, addr, folio, isDevicePfn(pfn) ? 0 : FOLIO_LRU);
  const write = (vma.flags & VM_WRITE) != 0;
  let flags: u32 = protection(vma) | (write ? PTE_WRITE : 0);
  if (isDevicePfn(pfn)) flags |= PTE_KIND_DEVICE;
  else flags |= <u32>PTE_PRESENT | PTE_YOUNG | (write ? PTE_DIRTY : 0);
  store<u64>(slot, makePte(pfn, flags));
  return 0;
}

/** Slots whose entries are neighbours: from i on, as far as one leaf table goes. */
@inline
function leafRun(m: Migration, i: u32): u32 {
  const page = <u32>(m.start >> 12) + i;
  return min(m.npages, i + TABLE_ENTRIES - (page & (TABLE_ENTRIES - 1)));
}

/**
 * The usual end of slots from i on, whose entries are at `slot`: the page has moved, one entry waits for it, and its
 * source has no other user. The driver's reference to the destination becomes the entry's, the source is free but for
 * its frame. Returns the first slot that is not so.
 */
function endRun(m: Migration, i: u32, last: u32, slot: usize): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const both = <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (; i < last; i++, src += 4, dst += 4, slot += 8) {
    const word = load<u32>(src);
    if ((word & both) != both) break;
    const pfn = word & PFN_MASK;
    const pte = load<u64>(slot);
    const from = folios + pfn * FOLIO_SIZE;
    if ((pte & 0xffffffff80000f00) != ((<u64>pfn << 32) | PTE_KIND_MIGRATION)) break;
    if (load<u32>(from) != 1 || load<u16>(from, FOLIO_FLAGS) & FOLIO_MIGRATION_SHARED) break;
    const toPfn = load<u32>(dst) & PFN_MASK;
    const to = folios + toPfn * FOLIO_SIZE;
    const kept = pteFlags(pte);
    let flags = <u32>load<u16>(to, FOLIO_FLAGS) & ~FOLIO_LOCKED;
    if (kept & (PTE_WRITE | PTE_EXCLUSIVE) && flags & FOLIO_ANON) flags |= FOLIO_ANON_EXCLUSIVE;
    let entry = kept & (PTE_WRITE | PTE_NO_ACCESS);
    if (toPfn >= base) {
      store<u16>(to, flags, FOLIO_FLAGS);
      entry |= PTE_KIND_DEVICE;
    } else {
      store<u16>(to, flags | FOLIO_LRU, FOLIO_FLAGS);
      entry |= <u32>PTE_PRESENT | (kept & (flags & FOLIO_DIRTY ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG));
    }
    store<u32>(to, load<u32>(to, FOLIO_MAPS) + 1, FOLIO_MAPS);
    store<u64>(slot, makePte(toPfn, entry));
    clearFolio(changetype<Folio>(from));
  }
  return i;
}

/** migrate_vma_finalize: entries name pages again, the destination's or the source's, and everything is let go. */
export function migrateFinalize(id: u32): i32 {
  const m = migrationOf(id);
  if (!isOpen(m)) return -EINVAL;
  // Without pages() nothing moved, whatever the destinations say.
  const ran = m.state == MIGRATION_PAGES;
  if (!ran && !destinationsAreSound(m)) return -EINVAL;
  const pgd: usize = m.mm ? <usize>mmAt(m.mm).pgd : 0;
  for (let i: u32 = 0; i < m.npages; ) {
    const slot = pgd ? walk(pgd, m.start + (<u64>i << 12)) : 0;
    const first = i;
    const last = leafRun(m, i);
    for (; i < last; i++) {
      if (ran && slot) i = endRun(m, i, last, slot + (<usize>(i - first) << 3));
      if (i == last) break;
      endSlot(m, i, slot ? slot + (<usize>(i - first) << 3) : 0, ran);
    }
  }
  releaseAll(m);
  migrationFree(m);
  return 0;
}

/** The frames of the pages that have moved; and the drivers' references to destinations are no more. */
function releaseAll(m: Migration): void {
  let given = 0;
  for (let at = m.dst, last = m.dst + m.npages * 4; at < last; at += 4) given += load<u32>(at) >> 31;
  addExternalRefs(-given);
  freePages(m.src, m.npages);
}

/** The end of any slot. Its frame is not among those that are freed afterwards. */
function endSlot(m: Migration, i: u32, slot: usize, ran: bool): void {
  const word = m.source(i);
  const target = m.target(i);
  m.setSource(i, 0);
  const to = target & <u32>MIGRATE_PFN_VALID ? pfnOf(target) : 0;
  if (word & <u32>MIGRATE_PFN_VALID) {
    const moved = ran && (word & MIGRATE_PFN_MIGRATE) != 0;
    const lost = ran && !moved && (target & MIGRATE_PFN_ERROR) != 0;
    const pfn = pfnOf(word);
    removeMigrationEntries(m, slot, pfn, lost ? 0 : moved ? to : pfn);
    letGo(m, pfn);
  }
  if (to) releaseDestination(to);
}

/** Unlocks a destination and drops the driver's reference: if nothing maps it, it is free. */
function releaseDestination(pfn: u32): void {
  const folio = folioOf(pfn);
  const lru: u32 = !isDevicePfn(pfn) && folio.mapcount ? FOLIO_LRU : 0;
  folio.flags = <u16>((folio.flags & ~FOLIO_LOCKED) | lru);
  putPage(pfn);
}

/** Between pages() and finalize(): a device's table learns what moved to a device, and forgets what left for RAM. */
export function deviceTableMapMigrated(tableId: u32, migrationId: u32): i32 {
  const table = deviceTableOf(tableId);
  const m = migrationOf(migrationId);
  if (!changetype<usize>(table) || !isOpen(m) || m.state != MIGRATION_PAGES || !m.mm) return -EINVAL;
  let mapped = 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    const addr = m.start + (<u64>i << 12);
    const to = pfnOf(m.target(i));
    const entry = entryOf(m, word, addr, to);
    if (!entry || !isDevicePfn(to)) {
      clearDeviceRange(table, addr, addr + PAGE_SIZE);
      continue;
    }
    const pte = makePte(to, <u32>PTE_PRESENT | (pteFlags(entry) & PTE_WRITE));
    // A slot that no table can be made for has no stale entry either.
    if (deviceTableSet(tableId, table, addr, pte)) mapped++;
  }
  return mapped;
}

/**
 * The CPU's entry as it stands for the page now; 0 if it was dropped (MADV_DONTNEED) since setup. It may have lost its
 * write bit since then, too (fork).
 */
function entryOf(m: Migration, word: u32, addr: u64, to: u32): u64 {
  const pte = readPte(mmAt(m.mm).pgd, addr);
  const collected = (word & <u32>MIGRATE_PFN_VALID) != 0;
  const expected = makePte(pfnOf(collected ? word : to), collected ? PTE_KIND_MIGRATION : PTE_KIND_DEVICE);
  return (pte & 0xffffffff80000f00) == expected ? pte : 0;
}
