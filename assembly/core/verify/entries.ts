// verify(): page-table entries. Reference and mapping counts are checked in place: each entry takes its share
// off the counts of its page. What is left must be 0 mappings, and the references that pins, drivers and open
// migrations explain (zones.ts). Then each entry puts its share back.

import {
  PTE_DIRTY,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import { VM_MIXEDMAP, VM_WRITE } from "../../uapi/vm";
import { FOLIO_ANON, FOLIO_FILE, FOLIO_HEAD, FOLIO_KSM, FOLIO_LOCKED, FOLIO_SHMEM } from "../../abi/frame";
import { HDR_HUGE_ZERO } from "../../abi/header";
import { RESOURCE_PAGE_TABLE } from "../../abi/pool";
import {
  VERIFY_DEVICE_PRESENT,
  VERIFY_ENTRY_OUTSIDE,
  VERIFY_HUGE,
  VERIFY_MIGRATION_ENTRY,
  VERIFY_RMAP,
  VERIFY_TABLE_META,
  VERIFY_WRITE_BIT,
} from "../../abi/verify";
import { header, LARGE_PAGES, pool } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { exclusiveStaysMapped } from "../base/rules";
import { isPrivatePfn } from "../frame/coherent";
import { Folio, folioOf } from "../frame/folio";
import { linkAt } from "../space/anon-vma";
import { fileOf } from "../space/file";
import { Mm, mmOf } from "../space/mm";
import { findVmaFrom, pgoffOf, Vma } from "../space/vma";
import { isHugeZero } from "../table/huge";
import { DEVICE_OWNER, FILE_OWNER, isHuge, leafTable, tableMeta, TableMeta } from "../table/pagetable";
import { broken } from "./broken";
import { ksmReaches } from "./ksm";

/**
 * Tells whether an entry names a page that counts for its mm: a mapped one, one on a device, or one that
 * migrates.
 */
export function namesPage(pte: u64): bool {
  if (ptePresent(pte)) return !(pteFlags(pte) & PTE_SPECIAL);
  const kind = pteKind(pte);
  return kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE || kind == PTE_KIND_MIGRATION;
}

/**
 * Takes the share of each entry off the counts of its page (`by` is -1), and checks the entries; or puts the
 * shares back (`by` is 1).
 */
export function shareEntries(by: i32, migrating: bool): void {
  for (let i: u32 = 1; i <= poolHigh(RESOURCE_PAGE_TABLE); i++) {
    const table: usize = load<u32>(pool(RESOURCE_PAGE_TABLE)) + (i << 12);
    const meta = tableMeta(table);
    if (!meta.owner || meta.level || meta.owner & DEVICE_OWNER) continue;
    if (meta.owner & FILE_OWNER) {
      shareCache(table, meta, by);
      continue;
    }
    const mm = mmOf(meta.owner);
    if (!exists(mm) || leafTable(mm.pgd, (<u64>meta.base) << 21) != table) {
      if (by < 0) broken(VERIFY_TABLE_META, meta.owner, table);
      continue;
    }
    if (by < 0) checkHuge(mm, meta, table);
    for (let j: u32 = 0; j < LARGE_PAGES; j++) {
      const pte = load<u64>(table + j * 8);
      if (!pte) continue;
      const addr = ((<u64>meta.base) << 21) + ((<u64>j) << 12);
      if (by < 0) checkEntry(mm, meta.owner, addr, pte, migrating);
      shareEntry(pte, by);
    }
  }
}

/** Adds `by` times the share of an entry to the counts of its page, or of its swap slot. */
function shareEntry(pte: u64, by: i32): void {
  const kind = pteKind(pte);
  if (!ptePresent(pte) && kind == PTE_KIND_SWAP) folioOf(ptePfn(pte)).refs += by;
  // The migration has the share of a migration entry.
  if (!namesPage(pte) || kind == PTE_KIND_MIGRATION) return;
  const folio = folioOf(ptePfn(pte));
  if (kind != PTE_KIND_DEVICE_EXCLUSIVE || exclusiveStaysMapped()) folio.maps += by;
  folio.refs += by;
}

/**
 * Checks a leaf table: the entries of a huge mapping name the parts of one folio, with equal flags, in one
 * vma; no entry of another table has PTE_HUGE.
 */
function checkHuge(mm: Mm, meta: TableMeta, table: usize): void {
  const first = load<u64>(table);
  const from = (<u64>meta.base) << 21;
  const same = <u32>~(PTE_YOUNG | PTE_DIRTY);
  let whole = true;
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const pte = load<u64>(table + j * 8);
    if ((pte ^ first) & (<u64>PTE_HUGE)) whole = false;
    if (!isHuge(table)) continue;
    if (ptePfn(pte) != ptePfn(first) + j || (pteFlags(pte) ^ pteFlags(first)) & same) whole = false;
  }
  if (isHuge(table)) {
    const vma = findVmaFrom(mm, from);
    if (ptePfn(first) & 511 || !exists(vma) || vma.start > from || vma.end < from + 0x200000) whole = false;
    if (isHugeZero(table) ? ptePfn(first) != header(HDR_HUGE_ZERO) : !folioOf(ptePfn(first)).has(FOLIO_HEAD))
      whole = false;
  }
  if (!whole) broken(VERIFY_HUGE, meta.owner, from);
}

/** As shareEntries(), for a leaf table of a page cache, which has a reference to each of its pages. */
function shareCache(table: usize, meta: TableMeta, by: i32): void {
  const file = fileOf(meta.owner & ~FILE_OWNER);
  if (!exists(file) || leafTable(file.root, (<u64>meta.base) << 21) != table) {
    if (by < 0) broken(VERIFY_TABLE_META, 0, table);
    return;
  }
  for (let j: u32 = 0; j < LARGE_PAGES; j++) {
    const entry = load<u64>(table + j * 8);
    if (!entry) continue;
    const folio = folioOf(ptePfn(entry));
    const index = ((<u64>meta.base) << 9) + j;
    const own = folio.has(FOLIO_FILE | FOLIO_SHMEM) && folio.mapping == file.id && folio.pgoff == index;
    if (by < 0 && (!own || index >= file.length)) broken(VERIFY_RMAP, 0, index, ptePfn(entry));
    folio.refs += by;
  }
}

/** Checks an entry against its vma, and that the reverse map leads from its page to it. */
function checkEntry(mm: Mm, id: u32, addr: u64, pte: u64, migrating: bool): void {
  const vma = findVmaFrom(mm, addr);
  if (!exists(vma) || vma.start > addr) return broken(VERIFY_ENTRY_OUTSIDE, id, addr);
  const pfn = ptePfn(pte);
  const kind = pteKind(pte);
  if (ptePresent(pte)) {
    if (isPrivatePfn(pfn)) return broken(VERIFY_DEVICE_PRESENT, id, addr, pfn);
    if (pteFlags(pte) & PTE_WRITE && !(vma.flags & VM_WRITE)) return broken(VERIFY_WRITE_BIT, id, addr);
    if (pteFlags(pte) & PTE_SPECIAL) return;
  } else if (!namesPage(pte)) {
    return;
  }
  if (kind == PTE_KIND_DEVICE && !isPrivatePfn(pfn)) return broken(VERIFY_DEVICE_PRESENT, id, addr, pfn);
  const folio = folioOf(pfn);
  if (kind == PTE_KIND_MIGRATION && (!migrating || !folio.has(FOLIO_LOCKED))) {
    return broken(VERIFY_MIGRATION_ENTRY, id, addr, pfn);
  }
  if (!reaches(folio, vma, addr)) broken(VERIFY_RMAP, id, addr, pfn);
}

/**
 * Tells whether the reverse map finds the entry at addr: the page's offset fits, and its anon_vma lists the
 * vma.
 */
function reaches(folio: Folio, vma: Vma, addr: u64): bool {
  if (!folio.has(FOLIO_ANON | FOLIO_FILE | FOLIO_SHMEM)) return (vma.flags & VM_MIXEDMAP) != 0;
  if (folio.has(FOLIO_KSM)) return ksmReaches(folio, vma, addr);
  if (folio.pgoff != pgoffOf(vma, addr)) return false;
  if (!folio.has(FOLIO_ANON)) return folio.mapping == vma.file;
  for (let link: usize = vma.chain; link; link = linkAt(link).chainNext) {
    if (linkAt(link).anonVma == folio.mapping) return true;
  }
  return false;
}
