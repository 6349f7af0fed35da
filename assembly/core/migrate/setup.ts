// migrate_vma_setup and migrate_device_range: find out which pages of a range can move. Migration entries
// take the place of their entries, so that whoever touches them waits until the migration ends.
//
// An anonymous page P that one process maps moves to the device frame D:
//
//   after            entry           src[i]               dst[i]  P                            D
//   before           present → P     0                    0       refs 1, maps 1, LRU          free
//   collect()        migration → P   VALID | MIGRATE | P  0       refs 1, maps 0, LRU, locked  free
//   unmapAll()       the same        the same             0       refs 1, maps 0, locked       free
//   the driver       the same        the same             D       the same                     refs 1, locked
//   pages()          the same        the same             D       the same, uncharged         locked, charged
//   finalize()       device → D      –                    –       free                         refs 1, maps 1
//
// collect() makes the entry's reference the migration's. unmapAll() takes P off the LRU, and replaces the
// entries of other mappings, whose references are dropped. If P has a reference beyond these, it stays:
//
//   restoreDropped() present → P     0, and reasons[i]    0       refs 1, maps 1, LRU          free

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { COUNT_MIGRATIONS } from "../../abi/counter";
import {
  FOLIO_FILE,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
  FOLIO_SHMEM,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { MIGRATION_SETUP } from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { REQUEST, STEP_COLLECTED, STEP_UNMAPPED } from "../../abi/request";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_MIGRATE } from "../../uapi/event";
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, MIGRATE_VMA_SELECT_DEVICE_PRIVATE } from "../../uapi/pfn";
import {
  REASON_FREE_PAGE,
  REASON_LARGE_FOLIO,
  REASON_LOCKED,
  REASON_NOT_ISOLATED,
  REASON_PINNED,
  REASON_STILL_MAPPED,
} from "../../uapi/reason";
import { VM_HUGETLB, VM_SPECIAL } from "../../uapi/vm";
import { LARGE_PAGES } from "../base/layout";
import { exists } from "../base/object";
import { poolId } from "../base/pool";
import { count } from "../base/stat";
import { Folio, folioOf, isDevicePfn, isNobodys } from "../frame/folio";
import { getPage, putPage } from "../frame/page-alloc";
import { drainUnlocked } from "../frame/unlocked";
import { validPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { splitFolio } from "../operation/split";
import { stepPoint } from "../operation/step-point";
import { firstMapping, nextMapping } from "../operation/tell";
import {
  expectedRefs,
  hasPage,
  isUnit,
  letGo,
  Migration,
  migrationAlloc,
  pfnOf,
  removeMigrationEntries,
  takeEntry,
} from "../space/migration";
import { mmAt } from "../space/mm";
import { vmaLookup } from "../space/vma";
import { walk } from "../table/pagetable";
import { MigrateDeviceSetupCmd, MigrateSetupCmd, SetupCmd } from "./cmd";
import { collect, collectParts, splitHuge, UNFINISHED } from "./collect";
import { endUnit, takeDeviceUnit, unmapUnit } from "./huge";
import { publishSource } from "./words";

/** The last phase of both setups: every page is unmapped. */
const UNMAPPED: u32 = 9;

/** OP_MIGRATE_SETUP: collects the range's pages under a `migrate` window, then unmaps them elsewhere. */
export function migrateSetupStep(cmd: MigrateSetupCmd): i32 {
  if (cmd.phase == 0) {
    const vma = vmaLookup(mmAt(cmd.mm), cmd.start);
    if (!exists(vma) || vma.flags & (VM_SPECIAL | VM_HUGETLB) || cmd.end > vma.end || cmd.start >= cmd.end)
      return -EINVAL;
    const locked = cmd.lockedPage;
    if (locked && (!validPfn(locked) || !folioOf(locked).has(FOLIO_LOCKED) || !isDevicePfn(locked)))
      return -EINVAL;
    const m = migrationAlloc(<u32>((cmd.end - cmd.start) >> 12));
    if (!exists(m)) return -ENOMEM;
    m.mm = cmd.mm;
    m.vma = <u32>vma.ptr;
    m.select = cmd.select;
    m.start = cmd.start;
    m.end = cmd.end;
    m.owner = cmd.owner;
    m.faultPage = cmd.lockedPage;
    cmd.migration = <u32>changetype<usize>(m);
    cmd.phase = 1;
  }
  const m = changetype<Migration>(cmd.migration);
  if (cmd.phase == 1) {
    if (!notifyStart(cmd, cmd.mm, m.start, m.end, MMU_NOTIFY_MIGRATE, m.owner)) return REQUEST;
    if (splitHuge(cmd, m) == REQUEST) return REQUEST;
    cmd.unfinished = collect(m);
    cmd.phase = 2;
    if (stepPoint(STEP_COLLECTED)) return REQUEST;
  }
  if (cmd.phase == 2) {
    if (m.parts && collectParts(cmd, m) == REQUEST) return REQUEST;
    notifyEnd(cmd);
    cmd.phase = 3;
  }
  return finishSetup(cmd, m);
}

/**
 * OP_MIGRATE_DEVICE_SETUP: splits the large folios of the pages, then takes the pages wherever they are
 * mapped.
 */
export function migrateDeviceSetupStep(cmd: MigrateDeviceSetupCmd): i32 {
  if (cmd.phase == 0) {
    const m = migrationAlloc(cmd.npages);
    if (!exists(m)) return -ENOMEM;
    m.select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    cmd.migration = <u32>changetype<usize>(m);
    cmd.unfinished = cmd.npages;
    cmd.phase = 1;
  }
  const m = changetype<Migration>(cmd.migration);
  if (cmd.phase == 1) {
    drainUnlocked();
    for (; cmd.splitting < m.npages; cmd.splitting++) {
      const pfn = cmd.page(cmd.splitting);
      if (isDeviceUnit(cmd, cmd.splitting)) {
        cmd.splitting += LARGE_PAGES - 1;
        continue;
      }
      if (folioOf(pfn).has(FOLIO_LARGE) && splitFolio(cmd, pfn) == REQUEST) return REQUEST;
    }
    for (let i: u32 = 0; i < m.npages; i++) {
      if (isDeviceUnit(cmd, i)) {
        const word = takeDeviceUnit(cmd.page(i));
        if (word) m.setSource(i, UNFINISHED | word);
        else for (let j: u32 = 0; j < LARGE_PAGES; j++) m.stay(i + j, REASON_LOCKED);
        i += LARGE_PAGES - 1;
      } else collectPfn(m, i, cmd.page(i));
    }
    cmd.phase = 2;
  }
  return finishSetup(cmd, m);
}

/** Do the pages from i on make up a large folio, which moves as one? */
function isDeviceUnit(cmd: MigrateDeviceSetupCmd, i: u32): bool {
  const head = cmd.page(i);
  if (cmd.npages - i < LARGE_PAGES || !folioOf(head).has(FOLIO_HEAD)) return false;
  if (!cmd.list) return true;
  for (let j: u32 = 1; j < LARGE_PAGES; j++) if (cmd.page(i + j) != head + j) return false;
  return true;
}

/** The end of both setups, which may suspend. The migration's id, or REQUEST. */
function finishSetup(cmd: SetupCmd, m: Migration): i32 {
  if (m.cpages) drainUnlocked();
  if (cmd.unfinished) {
    if (unmapAll(cmd, m) == REQUEST) return REQUEST;
    if (cmd.phase != UNMAPPED) {
      cmd.phase = UNMAPPED;
      if (stepPoint(STEP_UNMAPPED)) return REQUEST;
    }
    restoreDropped(m);
  }
  publishSource(m);
  m.state = MIGRATION_SETUP;
  count(COUNT_MIGRATIONS);
  return poolId(RESOURCE_MIGRATION, changetype<usize>(m));
}

/** migrate_device_pfn_lock: takes page i of a device range, wherever it is mapped, or notes why it stays. */
function collectPfn(m: Migration, i: u32, pfn: u32): void {
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_FREE)) return m.stay(i, REASON_FREE_PAGE);
  if (folio.has(FOLIO_LOCKED)) return m.stay(i, REASON_LOCKED);
  if (folio.has(FOLIO_LARGE)) return m.stay(i, REASON_LARGE_FOLIO);
  getPage(pfn);
  folio.set(FOLIO_LOCKED);
  // A page of nobody looks like a destination: it is marked, so that it cannot be given as one.
  if (isNobodys(folio)) folio.mapping = <u16>poolId(RESOURCE_MIGRATION, changetype<usize>(m));
  m.setSource(i, UNFINISHED | (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | pfn);
}

/**
 * migrate_device_unmap: isolates each collected page, and replaces the entries that other mappings have of
 * it. 0 or REQUEST.
 */
function unmapAll(cmd: SetupCmd, m: Migration): i32 {
  for (; cmd.index < m.npages; cmd.index++) {
    const word = m.source(cmd.index);
    if (!(word & UNFINISHED)) continue;
    const pfn = pfnOf(word);
    if (isUnit(word)) {
      const reason = unmapUnit(cmd, m, pfn);
      if (reason == REQUEST) return REQUEST;
      m.setSource(cmd.index, m.source(cmd.index) & ~(UNFINISHED | (reason ? MIGRATE_PFN_MIGRATE : 0)));
      if (reason) for (let j: u32 = 0; j < LARGE_PAGES; j++) m.note(cmd.index + j, reason);
      // The other words of a unit are 0.
      cmd.index += LARGE_PAGES - 1;
      continue;
    }
    const reason = unmapPageElsewhere(cmd, m, pfn);
    if (reason == REQUEST) return REQUEST;
    m.setSource(cmd.index, m.source(cmd.index) & ~UNFINISHED);
    if (reason) m.stay(cmd.index, reason);
  }
  return 0;
}

/**
 * Isolates a page and replaces what other mappings have of it. A reason to stay, 0 if it can move, or
 * REQUEST.
 */
function unmapPageElsewhere(cmd: SetupCmd, m: Migration, pfn: u32): i32 {
  const folio = folioOf(pfn);
  if (!cmd.link && !isDevicePfn(pfn)) {
    if (!folio.has(FOLIO_LRU)) return REASON_NOT_ISOLATED;
    folio.clear(FOLIO_LRU);
  }
  if ((folio.mapcount || cmd.link) && replaceEntries(cmd, pfn, folio) == REQUEST) return REQUEST;
  const cache: u32 = folio.has(FOLIO_FILE | FOLIO_SHMEM | FOLIO_SWAP_CACHE) ? 1 : 0;
  if (folio.mapcount) return REASON_STILL_MAPPED;
  return folio.refcount > expectedRefs(pfn, m.faultPage) + cache ? REASON_PINNED : 0;
}

/** try_to_migrate: migration entries take the place of all entries that map the page. 0 or REQUEST. */
function replaceEntries(cmd: Cmd, pfn: u32, folio: Folio): i32 {
  let slot = firstMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0);
  for (; slot; slot = nextMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0)) {
    if (slot == REQUEST) return REQUEST;
    takeEntry(slot, load<u64>(slot), folio);
    folio.set(FOLIO_MIGRATION_SHARED);
    putPage(pfn);
  }
  return 0;
}

/** Gives the pages that cannot move their entries back, and counts those that can. */
function restoreDropped(m: Migration): void {
  const pgd = m.mm ? mmAt(m.mm).pgd : 0;
  let candidates: u32 = 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    if (word & MIGRATE_PFN_MIGRATE) {
      candidates++;
      if (isUnit(word)) i += LARGE_PAGES - 1;
      continue;
    }
    if (!hasPage(word)) continue;
    const pfn = pfnOf(word);
    const slot = pgd ? walk(pgd, m.start + ((<u64>i) << 12)) : 0;
    if (isUnit(word)) {
      endUnit(m, i, slot, pfn, pfn);
    } else {
      removeMigrationEntries(m, slot, pfn, pfn);
      letGo(m, i, pfn);
    }
    m.setSource(i, 0);
  }
  m.cpages = candidates;
}
