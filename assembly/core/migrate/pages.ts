// migrate_vma_pages and migrate_vma_finalize: what happens to the candidates once a driver has given destinations.

import { EINVAL } from "../../uapi/errno";
import { COUNT_DEVICE_TO_DEVICE, COUNT_TO_DEVICE, COUNT_TO_SYSTEM } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FLAGS,
  FOLIO_KSM,
  FOLIO_REFERENCED,
  FOLIO_SHMEM,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FOLIOS } from "../../abi/header";
import { LOG_MIGRATE } from "../../abi/log";
import { MIGRATION_PAGES, MIGRATION_SETUP } from "../../abi/object";
import { REQUEST } from "../../abi/request";
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
  REASON_NO_DESTINATION,
  REASON_ORDER,
  REASON_REFERENCED,
} from "../../uapi/reason";
import { header, LARGE_PAGES } from "../base/layout";
import { count, log } from "../base/stat";
import { folioOf, isDevicePfn } from "../frame/folio";
import { lruTouch, lruTouchAll } from "../frame/recency";
import { notifyEnd } from "../operation/notify";
import { splitMapping } from "../operation/split";
import { cacheReplace, fileAt } from "../space/file";
import { ksmNodeAt } from "../space/ksm-item";
import { isUnit, Migration, pfnOf } from "../space/migration";
import { freeSwap } from "../space/swap";
import { vmaAt } from "../space/vma";
import { isHugeZero } from "../table/huge";
import { leafTable } from "../table/pagetable";
import { destinationsAreSound } from "./destinations";
import { MigratePagesCmd } from "./cmd";
import { fillHole, fillWindow, insertUnit } from "./hole";
import { moveUnit, splitUnit } from "./huge";

/** OP_MIGRATE_PAGES: moves what each page is to its destination, and fills holes. */
export function migratePagesStep(cmd: MigratePagesCmd): i32 {
  const m = changetype<Migration>(cmd.migration);
  if (cmd.phase == 0) {
    if (m.state != MIGRATION_SETUP || !destinationsAreSound(m)) return -EINVAL;
    cmd.phase = 1;
  }
  for (let i = cmd.slot; i < m.npages; i++) {
    i = moveRun(m, i);
    if (i == m.npages) break;
    if (isUnit(m.source(i))) {
      cmd.slot = i;
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
      cmd.slot = i;
      if (fillHole(cmd, m, i, pfnOf(to)) == REQUEST) return REQUEST;
    }
  }
  notifyEnd(cmd);
  m.state = MIGRATION_PAGES;
  log(LOG_MIGRATE, m.mm, m.start, m.cpages, m.moved);
  return m.moved;
}

/** A unit's slot: it moves, stays, or falls apart into slots that are looked at next. 0 or REQUEST. */
function moveSlotUnit(cmd: MigratePagesCmd, m: Migration, i: u32): i32 {
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
