// migrate_vma_collect: which pages of a range are candidates of a migration. Their entries become migration entries at once.

import { OWNER_ANY } from "../../abi/argument";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FLAGS,
  FOLIO_HEAD,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MAPS,
  FOLIO_SHMEM,
  FOLIO_SIZE,
  FOLIO_TAIL,
} from "../../abi/frame";
import { HDR_FOLIOS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_KIND_DEVICE,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  PTE_NO_ACCESS,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import {
  REASON_HOLE_NOT_ANON,
  REASON_LARGE_FOLIO,
  REASON_LOCKED,
  REASON_MIGRATING,
  REASON_NO_MAPPING,
  REASON_NOT_PRESENT,
  REASON_NOT_SELECTED,
  REASON_OTHER_OWNER,
} from "../../uapi/reason";
import { header } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { folioOf, isDevicePfn } from "../frame/folio";
import { ownFrames, zoneOf, zoneOfPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { splitFolio, splitMapping } from "../operation/split";
import { Migration, pfnOf, takeEntry } from "../space/migration";
import { mmAt } from "../space/mm";
import { isAnonymous, vmaAt } from "../space/vma";
import { isHugeZero } from "../table/huge";
import { holeEnd, isHuge, leafEnd, leafTable, slotOf, walk } from "../table/pagetable";
import { SetupCmd } from "./cmd";
import { isHoleUnit, mayBeUnit, stayUnit, takeUnit } from "./huge";

/** In src, during setup: the page is still to be isolated and unmapped elsewhere. */
export const UNFINISHED: u32 = 0x08000000;

/** Is this huge mapping a unit of the migration? */
function isUnitTable(m: Migration, addr: u64, table: usize): bool {
  if (isHugeZero(table)) return (m.select & MIGRATE_VMA_SELECT_SYSTEM) != 0 && isHoleUnit(m, addr);
  return mayBeUnit(m, addr) && !selected(m, load<u64>(table));
}

/** Splits what is huge in the range and not to move as one, as far as that can be. 0 or REQUEST. */
export function splitHuge(cmd: Cmd, m: Migration): i32 {
  const vma = vmaAt(m.vma);
  if (cmd.splitHead && splitFolio(cmd, cmd.splitHead, m.faultPage) == REQUEST) return REQUEST;
  for (let addr = m.start; addr < m.end; addr = leafEnd(addr, m.end)) {
    const table = leafTable(vma.mm.pgd, addr);
    if (!table || !isHuge(table) || isUnitTable(m, addr, table)) continue;
    const result = isHugeZero(table)
      ? splitMapping(cmd, vma, addr)
      : splitFolio(cmd, ptePfn(load<u64>(table)), m.faultPage);
    if (result == REQUEST) return REQUEST;
  }
  return 0;
}

/**
 * migrate_vma_collect. Runs of pages that are this entry's alone are taken in one step; others go an entry at a time.
 * Returns how many pages are unfinished.
 */
export function collect(m: Migration): u32 {
  const vma = vmaAt(m.vma);
  const pgd = vma.mm.pgd;
  const anonymous = isAnonymous(vma);
  const frames = ownFrames(m.owner);
  const first = <u32>(frames >> 32);
  const size = <u32>frames;
  let addr = m.start;
  let i: u32 = 0;
  let unfinished: u32 = 0;
  let candidates: u32 = 0;
  while (addr < m.end) {
    const table = leafTable(pgd, addr);
    const until = table ? leafEnd(addr, m.end) : min(holeEnd(pgd, addr), m.end);
    let at = table ? slotOf(table, addr) : 0;
    const last = i + <u32>((until - addr) >> 12);
    const unit = table ? isHuge(table) && isUnitTable(m, addr, table) : anonymous && isHoleUnit(m, addr);
    if (unit) {
      unfinished += collectUnit(m, i, table);
      candidates += m.source(i) & MIGRATE_PFN_MIGRATE ? 1 : 0;
      i = last;
    }
    addr = until;
    for (; i < last; i++, at += 8) {
      if (table) {
        const end = takeSole(m, i, last, at, first, size);
        at += (<usize>(end - i)) << 3;
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
 * alone (or a fault's lock and reference, too), in RAM and on the LRU if RAM is selected, in device memory
 * [first, first + size) if that is. Locks and isolates them, and puts migration entries in their places. Returns the first
 * slot whose page is not so.
 */
@inline
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
    // The page of a fault that is being served has a lock and a reference for that.
    const fault: u32 = pfn == m.faultPage ? 1 : 0;
    if ((counts & 0x00ffffff00ffffff) != 0x0000000100000001 + <u64>fault) break;
    const usual = FOLIO_ANON | lru | (fault ? FOLIO_LOCKED : 0);
    if ((flags & (FOLIO_LOCKED | FOLIO_ANON | FOLIO_HEAD | FOLIO_TAIL | FOLIO_LRU)) != usual) break;
    const kept = pteFlags(pte) & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_NO_ACCESS);
    const exclusive: u32 = flags & FOLIO_ANON_EXCLUSIVE ? PTE_EXCLUSIVE : 0;
    const dirty: u32 = lru && kept & PTE_DIRTY ? FOLIO_DIRTY : 0;
    // As takeEntry() does: whether the page is exclusive, the entry knows from here on.
    store<u16>(folio, (flags & ~(FOLIO_LRU | FOLIO_ANON_EXCLUSIVE)) | FOLIO_LOCKED | dirty, FOLIO_FLAGS);
    store<u32>(folio, (<u32>(counts >> 32)) & ~FOLIO_COUNT_MASK, FOLIO_MAPS);
    store<u64>(at, makePte(pfn, kept | exclusive | PTE_KIND_MIGRATION));
    const write: u32 = kept & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
    store<u32>(src, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | write | pfn);
  }
  return i;
}

/** A huge mapping (or a hole: table 0) as one unit. 1 if its folio was collected, and is to be isolated and unmapped elsewhere. */
function collectUnit(m: Migration, i: u32, table: usize): u32 {
  if (!table || isHugeZero(table)) {
    m.setSource(i, MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND);
    return 0;
  }
  const word = takeUnit(m, table);
  if (word) m.setSource(i, UNFINISHED | word);
  else stayUnit(m, i, REASON_LOCKED);
  return word ? 1 : 0;
}

/** Is a page of this kind and owner wanted? REASON_NONE (0) or why not. */
function selected(m: Migration, pte: u64): u32 {
  const present = ptePresent(pte);
  if (present && !isDevicePfn(ptePfn(pte)))
    return m.select & MIGRATE_VMA_SELECT_SYSTEM ? 0 : REASON_NOT_SELECTED;
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
    else if (folio.has(FOLIO_LARGE)) {
      reason = REASON_LARGE_FOLIO;
      if (splitsParts(m, pfn)) m.parts++;
    } else if (folio.has(FOLIO_LOCKED) && (pfn != m.faultPage || isCollected(m, i, pfn)))
      reason = REASON_LOCKED;
  }
  if (reason) {
    m.stay(i, reason);
    return 0;
  }
  folio.set(FOLIO_LOCKED);
  // The mapping's reference becomes the migration's.
  takeEntry(at, pte, pfn, folio);
  const write: u32 = pteFlags(pte) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
  m.setSource(i, UNFINISHED | (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | write | pfn);
  return 1;
}

/** Does one of the first slots have the page? The fault page is locked before any has; one of KSM's has several addresses. */
function isCollected(m: Migration, slots: u32, pfn: u32): bool {
  for (let i: u32 = 0; i < slots; i++) {
    const word = m.source(i);
    if (word & (<u32>MIGRATE_PFN_VALID) && pfnOf(word) == pfn) return true;
  }
  return false;
}

/**
 * Is the large folio of a page that is mapped by itself split? A device page could never come back if it stayed; and drivers
 * that know of huge pages are of a kernel that splits.
 */
function splitsParts(m: Migration, pfn: u32): bool {
  return isDevicePfn(pfn) || (m.select & MIGRATE_VMA_SELECT_COMPOUND) != 0;
}

/**
 * Collects parts of large folios after all, when these are split: from cmd.cursor on, each slot that has to be unmapped
 * elsewhere counted in cmd.unfinished. 0 or REQUEST.
 */
export function collectParts(cmd: SetupCmd, m: Migration): i32 {
  for (; cmd.cursor < m.end; cmd.cursor += PAGE_SIZE) {
    const i = <u32>((cmd.cursor - m.start) >> 12);
    const slot = walk(mmAt(m.mm).pgd, cmd.cursor);
    if (!slot || load<u8>(m.reasons + i) != REASON_LARGE_FOLIO) continue;
    const pfn = ptePfn(load<u64>(slot));
    if (!splitsParts(m, pfn)) continue;
    if (folioOf(pfn).has(FOLIO_LARGE) && splitFolio(cmd, pfn, m.faultPage) == REQUEST) return REQUEST;
    if (folioOf(pfn).has(FOLIO_LARGE)) continue;
    store<u8>(m.reasons + i, 0);
    cmd.unfinished += collectEntry(m, i, slot, load<u64>(slot));
    m.cpages += m.source(i) & MIGRATE_PFN_MIGRATE ? 1 : 0;
  }
  return 0;
}
