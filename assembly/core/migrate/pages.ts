// migrate_vma_pages: the candidates move to the destinations that the driver gave. What is known of a page
// (its place in its mapping, its charge, some flags) moves from folio to folio; entries still are migration
// entries.

import { COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import { FOLIO_ANON, FOLIO_FILE, FOLIO_KSM, FOLIO_SHMEM, FOLIO_SIZE } from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_FOLIOS } from "../../abi/header";
import { LOG_MIGRATE } from "../../abi/log";
import { MIGRATION_MOVING, MIGRATION_PAGES, MIGRATION_SETUP, MIGRATION_WRONG_SRC } from "../../abi/object";
import { REQUEST } from "../../abi/request";
import { EBUSY, EINVAL } from "../../uapi/errno";
import { PMD_SIZE } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../uapi/pfn";
import {
  REASON_DRIVER_ERROR,
  REASON_FILE_PAGE,
  REASON_HOLE_NOT_ANON,
  REASON_NO_DESTINATION,
  REASON_ORDER,
  REASON_REFERENCED,
} from "../../uapi/reason";
import { header, LARGE_PAGES, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { count, log } from "../base/stat";
import { Folio, folioOf, isDevicePfn, moveFolio } from "../frame/folio";
import { noteUse, noteUses } from "../frame/recency";
import { innerEnd, innerStart, notifyEnd } from "../operation/notify";
import { splitMapping } from "../operation/split";
import { cacheReplace, fileAt } from "../space/file";
import { ksmNodeAt } from "../space/ksm-item";
import { hasPage, isUnit, Migration, ownRefs, pfnOf } from "../space/migration";
import { freeSwap } from "../space/swap";
import { mmAt } from "../space/mm";
import { isHugeZero, splitLeaf } from "../table/huge";
import { isHuge, leafTable } from "../table/pagetable";
import { MigratePagesCmd } from "./cmd";
import { markDestinations, takeDestinations } from "./destinations";
import { fillHole, fillWindow, insertUnit, vmaOfHole } from "./hole";
import { moveUnit, splitUnit } from "./huge";
import { adoptSource, publishSource, sameSource, wrongSource } from "./words";

/** The bits of a destination's word that say what it is; a page that is no unit has VALID alone. */
const DESTINATION_BITS: u32 = <u32>(MIGRATE_PFN_VALID | MIGRATE_PFN_ERROR | MIGRATE_PFN_COMPOUND);

/** OP_MIGRATE_PAGES: moves what each page is to its destination, and fills holes. */
export function migratePagesStep(cmd: MigratePagesCmd): i32 {
  const m = changetype<Migration>(cmd.migration);
  if (cmd.phase == 0) {
    if (m.state != MIGRATION_SETUP) return -EBUSY;
    const same = sameSource(m);
    const wrong = wrongSource(m, same);
    if (wrong < m.npages) {
      setHeader(HDR_FAULT_CODE, MIGRATION_WRONG_SRC);
      setHeaderF64(HDR_FAULT_ADDR, wrong);
      return -EINVAL;
    }
    if (!takeDestinations(m)) return -EINVAL;
    adoptSource(m, same);
    m.state = MIGRATION_MOVING;
    cmd.phase = 1;
    cmd.index = moveRun(m, 0);
    markDestinations(m, cmd.index);
  }
  for (let i = cmd.index; i < m.npages; i++) {
    i = moveRun(m, i);
    if (i == m.npages) break;
    if (isUnit(m.source(i))) {
      cmd.index = i;
      if (moveOrSplitUnit(cmd, m, i) == REQUEST) return REQUEST;
    }
    const word = m.source(i);
    if (isUnit(word)) {
      // The other words of a unit are 0.
      i += LARGE_PAGES - 1;
      continue;
    }
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    const to = m.target(i);
    if (isUnit(to)) m.stay(i, REASON_ORDER);
    else if (to & MIGRATE_PFN_ERROR) m.stay(i, REASON_DRIVER_ERROR);
    else if (!hasPage(to)) m.stay(i, REASON_NO_DESTINATION);
    else if (hasPage(word)) movePage(m, i, pfnOf(word), pfnOf(to));
    else {
      cmd.index = i;
      if (fillHole(cmd, m, i, pfnOf(to)) == REQUEST) return REQUEST;
    }
  }
  notifyEnd(cmd);
  publishSource(m);
  m.state = MIGRATION_PAGES;
  log(LOG_MIGRATE, m.mm, m.start, m.cpages, m.moved);
  return m.moved;
}

/**
 * The unit at index i moves, stays, or falls apart into pages, which the step looks at next. 0 or REQUEST.
 */
function moveOrSplitUnit(cmd: MigratePagesCmd, m: Migration, i: u32): i32 {
  const word = m.source(i);
  const to = m.target(i);
  if (!(word & MIGRATE_PFN_MIGRATE)) return 0;
  let reason: u32 = 0;
  if (to & MIGRATE_PFN_ERROR) reason = REASON_DRIVER_ERROR;
  else if (!hasPage(to)) reason = REASON_NO_DESTINATION;
  else if (!hasPage(word)) {
    const addr = m.start + ((<u64>i) << 12);
    const vma = vmaOfHole(m, addr, LARGE_PAGES);
    if (exists(vma) && !fillWindow(cmd, m, i)) return REQUEST;
    if (!exists(vma)) reason = REASON_HOLE_NOT_ANON;
    else if (isUnit(to)) reason = insertUnit(m, vma, addr, pfnOf(to));
    else {
      const table = leafTable(vma.mm.pgd, addr);
      if (table && isHugeZero(table) && splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
      splitUnit(m, i);
    }
  } else if (isUnit(to)) reason = moveUnit(m, pfnOf(word), pfnOf(to));
  else if (!m.mm) reason = REASON_ORDER;
  else {
    if (!tellUnit(cmd, m, i)) return REQUEST;
    // A folio that a fault refers to is not split, but the mapping is.
    if (m.faultPage - pfnOf(word) < LARGE_PAGES) {
      const table = leafTable(mmAt(m.mm).pgd, m.start + ((<u64>i) << 12));
      if (table && isHuge(table)) splitLeaf(table);
      reason = REASON_ORDER;
    } else splitUnit(m, i);
  }
  if (reason) {
    m.setSource(i, word & ~MIGRATE_PFN_MIGRATE);
    for (let j: u32 = 0; j < LARGE_PAGES; j++) m.note(i + j, reason);
  }
  return 0;
}

/** Tells the vma of the unit at index i that its mapping is split. False: the operation returns REQUEST. */
function tellUnit(cmd: MigratePagesCmd, m: Migration, i: u32): bool {
  const addr = m.start + ((<u64>i) << 12);
  if (!innerStart(cmd, m.mm, addr, addr + PMD_SIZE)) return false;
  innerEnd(cmd);
  return true;
}

/** migrate_folio: the destination becomes page i, unless the page has to stay. */
function movePage(m: Migration, i: u32, pfn: u32, toPfn: u32): void {
  const from = folioOf(pfn);
  const toDevice = isDevicePfn(toPfn);
  // A page of a driver's own, which nobody maps, is in no cache either.
  const cached = from.has(FOLIO_FILE | FOLIO_SHMEM);
  if (cached ? toDevice : !freeSwap(pfn, from)) return m.stay(i, REASON_FILE_PAGE);
  if (from.refcount != ownRefs(pfn, m.faultPage) + (cached ? 1 : 0)) return m.stay(i, REASON_REFERENCED);
  if (cached) cacheReplace(fileAt(from.mapping), from.pgoff, pfn, toPfn);
  moveFolio(from, from.refcount, folioOf(toPfn));
  if (from.has(FOLIO_KSM)) ksmNodeAt(from.index).pfn = toPfn;
  m.moved++;
  if (toDevice) noteUse(toPfn);
  count(toDevice ? (isDevicePfn(pfn) ? COUNT_DEVICE_TO_DEVICE : COUNT_TO_DEVICE) : COUNT_TO_SYSTEM);
}

/**
 * The fast form of movePage(), for the pages from i on that are anonymous, not KSM's, and have a destination
 * and no reference beyond the migration's (and a fault's). Returns the index of the first page that is not
 * so.
 */
function moveRun(m: Migration, i: u32): u32 {
  const base = header(HDR_DEVICE_BASE);
  const folios = header(HDR_FOLIOS);
  const candidate = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const faultPage = m.faultPage;
  const first = i;
  let toDevice: u32 = 0;
  let toSystem: u32 = 0;
  let src = m.src + i * 4;
  let dst = m.dst + i * 4;
  for (const last = m.npages; i < last; i++, src += 4, dst += 4) {
    const word = load<u32>(src);
    const target = load<u32>(dst);
    if ((word & (candidate | MIGRATE_PFN_COMPOUND)) != candidate) break;
    if ((target & DESTINATION_BITS) != <u32>MIGRATE_PFN_VALID) break;
    const pfn = word & PFN_MASK;
    const toPfn = target & PFN_MASK;
    const from = changetype<Folio>(folios + pfn * FOLIO_SIZE);
    if ((from.flags & (FOLIO_ANON | FOLIO_KSM)) != FOLIO_ANON) break;
    const refs = ownRefs(pfn, faultPage);
    if (from.refcount != refs) break;
    moveFolio(from, refs, changetype<Folio>(folios + toPfn * FOLIO_SIZE));
    toSystem += toPfn < base ? 1 : 0;
    toDevice += (pfn < base ? 1 : 0) & (toPfn < base ? 0 : 1);
  }
  noteUses(m.dst + first * 4, i - first);
  m.moved += i - first;
  count(COUNT_TO_SYSTEM, toSystem);
  count(COUNT_TO_DEVICE, toDevice);
  count(COUNT_DEVICE_TO_DEVICE, i - first - toSystem - toDevice);
  return i;
}
