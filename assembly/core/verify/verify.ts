// verify(): every invariant of the engine, checked by looking at everything.
//
// Reference and mapping counts are checked in place: each entry takes its share off the counts of its page; what is
// left must be 0 mappings, and references that pins, drivers and open migrations explain; then each entry puts its
// share back.

import { MIGRATE_PFN_VALID } from "../../uapi/pfn";
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
import {
  FOLIO_ANON,
  FOLIO_FILE,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_KSM,
  FOLIO_LOCKED,
  FOLIO_RESERVED,
  FOLIO_SHMEM,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import {
  HDR_CMD_DEPTH,
  HDR_DEVICE_BASE,
  HDR_DEVICE_NEXT,
  HDR_EXTERNAL_REFS,
  HDR_HUGE_ZERO,
  HDR_SYSTEM_FRAMES,
  HDR_VERIFY_CODE,
} from "../../abi/header";
import { RESOURCE_DEVICE_TABLE, RESOURCE_MIGRATION, RESOURCE_MM, RESOURCE_PAGE_TABLE } from "../../abi/pool";
import {
  VERIFY_ANON_VMA,
  VERIFY_ARENA,
  VERIFY_DEVICE_PRESENT,
  VERIFY_ENTRY_OUTSIDE,
  VERIFY_HUGE,
  VERIFY_LOCKED,
  VERIFY_MAPCOUNT,
  VERIFY_MIGRATION_ENTRY,
  VERIFY_MIRROR_PAGE,
  VERIFY_MIRROR_WRITE,
  VERIFY_OK,
  VERIFY_POOL,
  VERIFY_REFCOUNT,
  VERIFY_RMAP,
  VERIFY_RSS,
  VERIFY_TABLE_META,
  VERIFY_VMA_ORDER,
  VERIFY_VMA_TREE,
  VERIFY_WRITE_BIT,
} from "../../abi/verify";
import { VM_MIXEDMAP, VM_WRITE } from "../../uapi/vm";
import { arenaCheck } from "../base/arena";
import { header, LARGE_PAGES, pool, RESERVED_FRAMES, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolUsed } from "../base/pool";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { isPrivatePfn } from "../frame/coherent";
import { Folio, folioOf } from "../frame/folio";
import { commandsHold } from "../operation/cmd";
import { DeviceTable, deviceTableOf } from "../space/device-table";
import { fileAt, fileOf } from "../space/file";
import { migrationOf, pagesOf } from "../space/migration";
import { Mm, mmOf } from "../space/mm";
import { chainCheck, linkAt } from "../space/rmap";
import { findVmaFrom, pgoffOf, Vma, vmaAt } from "../space/vma";
import { isHugeZero } from "../table/huge";
import {
  DEVICE_OWNER,
  FILE_OWNER,
  holeEnd,
  isHuge,
  leafTable,
  readPte,
  tableMeta,
  TableMeta,
} from "../table/pagetable";
import { ksmCheck, ksmReaches } from "./ksm";
import { broken, checkGroups, checkPools, checkSlots, checkZones } from "./zones";

export function verify(): i32 {
  setHeader(HDR_VERIFY_CODE, VERIFY_OK);
  const migrations = poolUsed(RESOURCE_MIGRATION);
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MM); id++) {
    const mm = mmOf(id);
    if (!exists(mm)) continue;
    checkVmas(mm, id);
    checkRss(mm, id);
  }
  const busy = migrations != 0 || header(HDR_CMD_DEPTH) != 0 || header(HDR_EXTERNAL_REFS) != 0;
  shareEntries(-1, migrations != 0);
  checkFolios(busy);
  shareEntries(1, false);
  checkZones();
  checkGroups();
  checkPools();
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_DEVICE_TABLE); id++) {
    const table = deviceTableOf(id);
    if (changetype<usize>(table) && table.mm) checkMirror(table, migrations != 0);
  }
  const lost = ksmCheck();
  if (lost) broken(VERIFY_RMAP, 0, 0, lost);
  const hole = arenaCheck();
  if (hole) broken(VERIFY_ARENA, 0, hole);
  return header(HDR_VERIFY_CODE);
}

function checkVmas(mm: Mm, id: u32): void {
  let before: u64 = 0;
  let n: u32 = 0;
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
    n++;
    if (vma.start < before || vma.start >= vma.end || vma.mmId != id) broken(VERIFY_VMA_ORDER, id, vma.start);
    mm.vmaCache = 0;
    if (findVmaFrom(mm, vma.start).ptr != vma.ptr) broken(VERIFY_VMA_TREE, id, vma.start);
    if (!chainCheck(vma) || !inFileList(vma)) broken(VERIFY_ANON_VMA, id, vma.start);
    before = vma.end;
  }
  if (n != mm.vmaCount) broken(VERIFY_VMA_TREE, id, n, mm.vmaCount);
}

/** Does a file's vma stand in the file's list, in order? */
function inFileList(vma: Vma): bool {
  if (!vma.file) return true;
  const prev = vmaAt(vma.filePrev);
  if (!exists(prev)) return fileAt(vma.file).first == <u32>vma.ptr;
  return prev.fileNext == <u32>vma.ptr && prev.pgoff <= vma.pgoff && prev.file == vma.file;
}

/** Does a non-present entry of this kind count as a page of the mm? */
@inline
function isPage(kind: u32): bool {
  return kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE || kind == PTE_KIND_MIGRATION;
}

function checkRss(mm: Mm, id: u32): void {
  let anon: u32 = 0;
  let shmem: u32 = 0;
  let file: u32 = 0;
  let swap: u32 = 0;
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
    for (
      let addr = nextEntry(mm.pgd, vma.start, vma.end);
      addr < vma.end;
      addr = nextEntry(mm.pgd, addr + 4096, vma.end)
    ) {
      const pte = readPte(mm.pgd, addr);
      if (!ptePresent(pte) && pteKind(pte) == PTE_KIND_SWAP) swap++;
      if (ptePresent(pte) ? (pteFlags(pte) & PTE_SPECIAL) != 0 : !isPage(pteKind(pte))) continue;
      const folio = folioOf(ptePfn(pte));
      if (folio.has(FOLIO_RESERVED)) continue;
      if (folio.has(FOLIO_ANON)) anon++;
      else if (folio.has(FOLIO_SHMEM)) shmem++;
      else file++;
    }
  }
  if (anon != mm.rssAnon) broken(VERIFY_RSS, id, 0, anon, mm.rssAnon);
  if (file != mm.rssFile) broken(VERIFY_RSS, id, 1, file, mm.rssFile);
  if (shmem != mm.rssShmem) broken(VERIFY_RSS, id, 2, shmem, mm.rssShmem);
  if (swap != mm.rssSwap) broken(VERIFY_RSS, id, 3, swap, mm.rssSwap);
}

/** The first address from addr on that has an entry, or `end`. */
function nextEntry(root: usize, from: u64, end: u64): u64 {
  let addr = from;
  while (addr < end) {
    const table = leafTable(root, addr);
    if (!table) {
      addr = holeEnd(root, addr);
      continue;
    }
    if (load<u64>(table + (((<usize>(addr >> 12)) & 511) << 3))) return addr;
    addr += 4096;
  }
  return end;
}

/** Takes off (-1) or puts back (1) what every entry of every leaf table has of its page's counts. -1 also checks. */
function shareEntries(by: i32, migrating: bool): void {
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
    for (let j: u32 = 0; j < 512; j++) {
      const pte = load<u64>(table + j * 8);
      if (!pte) continue;
      const addr = ((<u64>meta.base) << 21) + ((<u64>j) << 12);
      if (by < 0) checkEntry(mm, meta.owner, addr, pte, migrating);
      if (!ptePresent(pte) && pteKind(pte) == PTE_KIND_SWAP) {
        folioOf(ptePfn(pte)).refs += by;
        continue;
      }
      if (
        ptePresent(pte)
          ? pteFlags(pte) & PTE_SPECIAL
          : !isPage(pteKind(pte)) || pteKind(pte) == PTE_KIND_MIGRATION
      )
        continue;
      const folio = folioOf(ptePfn(pte));
      if (pteKind(pte) != PTE_KIND_DEVICE_EXCLUSIVE) folio.maps += by;
      folio.refs += by;
    }
  }
}

/** A huge mapping: 512 neighbours of one block, alike, in one vma. No entry of another table claims to be part of one. */
function checkHuge(mm: Mm, meta: TableMeta, table: usize): void {
  const first = load<u64>(table);
  const from = (<u64>meta.base) << 21;
  const same = <u32>~(PTE_YOUNG | PTE_DIRTY);
  let whole = true;
  for (let j: u32 = 0; j < 512; j++) {
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

/** As shareEntries(), for a leaf of a file's page cache: it holds a reference on each of its pages. */
function shareCache(table: usize, meta: TableMeta, by: i32): void {
  const file = fileOf(meta.owner & ~FILE_OWNER);
  if (!exists(file) || leafTable(file.root, (<u64>meta.base) << 21) != table) {
    if (by < 0) broken(VERIFY_TABLE_META, 0, table);
    return;
  }
  for (let j: u32 = 0; j < 512; j++) {
    const entry = load<u64>(table + j * 8);
    if (!entry) continue;
    const folio = folioOf(ptePfn(entry));
    const index = ((<u64>meta.base) << 9) + j;
    const own = folio.has(FOLIO_FILE | FOLIO_SHMEM) && folio.mapping == file.id && folio.pgoff == index;
    if (by < 0 && (!own || index >= file.length)) broken(VERIFY_RMAP, 0, index, ptePfn(entry));
    folio.refs += by;
  }
}

function checkEntry(mm: Mm, id: u32, addr: u64, pte: u64, migrating: bool): void {
  const vma = findVmaFrom(mm, addr);
  if (!exists(vma) || vma.start > addr) return broken(VERIFY_ENTRY_OUTSIDE, id, addr);
  const pfn = ptePfn(pte);
  const kind = pteKind(pte);
  if (ptePresent(pte)) {
    if (isPrivatePfn(pfn)) return broken(VERIFY_DEVICE_PRESENT, id, addr, pfn);
    if (pteFlags(pte) & PTE_WRITE && !(vma.flags & VM_WRITE)) return broken(VERIFY_WRITE_BIT, id, addr);
    if (pteFlags(pte) & PTE_SPECIAL) return;
  } else if (!isPage(kind)) {
    return;
  }
  if (kind == PTE_KIND_DEVICE && !isPrivatePfn(pfn)) return broken(VERIFY_DEVICE_PRESENT, id, addr, pfn);
  const folio = folioOf(pfn);
  if (kind == PTE_KIND_MIGRATION && (!migrating || !folio.has(FOLIO_LOCKED))) {
    return broken(VERIFY_MIGRATION_ENTRY, id, addr, pfn);
  }
  if (!reaches(folio, vma, addr)) broken(VERIFY_RMAP, id, addr, pfn);
}

/** Would the reverse map find this entry: the page's offset fits, and its anon_vma lists the vma? */
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

/** The counts that are left when every entry has taken its share. */
function checkFolios(busy: bool): void {
  let left: u64 = 0;
  let cached: u64 = 0;
  const systemEnd = RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES);
  for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn++) {
    if (pfn == systemEnd) pfn = header(HDR_DEVICE_BASE);
    if (pfn >= header(HDR_DEVICE_NEXT)) break;
    const folio = folioOf(pfn);
    if (folio.mapcount) broken(VERIFY_MAPCOUNT, 0, pfn, 0, folio.maps);
    if (folio.has(FOLIO_FREE) ? folio.refcount != 0 : folio.refcount > 0xfff000)
      broken(VERIFY_REFCOUNT, 0, pfn, 0, folio.refs);
    if (folio.has(FOLIO_LOCKED) && !busy) broken(VERIFY_LOCKED, 0, pfn);
    left += folio.refcount;
    if (folio.has(FOLIO_SWAP_CACHE)) cached++;
  }
  checkSlots();
  left += folioOf(1).refcount - 1;
  let explained: u64 =
    header(HDR_EXTERNAL_REFS) + commandsHold() + cached + (header(HDR_HUGE_ZERO) ? LARGE_PAGES : 0);
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    if (!exists(m)) continue;
    for (let i: u32 = 0; i < m.npages; i++)
      if (m.source(i) & (<u32>MIGRATE_PFN_VALID)) explained += pagesOf(m.source(i));
  }
  if (left != explained) broken(VERIFY_REFCOUNT, 0, 0, explained, left);
}

/** A device's table against the CPU's: the same page, and no more permission. */
function checkMirror(table: DeviceTable, migrating: bool): void {
  const mm = mmOf(table.mm);
  if (!exists(mm)) return broken(VERIFY_TABLE_META, table.mm, table.root);
  let found: u32 = 0;
  const end: u64 = (<u64>1) << 48;
  for (
    let addr = firstEntry(table.root, 0, end);
    addr < end;
    addr = firstEntry(table.root, addr + 4096, end)
  ) {
    found++;
    const device = readPte(table.root, addr);
    const cpu = readPte(mm.pgd, addr);
    const pfn = ptePfn(device);
    const kind = pteKind(cpu);
    if (!ptePresent(cpu) && kind == PTE_KIND_MIGRATION && migrating) continue;
    const same =
      ptePfn(cpu) == pfn && (ptePresent(cpu) || kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE);
    if (!same) broken(VERIFY_MIRROR_PAGE, table.mm, addr, pfn, ptePfn(cpu));
    else if (pteFlags(device) & PTE_WRITE && !(pteFlags(cpu) & PTE_WRITE))
      broken(VERIFY_MIRROR_WRITE, table.mm, addr, pfn);
  }
  if (found != table.entries) broken(VERIFY_POOL, table.mm, RESOURCE_DEVICE_TABLE, found, table.entries);
}

/** As nextEntry(), over a space that is mostly holes. */
function firstEntry(root: usize, from: u64, end: u64): u64 {
  let addr = from;
  while (addr < end) {
    if (leafTable(root, addr)) {
      const until = min(((addr >> 21) + 1) << 21, end);
      const at = nextEntry(root, addr, until);
      if (at < until) return at;
      addr = until;
    } else {
      addr = holeEnd(root, addr);
    }
  }
  return end;
}
