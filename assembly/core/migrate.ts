// migrate_vma_pages and migrate_vma_finalize: what happens to the candidates once a driver has given destinations.

import { EINVAL } from "../uapi/errno";
import { LOG_MIGRATE, MMU_NOTIFY_MIGRATE, REQUEST } from "../uapi/event";
import { MIGRATE_PFN_ERROR, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, MIGRATE_PFN_WRITE } from "../uapi/pfn";
import {
  PTE_DIRTY, PTE_KIND_DEVICE, PTE_KIND_MIGRATION, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG,
} from "../uapi/pte";
import {
  REASON_DRIVER_ERROR, REASON_FILE_PAGE, REASON_HOLE_FILLED, REASON_HOLE_NOT_ANON, REASON_MEMCG_LIMIT,
  REASON_NO_ANON_VMA, REASON_NO_DESTINATION, REASON_NO_TABLE, REASON_REFERENCED, REASON_UFFD,
} from "../uapi/reason";
import {
  COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM, FOLIO_ANON, FOLIO_DIRTY, FOLIO_FILE, FOLIO_FREE,
  FOLIO_LOCKED, FOLIO_LRU, FOLIO_MLOCKED, FOLIO_SHMEM, HDR_FAULT_ADDR, MIGRATION_PAGES, MIGRATION_SETUP,
} from "../uapi/struct";
import { VM_UFFD_MISSING, VM_WRITE } from "../uapi/vm";
import { Cmd } from "./cmd";
import { DeviceTable, deviceTableOf, deviceTableSet } from "./device-table";
import { addNewAnon } from "./fault-base";
import { cacheReplace, fileAt } from "./file";
import { folioOf, isDevicePfn } from "./folio";
import { setHeaderF64 } from "./layout";
import { lruTouch } from "./lru";
import { memcgCharge } from "./memcg";
import { letGo } from "./migrate-setup";
import { isOpen, Migration, migrationFree, migrationOf, pfnOf, removeMigrationEntries } from "./migration";
import { mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { addExternalRefs, putPage, validPfn } from "./page-alloc";
import { readPte, walk, walkAlloc } from "./pagetable";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "./pte";
import { anonVmaPrepare } from "./rmap";
import { count, log } from "./stat";
import { freeSwap } from "./swap";
import { isAnonymous, protection, Vma, vmaAt } from "./vma";

/**
 * Are the destinations pages that a driver may give: locked, referenced, mapped nowhere, none twice? A page seen is
 * marked by a mapping that is taken back.
 */
function destinationsAreSound(m: Migration): bool {
  let bad = m.npages;
  for (let i: u32 = 0; i < m.npages && bad == m.npages; i++) {
    const word = m.target(i);
    if (!(word & <u32>MIGRATE_PFN_VALID)) continue;
    const folio = folioOf(pfnOf(word));
    const refused = !validPfn(pfnOf(word)) || folio.has(FOLIO_FREE | FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM);
    if (refused || !folio.has(FOLIO_LOCKED) || folio.maps & 0xffffff) bad = i;
    else folio.maps++;
  }
  for (let i: u32 = 0; i < bad; i++) {
    if (m.target(i) & <u32>MIGRATE_PFN_VALID) folioOf(pfnOf(m.target(i))).maps--;
  }
  if (bad < m.npages) setHeaderF64(HDR_FAULT_ADDR, bad);
  return bad == m.npages;
}

/** OP_MIGRATE_PAGES: a: the migration; e: the slot; f: 1 once the second window is asked for. */
export function migratePagesStep(cmd: Cmd): i32 {
  const m = changetype<Migration>(cmd.a);
  if (cmd.phase == 0) {
    if (m.state != MIGRATION_SETUP || !destinationsAreSound(m)) return -EINVAL;
    cmd.phase = 1;
  }
  for (; cmd.e < m.npages; cmd.e++) {
    const i = cmd.e;
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    const to = m.target(i);
    if (to & MIGRATE_PFN_ERROR) m.stay(i, REASON_DRIVER_ERROR);
    else if (!(to & <u32>MIGRATE_PFN_VALID)) m.stay(i, REASON_NO_DESTINATION);
    else if (word & <u32>MIGRATE_PFN_VALID) movePage(m, i, pfnOf(word), pfnOf(to));
    else if (fillHole(cmd, m, i, pfnOf(to)) == REQUEST) return REQUEST;
  }
  notifyEnd(cmd);
  m.state = MIGRATION_PAGES;
  log(LOG_MIGRATE, m.mm, m.start, m.cpages, m.moved);
  return m.moved;
}

/** folio_migrate_mapping and folio_migrate_flags: the destination becomes the page. */
@inline
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

/** migrate_vma_finalize: entries name pages again, the destination's or the source's, and everything is let go. */
export function migrateFinalize(id: u32): i32 {
  const m = migrationOf(id);
  if (!isOpen(m)) return -EINVAL;
  // Without pages() nothing moved, whatever the destinations say.
  const ran = m.state == MIGRATION_PAGES;
  if (!ran && !destinationsAreSound(m)) return -EINVAL;
  const pgd = m.mm ? mmAt(m.mm).pgd : 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    const to = m.target(i) & <u32>MIGRATE_PFN_VALID ? pfnOf(m.target(i)) : 0;
    if (word & <u32>MIGRATE_PFN_VALID) {
      const moved = ran && (word & MIGRATE_PFN_MIGRATE) != 0;
      const lost = ran && !moved && (m.target(i) & MIGRATE_PFN_ERROR) != 0;
      const pfn = pfnOf(word);
      const slot = pgd ? walk(pgd, m.start + (<u64>i << 12)) : 0;
      removeMigrationEntries(mmAt(m.mm), slot, pfn, lost ? 0 : moved ? to : pfn);
      letGo(m, pfn);
    }
    if (to) releaseDestination(to);
  }
  migrationFree(m);
  return 0;
}

/** Unlocks a destination and drops the driver's reference: if nothing maps it, it is free. */
function releaseDestination(pfn: u32): void {
  const folio = folioOf(pfn);
  folio.clear(FOLIO_LOCKED);
  if (!isDevicePfn(pfn) && folio.mapcount) folio.set(FOLIO_LRU);
  putPage(pfn);
  addExternalRefs(-1);
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
    if (!isDevicePfn(to) || !stillThere(m, word, addr, to)) {
      dropEntry(table, addr);
      continue;
    }
    const hole = !(word & <u32>MIGRATE_PFN_VALID);
    const write = hole ? vmaAt(m.vma).flags & VM_WRITE : word & MIGRATE_PFN_WRITE;
    const pte = makePte(to, <u32>PTE_PRESENT | (write ? PTE_WRITE : 0));
    // A slot that no table can be made for has no stale entry either.
    if (deviceTableSet(tableId, table, addr, pte)) mapped++;
  }
  return mapped;
}

/** Does the CPU's entry still stand for the page? It may have been dropped (MADV_DONTNEED) since setup. */
function stillThere(m: Migration, word: u32, addr: u64, to: u32): bool {
  const pte = readPte(mmAt(m.mm).pgd, addr);
  if (ptePresent(pte)) return false;
  if (!(word & <u32>MIGRATE_PFN_VALID)) return pteKind(pte) == PTE_KIND_DEVICE && ptePfn(pte) == to;
  return pteKind(pte) == PTE_KIND_MIGRATION && ptePfn(pte) == pfnOf(word);
}

function dropEntry(table: DeviceTable, addr: u64): void {
  const slot = walk(table.root, addr);
  if (!slot || !load<u64>(slot)) return;
  store<u64>(slot, 0);
  table.entries--;
}
