// migrate_vma_collect: which pages of a range are candidates of a migration. Migration entries take the place
// of their entries at once.

import { OWNER_ANY } from "../../abi/argument";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_HEAD,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_SHMEM,
  FOLIO_SIZE,
  FOLIO_TAIL,
} from "../../abi/frame";
import { HDR_FOLIOS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_KIND_DEVICE,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
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
import { DEBUG } from "../base/panic";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import {
  leavesUnselectedHuge,
  pinnedPartSkipsBlock,
  splitsHugeZeroLate,
  splitsMappedParts,
} from "../base/rules";
import { Folio, FOLIO_COUNTS, FOLIO_SOLE, folioOf, isDevicePfn } from "../frame/folio";
import { headOf } from "../frame/order";
import { ownFrames, zoneOf, zoneOfPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { isSplittable, splitFolio, splitMapping } from "../operation/split";
import { hasPage, Migration, pfnOf, takeEntry, takenEntry } from "../space/migration";
import { mmAt } from "../space/mm";
import { isAnonymous, vmaAt } from "../space/vma";
import { isHugeZero } from "../table/huge";
import { isHuge, leafTable, slotOf, spanEnd, walk } from "../table/pagetable";
import { SetupCmd } from "./cmd";
import { isHoleUnit, mayBeUnit, stayUnit, takeSoleUnit, takeUnit } from "./huge";

/** A flag in src during setup: the page has yet to be isolated and unmapped elsewhere. */
export const UNFINISHED: u32 = 0x08000000;

/** Is the huge mapping at addr, whose leaf table is `table`, a unit of the migration? */
function isUnitTable(m: Migration, addr: u64, table: usize): bool {
  if (isHugeZero(table)) return (m.select & MIGRATE_VMA_SELECT_SYSTEM) != 0 && isHoleUnit(m, addr);
  return mayBeUnit(m, addr) && !selected(m, load<u64>(table));
}

/**
 * Does the huge mapping with leaf table `table`, which is no unit, stay as it is while the migration
 * collects?
 */
function staysHuge(m: Migration, table: usize): bool {
  if (selected(m, load<u64>(table))) return leavesUnselectedHuge();
  return isHugeZero(table) && splitsHugeZeroLate();
}

/**
 * Splits the huge mappings and large folios of the range that do not move as units, where nobody refers to
 * them. 0 or REQUEST.
 */
export function splitHuge(cmd: Cmd, m: Migration): i32 {
  const vma = vmaAt(m.vma);
  if (cmd.splitHead && splitFolio(cmd, cmd.splitHead, m.faultPage) == REQUEST) return REQUEST;
  const pgd = vma.mm.pgd;
  let next = m.start;
  while (next < m.end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = spanEnd(pgd, table, addr, m.end);
    if (!table || !isHuge(table) || isUnitTable(m, addr, table) || staysHuge(m, table)) continue;
    const result = isHugeZero(table)
      ? splitMapping(cmd, vma, addr)
      : splitFolio(cmd, ptePfn(load<u64>(table)), m.faultPage);
    if (result == REQUEST) return REQUEST;
  }
  return 0;
}

/**
 * migrate_vma_collect: takes the runs of sole pages, each in one loop, and other pages an entry at a time.
 * Returns how many pages are UNFINISHED.
 */
export function collect(m: Migration): u32 {
  const vma = vmaAt(m.vma);
  const pgd = vma.mm.pgd;
  const anonymous = isAnonymous(vma);
  const frames = ownFrames(m.owner);
  const first = <u32>(frames >> 32);
  const size = <u32>frames;
  let i: u32 = 0;
  let unfinished: u32 = 0;
  let candidates: u32 = 0;
  let next = m.start;
  while (next < m.end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = spanEnd(pgd, table, addr, m.end);
    let at = table ? slotOf(table, addr) : 0;
    const last = i + <u32>((next - addr) >> 12);
    const unit = table ? isHuge(table) && isUnitTable(m, addr, table) : anonymous && isHoleUnit(m, addr);
    if (unit) {
      unfinished += collectUnit(m, i, table);
      candidates += m.source(i) & MIGRATE_PFN_MIGRATE ? 1 : 0;
      i = last;
    }
    for (; i < last; i++, at += 8) {
      if (table) {
        const end = takeSole(m, i, last, at, first, size);
        at += (<usize>(end - i)) << 3;
        candidates += end - i;
        i = end;
        if (i == last) break;
      }
      const pte = table ? load<u64>(at) : 0;
      if (pte && endsLook(m, i, pte)) {
        for (; i < last; i++) m.stay(i, REASON_LARGE_FOLIO);
        break;
      }
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
 * Does the entry map a part of a large folio that cannot be split, so that what follows in its 2 MiB stays,
 * too?
 */
function endsLook(m: Migration, i: u32, pte: u64): bool {
  if (!pinnedPartSkipsBlock() || isZeroPte(pte) || refusal(m, i, pte) != REASON_LARGE_FOLIO) return false;
  return !isSplittable(headOf(ptePfn(pte)), m.faultPage);
}

/**
 * The fast form of collectEntry() and unmapAll(), from page i on, whose entry is at `at`: takes pages that
 * are sole (but for a fault's lock and reference), anonymous and not locked; in RAM and on the LRU, if RAM is
 * selected; in device memory [first, first + size), if that is. Locks and isolates them, and takes their
 * entries. Returns the index of the first page that is not so.
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
    const folio = changetype<Folio>(folios + pfn * FOLIO_SIZE);
    const flags = <u32>folio.flags;
    // The page of a fault that is being served has a lock and a reference for that.
    const fault: u32 = pfn == m.faultPage ? 1 : 0;
    if ((folio.counts & FOLIO_COUNTS) != FOLIO_SOLE + <u64>fault) break;
    const usual = FOLIO_ANON | lru | (fault ? FOLIO_LOCKED : 0);
    if ((flags & (FOLIO_LOCKED | FOLIO_ANON | FOLIO_HEAD | FOLIO_TAIL | FOLIO_LRU)) != usual) break;
    if (DEBUG) assert(!refusal(m, i, pte), "takeSole: a page that collectEntry() leaves");
    const dirty: u32 = lru && pteFlags(pte) & PTE_DIRTY ? FOLIO_DIRTY : 0;
    folio.flags = <u16>((flags & ~(FOLIO_LRU | FOLIO_ANON_EXCLUSIVE)) | FOLIO_LOCKED | dirty);
    folio.maps &= ~FOLIO_COUNT_MASK;
    store<u64>(at, takenEntry(pte, (flags & FOLIO_ANON_EXCLUSIVE) != 0));
    const write: u32 = pteFlags(pte) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
    store<u32>(src, (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | write | pfn);
  }
  return i;
}

/**
 * Collects the unit at index i: a huge mapping with leaf table `table`, or a hole (0). 1 if it is UNFINISHED
 * now, else 0.
 */
function collectUnit(m: Migration, i: u32, table: usize): u32 {
  if (!table || isHugeZero(table)) {
    m.setSource(i, MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND);
    return 0;
  }
  const sole = takeSoleUnit(table);
  if (sole) {
    m.setSource(i, sole);
    return 0;
  }
  const word = takeUnit(m, table);
  if (word) m.setSource(i, UNFINISHED | word);
  else stayUnit(m, i, REASON_LOCKED);
  return word ? 1 : 0;
}

/** Does the migration select pages of this entry's kind and owner? 0, or the reason why not. */
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

/** Is the entry a mapping of the zero page, which migrates like a hole? */
@inline
function isZeroPte(pte: u64): bool {
  return ptePresent(pte) && (pteFlags(pte) & PTE_SPECIAL) != 0;
}

/** Why the page that the entry of page i names is not collected; 0: it is. */
function refusal(m: Migration, i: u32, pte: u64): u32 {
  const reason = selected(m, pte);
  if (reason || isZeroPte(pte)) return reason;
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  if (!folio.has(FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM)) return REASON_NO_MAPPING;
  if (folio.has(FOLIO_LARGE)) return REASON_LARGE_FOLIO;
  return folio.has(FOLIO_LOCKED) && (pfn != m.faultPage || isCollected(m, i, pfn)) ? REASON_LOCKED : 0;
}

/** Collects page i, whose entry is `pte` at `at`. 1 if it is UNFINISHED now, else 0. */
function collectEntry(m: Migration, i: u32, at: usize, pte: u64): u32 {
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  const reason = refusal(m, i, pte);
  if (reason) {
    if (reason == REASON_LARGE_FOLIO && splitsMappedParts()) m.parts++;
    m.stay(i, reason);
    return 0;
  }
  if (isZeroPte(pte)) {
    m.setSource(i, MIGRATE_PFN_MIGRATE);
    return 0;
  }
  folio.set(FOLIO_LOCKED);
  // The mapping's reference becomes the migration's.
  takeEntry(at, pte, folio);
  const write: u32 = pteFlags(pte) & PTE_WRITE ? MIGRATE_PFN_WRITE : 0;
  m.setSource(i, UNFINISHED | (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE | write | pfn);
  return 1;
}

/**
 * Is the page among the first n of src? The fault page is locked before it is collected, and KSM maps a page
 * repeatedly.
 */
function isCollected(m: Migration, n: u32, pfn: u32): bool {
  for (let i: u32 = 0; i < n; i++) {
    const word = m.source(i);
    if (hasPage(word) && pfnOf(word) == pfn) return true;
  }
  return false;
}

/**
 * Splits the large folios of pages that collect() left for that reason, and collects the pages; from
 * cmd.cursor on. Counts those that are UNFINISHED in cmd.unfinished. 0 or REQUEST.
 */
export function collectParts(cmd: SetupCmd, m: Migration): i32 {
  for (; cmd.cursor < m.end; cmd.cursor += PAGE_SIZE) {
    const i = <u32>((cmd.cursor - m.start) >> 12);
    const slot = walk(mmAt(m.mm).pgd, cmd.cursor);
    const reason = load<u8>(m.reasons + i);
    // The split of a folio makes pages present that a device had for itself.
    const back = slot && reason == REASON_NOT_PRESENT && ptePresent(load<u64>(slot));
    if (!slot || !(reason == REASON_LARGE_FOLIO || back)) continue;
    const pfn = ptePfn(load<u64>(slot));
    const large = folioOf(pfn).has(FOLIO_LARGE);
    const first = !folioOf(pfn).has(FOLIO_TAIL);
    if (large && splitFolio(cmd, pfn, m.faultPage) == REQUEST) return REQUEST;
    if (folioOf(pfn).has(FOLIO_LARGE)) {
      // collect() has looked no further in these 2 MiB, either.
      if (pinnedPartSkipsBlock()) cmd.cursor |= PMD_SIZE - PAGE_SIZE;
      continue;
    }
    // A fault on another page than the first ends with the split; the next fault moves the page.
    if (large && !first && m.faultPage) continue;
    store<u8>(m.reasons + i, 0);
    cmd.unfinished += collectEntry(m, i, slot, load<u64>(slot));
    m.cpages += m.source(i) & MIGRATE_PFN_MIGRATE ? 1 : 0;
  }
  return 0;
}
