// Splitting huge mappings and large folios, with the events that drivers see.
//
//   a huge mapping   `clear` over its 2 MiB, then its entries are small ones; the folio stays large
//   a large folio    for each vma that may map it: as above (whether its mapping is huge or not), and `clear` over what the
//                    vma has of it; then its pages are pages of their own, and those that are all zeros the zero page

import { FOLIO_HEAD, FOLIO_LARGE, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_ZERO_PFN } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_PRESENT, PTE_SPECIAL } from "../../uapi/pte";
import { VM_HUGETLB, VM_LOCKED } from "../../uapi/vm";
import { header, LARGE_PAGES } from "../base/layout";
import { makePte, pteFlags, ptePfn, ptePresent } from "../base/pte";
import { Folio, folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { dissolveLarge } from "../frame/page-alloc";
import { mapsPage } from "../space/migration";
import { rmapFirstLarge, rmapNextLarge, rmapVma } from "../space/rmap";
import { protection, Vma } from "../space/vma";
import { addRss, unmapPage } from "../space/zap";
import { headOf, HUGE_MASK, largeMaps, largeShared, splitLeaf } from "../table/huge";
import { hasPmdTable, holeEnd, isHuge, leafEnd, leafTable, readPte, slotOf, walk } from "../table/pagetable";
import { Cmd } from "./cmd";
import { innerEnd, innerStart } from "./notify";

/** What splitFolio() answers, beside REQUEST. */
export const SPLIT_DONE: i32 = 0;
export const SPLIT_REFUSED: i32 = 1;

/** split_huge_pmd of the 2 MiB around addr, which a huge mapping has, inside a window or not. 0 or REQUEST. */
export function splitMapping(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const from = addr & ~HUGE_MASK;
  if (!innerStart(cmd, vma.mmId, from, from + PMD_SIZE)) return REQUEST;
  const table = leafTable(vma.mm.pgd, from);
  if (table && isHuge(table)) splitLeaf(table);
  innerEnd(cmd);
  return 0;
}

/** Splits the huge mappings that [start, end) covers a part of only. 0 or REQUEST. */
export function splitPartial(cmd: Cmd, vma: Vma, start: u64, end: u64): i32 {
  const pgd = vma.mm.pgd;
  if (start & HUGE_MASK) {
    const table = leafTable(pgd, start);
    if (table && isHuge(table) && splitMapping(cmd, vma, start) == REQUEST) return REQUEST;
  }
  if (end & HUGE_MASK) {
    const table = leafTable(pgd, end);
    if (table && isHuge(table) && splitMapping(cmd, vma, end) == REQUEST) return REQUEST;
  }
  return 0;
}

/**
 * vma_adjust_trans_huge: before a vma loses what lies beyond `edge`. A huge mapping across the edge is split; drivers are
 * told of it wherever one could be. 0 or REQUEST.
 */
export function splitAt(cmd: Cmd, vma: Vma, start: u64, edge: u64): i32 {
  const from = edge & ~HUGE_MASK;
  if (from == edge || from < start || from + PMD_SIZE > vma.end || !hasPmdTable(vma.mm.pgd, edge)) return 0;
  return splitMapping(cmd, vma, edge);
}

/** May a mapping not end, or change, at addr, inside a huge page of a hugetlb mapping? (`may_split`) */
@inline
export function cutsHugetlb(vma: Vma, addr: u64): bool {
  return (vma.flags & VM_HUGETLB) != 0 && (addr & HUGE_MASK) != 0;
}

/** Before [start, end) of a vma becomes a mapping of its own, or a neighbour's part. cmd.edges: what is done. 0 or REQUEST. */
export function splitEdges(cmd: Cmd, vma: Vma, start: u64, end: u64): i32 {
  if (cmd.edges == 0) {
    if (vma.start < start && splitAt(cmd, vma, vma.start, start) == REQUEST) return REQUEST;
    cmd.edges = 1;
  }
  if (cmd.edges == 1 && end < vma.end && splitAt(cmd, vma, start, end) == REQUEST) return REQUEST;
  cmd.edges = 2;
  return 0;
}

/** can_split_folio, with its lock free: nobody refers to any of its pages but the entries that map them, and a fault on one. */
function splittable(head: u32, faultPage: u32): bool {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    const folio = folioOf(pfn);
    const asked: u32 = pfn == faultPage ? 1 : 0;
    if (folio.refcount != folio.mapcount + asked || (folio.has(FOLIO_LOCKED) && !asked)) return false;
  }
  return true;
}

/** Does a large folio begin at addr, with all of its pages mapped before `end`? */
function coversFolio(pgd: usize, addr: u64, end: u64, pfn: u32): bool {
  if (!folioOf(pfn).has(FOLIO_HEAD) || addr + PMD_SIZE > end) return false;
  return mappedIn(pgd, addr, addr + PMD_SIZE, pfn) == LARGE_PAGES;
}

/**
 * Splits the large folios that [start, end) has a part of only, as far as that can be and nobody shares them: before advice
 * that is about single pages. `whole`: those that it has wholly, too. 0 or REQUEST.
 */
export function splitLarge(cmd: Cmd, vma: Vma, start: u64, end: u64, whole: bool = false): i32 {
  const pgd = vma.mm.pgd;
  for (let addr = start; addr < end;) {
    const table = leafTable(pgd, addr);
    if (!table) {
      addr = holeEnd(pgd, addr);
      continue;
    }
    const pte = load<u64>(slotOf(table, addr));
    const pfn = ptePfn(pte);
    const large = ptePresent(pte) && !(pteFlags(pte) & PTE_SPECIAL) && folioOf(pfn).has(FOLIO_LARGE);
    if (large && !whole && coversFolio(pgd, addr, end, pfn)) {
      addr += PMD_SIZE;
      continue;
    }
    if (large && !largeShared(headOf(pfn)) && splitFolio(cmd, pfn) == REQUEST) return REQUEST;
    addr = isHuge(table) ? leafEnd(addr, end) : addr + PAGE_SIZE;
  }
  return 0;
}

/** Where a vma has its part of the large folio, whose page offset is `pgoff`. */
@inline
export function partStart(vma: Vma, pgoff: u64): u64 {
  return pgoff > vma.pgoff ? vma.start + ((pgoff - vma.pgoff) << 12) : vma.start;
}


@inline
export function partEnd(vma: Vma, pgoff: u64): u64 {
  return min(vma.end, vma.start + ((pgoff + LARGE_PAGES - vma.pgoff) << 12));
}

/** Which part of a large folio is mapped: the first that has an entry. */
function mappedPart(head: u32): u32 {
  let i: u32 = 0;
  while (i < LARGE_PAGES && !folioOf(head + i).mapcount) i++;
  return i;
}

/** How many entries of [start, end) map parts of the folio. */
function mappedIn(pgd: usize, start: u64, end: u64, head: u32): u32 {
  let n: u32 = 0;
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const pte = readPte(pgd, addr);
    if (ptePfn(pte) - head < LARGE_PAGES && mapsPage(pte, ptePfn(pte))) n++;
  }
  return n;
}

/** split_folio of the large folio that a page belongs to: SPLIT_DONE, SPLIT_REFUSED where somebody refers to it, or REQUEST. */
export function splitFolio(cmd: Cmd, page: u32, faultPage: u32 = 0): i32 {
  const head = headOf(page);
  const i = mappedPart(head);
  const begun = cmd.splitHead == head;
  cmd.splitHead = 0;
  if (i == LARGE_PAGES || !splittable(head, faultPage)) return SPLIT_REFUSED;
  const part = folioOf(head + i);
  const pgoff = part.pgoff - i;
  if (!begun) {
    cmd.splitLeft = largeMaps(head);
    cmd.splitLink = <u32>rmapFirstLarge(part, i);
    cmd.splitSecond = 0;
  }
  if (tellAll(cmd, part, pgoff, i, head) == REQUEST) {
    cmd.splitHead = head;
    return REQUEST;
  }
  for (let link = rmapFirstLarge(part, i); link; link = rmapNextLarge(link, part, i)) {
    const vma = rmapVma(link, part);
    dropZeros(vma, partStart(vma, pgoff), partEnd(vma, pgoff), head);
    // All of it was zeros: the folio went with its last page.
    if (!folioOf(head).has(FOLIO_LARGE)) return SPLIT_DONE;
  }
  dissolveLarge(head);
  return SPLIT_DONE;
}

/** Tells the vmas that may map the folio, until every entry that does has been met. `part` is its i-th page. 0 or REQUEST. */
function tellAll(cmd: Cmd, part: Folio, pgoff: u64, i: u32, head: u32): i32 {
  while (cmd.splitLeft && cmd.splitLink) {
    const vma = rmapVma(cmd.splitLink, part);
    const start = partStart(vma, pgoff);
    const end = partEnd(vma, pgoff);
    if (!cmd.splitSecond) {
      if (hasPmdTable(vma.mm.pgd, start) && splitMapping(cmd, vma, start) == REQUEST) return REQUEST;
      cmd.splitSecond = 1;
    }
    if (!innerStart(cmd, vma.mmId, start, end)) return REQUEST;
    innerEnd(cmd);
    cmd.splitSecond = 0;
    cmd.splitLeft -= mappedIn(vma.mm.pgd, start, end, head);
    cmd.splitLink = <u32>rmapNextLarge(cmd.splitLink, part, i);
  }
  return 0;
}

/** try_to_map_unused_to_zeropage: parts of the folio that are all zeros make way for the zero page, but in locked memory. */
function dropZeros(vma: Vma, start: u64, end: u64, head: u32): void {
  if (vma.flags & VM_LOCKED) return;
  const mm = vma.mm;
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const slot = walk(mm.pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    const pfn = ptePfn(pte);
    if (pfn - head >= LARGE_PAGES || !ptePresent(pte) || isDevicePfn(pfn) || !isZeroed(pfn)) continue;
    store<u64>(slot, makePte(header(HDR_ZERO_PFN), (<u32>PTE_PRESENT) | PTE_SPECIAL | protection(vma)));
    addRss(mm, folioOf(pfn), -1);
    unmapPage(pfn, folioOf(pfn));
  }
}

/** Are all bytes of a frame 0? No, where frames have no bytes. */
function isZeroed(pfn: u32): bool {
  if (!frameOf(0)) return false;
  for (let at = frameOf(pfn); at < frameOf(pfn + 1); at += 16) if (v128.any_true(v128.load(at))) return false;
  return true;
}
