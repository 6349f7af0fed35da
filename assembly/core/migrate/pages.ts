// migrate_vma_pages and migrate_vma_finalize: what happens to the candidates once a driver has given destinations.

import { EINVAL } from "../../uapi/errno";
import { COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FLAGS,
  FOLIO_FREE,
  FOLIO_KSM,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MAPS,
  FOLIO_MIGRATION_SHARED,
  FOLIO_REFERENCED,
  FOLIO_RESERVED,
  FOLIO_SHMEM,
  FOLIO_SIZE,
} from "../../abi/frame";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_FAULT_ADDR,
  HDR_FLAGS,
  HDR_FLAG_COHERENT,
  HDR_FOLIOS,
} from "../../abi/header";
import { LOG_MIGRATE } from "../../abi/log";
import { MIGRATION_PAGES, MIGRATION_SETUP } from "../../abi/object";
import { REQUEST } from "../../abi/request";
import { TABLE_ENTRIES } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_KIND_DEVICE,
  PTE_KIND_MIGRATION,
  PTE_NO_ACCESS,
  PTE_PRESENT,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  REASON_DRIVER_ERROR,
  REASON_FILE_PAGE,
  REASON_NO_DESTINATION,
  REASON_ORDER,
  REASON_REFERENCED,
} from "../../uapi/reason";
import { header, LARGE_PAGES, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { makePte, pteFlags } from "../base/pte";
import { count, log } from "../base/stat";
import { isCoherentPfn } from "../frame/coherent";
import { Folio, folioOf, isDevicePfn } from "../frame/folio";
import { addExternalRefs, clearFolio, freePages, putPage } from "../frame/page-alloc";
import { lruTouch, lruTouchAll } from "../frame/recency";
import { Cmd } from "../operation/cmd";
import { notifyEnd } from "../operation/notify";
import { splitMapping } from "../operation/split";
import { cacheReplace, fileAt } from "../space/file";
import { ksmNodeAt } from "../space/ksm-item";
import {
  letGo,
  Migration,
  migrationFree,
  migrationOf,
  pagesOf,
  pfnOf,
  removeMigrationEntries,
} from "../space/migration";
import { mmAt } from "../space/mm";
import { freeSwap } from "../space/swap";
import { vmaAt } from "../space/vma";
import { isHugeZero } from "../table/huge";
import { leafTable, walk } from "../table/pagetable";
import { fillHole, fillWindow, insertUnit } from "./hole";
import { endUnit, isSoundUnit, isUnit, moveUnit, splitUnit } from "./huge";

/** May a driver give this page as a destination: locked, referenced, mapped nowhere, and not given already? */
@inline
function isSound(pfn: u32, frames: u32): bool {
  if (pfn >= frames) return false;
  const folio = folioOf(pfn);
  const used = <u32>(FOLIO_FREE | FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_RESERVED | FOLIO_LARGE);
  return (folio.flags & (used | FOLIO_LOCKED)) == FOLIO_LOCKED && !folio.mapcount;
}

/**
 * Are all destinations sound, and does none come twice? Each one's folio notes its slot in the index, which nobody needs of a
 * page that is mapped nowhere: if it names an earlier slot that has the page, too, it has come before.
 */
function destinationsAreSound(m: Migration): bool {
  const frames = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const dst: usize = m.dst;
  const npages = m.npages;
  for (let i: u32 = 0; i < npages; i++) {
    const word = load<u32>(dst + i * 4);
    if (!(word & (<u32>MIGRATE_PFN_VALID))) continue;
    const pfn = pfnOf(word);
    const folio = folioOf(pfn);
    if (isUnit(word) ? isSoundUnit(pfn, frames) && i + LARGE_PAGES <= npages : isSound(pfn, frames)) {
      const before = folio.index;
      folio.index = i;
      if (
        before >= i ||
        (load<u32>(dst + before * 4) & (<u32>(MIGRATE_PFN_VALID | PFN_MASK))) !=
          ((<u32>MIGRATE_PFN_VALID) | pfn)
      )
        continue;
    }
    setHeaderF64(HDR_FAULT_ADDR, i);
    return false;
  }
  return true;
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
    if (isUnit(m.source(i))) {
      cmd.e = i;
      if (moveSlotUnit(cmd, m, i) == REQUEST) return REQUEST;
    }
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE) || isUnit(word)) continue;
    const to = m.target(i);
    if (isUnit(to)) m.stay(i, REASON_ORDER);
    else if (to & MIGRATE_PFN_ERROR) m.stay(i, REASON_DRIVER_ERROR);
    else if (!(to & (<u32>MIGRATE_PFN_VALID))) m.stay(i, REASON_NO_DESTINATION);
    else if (word & (<u32>MIGRATE_PFN_VALID)) movePage(m, i, pfnOf(word), pfnOf(to));
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

/** A unit's slot: it moves, stays, or falls apart into slots that are looked at next. 0 or REQUEST. */
function moveSlotUnit(cmd: Cmd, m: Migration, i: u32): i32 {
  const word = m.source(i);
  const to = m.target(i);
  if (!(word & MIGRATE_PFN_MIGRATE)) return 0;
  const page = (word & (<u32>MIGRATE_PFN_VALID)) != 0;
  let reason: u32 = 0;
  if (to & MIGRATE_PFN_ERROR) reason = REASON_DRIVER_ERROR;
  else if (!(to & (<u32>MIGRATE_PFN_VALID))) reason = REASON_NO_DESTINATION;
  else if (!page) {
    if (!fillWindow(cmd, m, i)) return REQUEST;
    const vma = vmaAt(m.vma);
    const addr = m.start + ((<u64>i) << 12);
    if (isUnit(to)) reason = insertUnit(m, vma, addr, pfnOf(to));
    else {
      const table = leafTable(vma.mm.pgd, addr);
      if (table && isHugeZero(table) && splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
      splitUnit(m, i);
    }
  } else if (isUnit(to)) reason = moveUnit(m, pfnOf(word), pfnOf(to));
  else if (m.mm) splitUnit(m, i);
  else reason = REASON_ORDER;
  if (reason) {
    m.setSource(i, word & ~MIGRATE_PFN_MIGRATE);
    for (let j: u32 = 0; j < LARGE_PAGES; j++) m.note(i + j, reason);
  }
  return 0;
}

/** folio_migrate_mapping and folio_migrate_flags: the destination becomes the page. */
function movePage(m: Migration, i: u32, pfn: u32, toPfn: u32): void {
  const from = folioOf(pfn);
  const to = folioOf(toPfn);
  const toDevice = isDevicePfn(toPfn);
  if (!from.has(FOLIO_ANON) ? toDevice : !freeSwap(pfn, from)) return m.stay(i, REASON_FILE_PAGE);
  const cached = !from.has(FOLIO_ANON);
  if (from.refcount != <u32>(1 + (pfn == m.faultPage ? 1 : 0) + (cached ? 1 : 0)))
    return m.stay(i, REASON_REFERENCED);
  if (cached) cacheReplace(fileAt(from.mapping), from.pgoff, pfn, toPfn);
  to.mapping = from.mapping;
  to.pgoff = from.pgoff;
  to.set(from.flags & (FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM | FOLIO_DIRTY | FOLIO_REFERENCED | FOLIO_KSM));
  if (from.has(FOLIO_KSM)) ksmNodeAt(from.index).pfn = toPfn;
  to.memcg = from.memcg;
  from.memcg = 0;
  m.moved++;
  if (toDevice) lruTouch(toPfn);
  count(toDevice ? (isDevicePfn(pfn) ? COUNT_DEVICE_TO_DEVICE : COUNT_TO_DEVICE) : COUNT_TO_SYSTEM);
}

/** Of a folio's flags, what moves with the page. */
const MOVES: u32 = FOLIO_ANON | FOLIO_DIRTY | FOLIO_REFERENCED;

/** Of a folio, what stays with its frame: both counts, and the flags. */
@inline
function staying(): v128 {
  return i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, ~0xffff);
}

/** … and what moves with the page: memcg, index, mapping, some flags. */
@inline
function moving(): v128 {
  return i32x4(~FOLIO_COUNT_MASK, ~FOLIO_COUNT_MASK, -1, (MOVES << 16) | 0xffff);
}

/**
 * movePage() of slots from i on, as long as they have destinations and pages that are anonymous, not KSM, and have no
 * reference beyond the migration's (and a fault's). Returns the first slot that has not.
 */
@inline
function moveRun(m: Migration, i: u32): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const both = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const faultPage = m.faultPage;
  const first = i;
  const stays = staying();
  const moves = moving();
  let toDevice: u32 = 0;
  let toSystem: u32 = 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (const last = m.npages; i < last; i++, src += 4, dst += 4) {
    const word = load<u32>(src);
    const target = load<u32>(dst);
    if ((word & (both | MIGRATE_PFN_COMPOUND)) != both) break;
    if (
      (target & (<u32>(MIGRATE_PFN_VALID | MIGRATE_PFN_ERROR | MIGRATE_PFN_COMPOUND))) !=
      <u32>MIGRATE_PFN_VALID
    )
      break;
    const pfn = word & PFN_MASK;
    const toPfn = target & PFN_MASK;
    const from = folios + pfn * FOLIO_SIZE;
    const to = folios + toPfn * FOLIO_SIZE;
    const own: u32 = pfn == faultPage ? 2 : 1;
    if ((load<u16>(from, FOLIO_FLAGS) & (FOLIO_ANON | FOLIO_KSM)) != FOLIO_ANON) break;
    if ((load<u32>(from) & FOLIO_COUNT_MASK) != own) break;
    v128.store(to, v128.or(v128.and(v128.load(to), stays), v128.and(v128.load(from), moves)));
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
@inline
function endRun(m: Migration, i: u32, last: u32, slot: usize): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const both = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const coherent = (header(HDR_FLAGS) & HDR_FLAG_COHERENT) != 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (; i < last; i++, src += 4, dst += 4, slot += 8) {
    const word = load<u32>(src);
    if ((word & (both | MIGRATE_PFN_COMPOUND)) != both) break;
    const pfn = word & PFN_MASK;
    const pte = load<u64>(slot);
    const from = folios + pfn * FOLIO_SIZE;
    if ((pte & 0xffffffff80000f00) != (((<u64>pfn) << 32) | PTE_KIND_MIGRATION)) break;
    if (load<u32>(from) != 1 || load<u16>(from, FOLIO_FLAGS) & FOLIO_MIGRATION_SHARED) break;
    const toPfn = load<u32>(dst) & PFN_MASK;
    const to = folios + toPfn * FOLIO_SIZE;
    const kept = pteFlags(pte);
    let flags = (<u32>load<u16>(to, FOLIO_FLAGS)) & ~FOLIO_LOCKED;
    if (kept & (PTE_WRITE | PTE_EXCLUSIVE) && flags & FOLIO_ANON) flags |= FOLIO_ANON_EXCLUSIVE;
    let entry = kept & (PTE_WRITE | PTE_NO_ACCESS);
    if (toPfn < base) flags |= FOLIO_LRU;
    store<u16>(to, flags, FOLIO_FLAGS);
    if (toPfn < base || (coherent && isCoherentPfn(toPfn))) {
      entry |= (<u32>PTE_PRESENT) | (kept & (flags & FOLIO_DIRTY ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG));
    } else entry |= PTE_KIND_DEVICE;
    store<u32>(to, load<u32>(to, FOLIO_MAPS) + 1, FOLIO_MAPS);
    store<u64>(slot, makePte(toPfn, entry));
    clearFolio(changetype<Folio>(from));
  }
  return i;
}

/** migrate_vma_finalize: entries name pages again, the destination's or the source's, and everything is let go. */
export function migrateFinalize(id: u32): i32 {
  const m = migrationOf(id);
  if (!exists(m)) return -EINVAL;
  // Without pages() nothing moved, whatever the destinations say.
  const ran = m.state == MIGRATION_PAGES;
  if (!ran && !destinationsAreSound(m)) return -EINVAL;
  const pgd: usize = m.mm ? <usize>mmAt(m.mm).pgd : 0;
  let given: u32 = 0;
  for (let i: u32 = 0; i < m.npages;) {
    const slot = pgd ? walk(pgd, m.start + ((<u64>i) << 12)) : 0;
    const first = i;
    const last = leafRun(m, i);
    for (; i < last; i++) {
      if (ran && slot) {
        const from = i;
        i = endRun(m, i, last, slot + ((<usize>(i - first)) << 3));
        given += i - from;
      }
      if (i == last) break;
      given += endSlot(m, i, slot ? slot + ((<usize>(i - first)) << 3) : 0, ran);
    }
  }
  // The drivers' references to destinations are no more, and the frames of the pages that have moved are free.
  addExternalRefs(-given);
  freePages(m.src, m.npages);
  migrationFree(m);
  return 0;
}

/** The end of any slot. Its frame is not among those that are freed afterwards. The pages that the driver gave for it. */
function endSlot(m: Migration, i: u32, slot: usize, ran: bool): u32 {
  const word = m.source(i);
  const target = m.target(i);
  m.setSource(i, 0);
  const to = target & (<u32>MIGRATE_PFN_VALID) ? pfnOf(target) : 0;
  if (word & (<u32>MIGRATE_PFN_VALID)) {
    const moved = ran && (word & MIGRATE_PFN_MIGRATE) != 0;
    const lost = ran && !moved && (target & MIGRATE_PFN_ERROR) != 0;
    const pfn = pfnOf(word);
    const end = lost ? 0 : moved ? to : pfn;
    if (isUnit(word)) {
      endUnit(m, i, slot, pfn, end);
    } else {
      removeMigrationEntries(m, slot, pfn, end);
      letGo(m, i, pfn);
    }
  }
  const given: u32 = to ? pagesOf(target) : 0;
  for (let j: u32 = 0; j < given; j++) releaseDestination(to + j);
  return given;
}

/** Unlocks a destination and drops the driver's reference: if nothing maps it, it is free. */
function releaseDestination(pfn: u32): void {
  const folio = folioOf(pfn);
  const lru: u32 = !isDevicePfn(pfn) && folio.mapcount ? FOLIO_LRU : 0;
  folio.flags = <u16>((folio.flags & ~FOLIO_LOCKED) | lru);
  putPage(pfn);
}
