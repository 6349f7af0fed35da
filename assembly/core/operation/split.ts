// Splitting huge mappings and large folios, with the events that drivers see.
//
//   a huge mapping   One `clear` over its 2 MiB; then its entries map 512 pages. The folio stays large.
//   a large folio    For each vma that may map it: a `clear` as above, mapped huge or not, and
//                    a `clear` over the vma's part. Then the 512 pages are folios of their own, and the zero
//                    page takes the place of those whose bytes are all 0.
//
//   mapping   ┌────────── 2 MiB, huge ──────────┐   splitMapping    ┌──┬──┬──┬─ … ─┬──┐  512 entries
//   folio     └────────── head, 511 tails ──────┘                   └──────── … ──────┘  still one folio
//                                                   splitFolio      ┌──┬──┬──┬─ … ─┬──┐
//                                                                   └──┴──┴──┴─ … ─┴──┘  512 folios

import { FOLIO_DIRTY, FOLIO_HEAD, FOLIO_LARGE, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_ZERO_PFN } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_KIND_DEVICE_EXCLUSIVE, PTE_PRESENT, PTE_SPECIAL } from "../../uapi/pte";
import { VM_HUGETLB, VM_LOCKED } from "../../uapi/vm";
import { header, LARGE_PAGES } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { exclusiveStaysMapped, splitTellsOnce } from "../base/rules";
import { Folio, folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { largeAll, largeHeld, largeMaps, largeShared, mappedPart, spreadDirty } from "../frame/large";
import { headOf, pagesAt } from "../frame/order";
import { dissolveLarge } from "../frame/page-alloc";
import { mapsPage } from "../space/migration";
import { partEnd, partStart, rmapFirstLarge, rmapNextLarge, rmapVma } from "../space/rmap";
import { protection, Vma } from "../space/vma";
import { addRss, unmapPage } from "../space/zap";
import { HUGE_MASK, splitLeaf } from "../table/huge";
import { hasPmdTable, isHuge, leafEnd, leafTable, nextPage, readPte, slotOf, walk } from "../table/pagetable";
import { Cmd } from "./cmd";
import { innerEnd, innerStart } from "./notify";

/** An answer of splitFolio(): the folio is split. The others are SPLIT_REFUSED and REQUEST. */
export const SPLIT_DONE: i32 = 0;
/** An answer of splitFolio(): somebody refers to a page of the folio, so that it stays whole. */
const SPLIT_REFUSED: i32 = 1;

/**
 * split_huge_pmd: splits the huge mapping of the 2 MiB around addr. May be called inside a window. 0 or
 * REQUEST.
 */
export function splitMapping(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const from = addr & ~HUGE_MASK;
  if (!innerStart(cmd, vma.mmId, from, from + PMD_SIZE)) return REQUEST;
  const table = leafTable(vma.mm.pgd, from);
  if (table && isHuge(table)) splitLeaf(table);
  innerEnd(cmd);
  return 0;
}

/**
 * Splits the huge mappings that lie across start or end, so that [start, end) covers each mapping wholly or
 * not at all. 0 or REQUEST.
 */
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
 * vma_adjust_trans_huge: before a vma that begins at `start` loses what lies after `edge`, splits a huge
 * mapping across the edge. Like Linux, tells drivers wherever there could be a huge mapping. 0 or REQUEST.
 */
export function splitAt(cmd: Cmd, vma: Vma, start: u64, edge: u64): i32 {
  const from = edge & ~HUGE_MASK;
  if (from == edge || from < start || from + PMD_SIZE > vma.end || !hasPmdTable(vma.mm.pgd, edge)) return 0;
  return splitMapping(cmd, vma, edge);
}

/**
 * Does addr lie inside a huge page of a hugetlb mapping, where the mapping may neither end nor change?
 * (`may_split`)
 */
@inline
export function cutsHugetlb(vma: Vma, addr: u64): bool {
  return (vma.flags & VM_HUGETLB) != 0 && (addr & HUGE_MASK) != 0;
}

/**
 * splitAt() of both edges, before [start, end) of a vma becomes a vma of its own or a part of a neighbor. The
 * caller sets cmd.edges, which says which edges are done, to 0 afterwards. 0 or REQUEST.
 */
export function splitEdges(cmd: Cmd, vma: Vma, start: u64, end: u64): i32 {
  if (cmd.edges == 0) {
    if (vma.start < start && splitAt(cmd, vma, vma.start, start) == REQUEST) return REQUEST;
    cmd.edges = 1;
  }
  if (cmd.edges == 1 && end < vma.end && splitAt(cmd, vma, start, end) == REQUEST) return REQUEST;
  cmd.edges = 2;
  return 0;
}

/**
 * can_split_folio: do only the entries that map its pages refer to the folio, and is it not locked? A fault
 * that is being served on the page `faultPage` (0: none) has a reference and the lock, which do not count.
 */
export function isSplittable(head: u32, faultPage: u32): bool {
  return !largeHeld(head, faultPage) && largeAll(head, FOLIO_LOCKED, 0, faultPage);
}

/**
 * Does the large folio of `pfn` begin at addr, and do present entries of [addr, end) map all of its pages? A
 * device-exclusive entry is not present. (`folio_pte_batch`)
 */
export function coversFolio(pgd: usize, addr: u64, end: u64, pfn: u32): bool {
  if (!folioOf(pfn).has(FOLIO_HEAD)) return false;
  const n = pagesAt(pfn);
  if (addr + ((<u64>n) << 12) > end) return false;
  for (let i: u32 = 0; i < n; i++) {
    const pte = readPte(pgd, addr + ((<u64>i) << 12));
    if (!ptePresent(pte) || ptePfn(pte) != pfn + i) return false;
  }
  return true;
}

/**
 * Before advice on single pages: splits the large folios of which [start, end) maps a part, unless somebody
 * else maps or refers to them; with `whole` also those that it maps wholly. 0 or REQUEST.
 */
export function splitLarge(cmd: Cmd, vma: Vma, start: u64, end: u64, whole: bool = false): i32 {
  const pgd = vma.mm.pgd;
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = nextPage(pgd, table, addr);
    if (!table) continue;
    const pte = load<u64>(slotOf(table, addr));
    const pfn = ptePfn(pte);
    const large = ptePresent(pte) && !(pteFlags(pte) & PTE_SPECIAL) && folioOf(pfn).has(FOLIO_LARGE);
    if (large && !whole && coversFolio(pgd, addr, end, pfn)) {
      next = addr + ((<u64>pagesAt(pfn)) << 12);
      continue;
    }
    if (large && !largeShared(headOf(pfn)) && splitFolio(cmd, pfn) == REQUEST) return REQUEST;
    if (isHuge(table)) next = leafEnd(addr, end);
  }
  return 0;
}

/** Counts the entries of [start, end) that map parts of the folio of `pages` pages at `head`. */
export function mappedIn(pgd: usize, start: u64, end: u64, head: u32, pages: u32): u32 {
  let n: u32 = 0;
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const pte = readPte(pgd, addr);
    if (ptePfn(pte) - head < pages && mapsPage(pte, ptePfn(pte))) n++;
  }
  return n;
}

/**
 * split_folio: splits the large folio that a page belongs to; a fault on `faultPage` (0: none) does not stand
 * in the way. SPLIT_DONE, SPLIT_REFUSED or REQUEST: cmd.splitHead names the folio meanwhile.
 */
export function splitFolio(cmd: Cmd, page: u32, faultPage: u32 = 0): i32 {
  const head = headOf(page);
  const n = pagesAt(head);
  const i = mappedPart(head);
  const begun = cmd.splitHead == head;
  cmd.splitHead = 0;
  if (i == n || !isSplittable(head, faultPage)) return SPLIT_REFUSED;
  const part = folioOf(head + i);
  const pgoff = part.pgoff - i;
  if (!begun) {
    cmd.splitLeft = largeMaps(head);
    cmd.splitLink = <u32>rmapFirstLarge(part, i, n);
    cmd.splitSecond = 0;
  }
  if (tellAll(cmd, part, i, head, n) == REQUEST) {
    cmd.splitHead = head;
    return REQUEST;
  }
  for (let link = rmapFirstLarge(part, i, n); link; link = rmapNextLarge(link, part, i, n)) {
    const vma = rmapVma(link, part);
    noteParts(vma, partStart(vma, pgoff), partEnd(vma, pgoff, n), head, n);
  }
  spreadDirty(head);
  for (let link = rmapFirstLarge(part, i, n); link; link = rmapNextLarge(link, part, i, n)) {
    const vma = rmapVma(link, part);
    dropZeros(vma, partStart(vma, pgoff), partEnd(vma, pgoff, n), head, n);
    // All of its bytes were 0: the folio was freed with its last page.
    if (!folioOf(head).has(FOLIO_LARGE)) return SPLIT_DONE;
  }
  dissolveLarge(head);
  return SPLIT_DONE;
}

/**
 * Tells the vmas that may map the folio, until all entries that map it are found; `part` is the i-th of
 * its n pages. 0 or REQUEST.
 */
function tellAll(cmd: Cmd, part: Folio, i: u32, head: u32, n: u32): i32 {
  const pgoff = part.pgoff - i;
  while (cmd.splitLeft && cmd.splitLink) {
    const vma = rmapVma(cmd.splitLink, part);
    const start = partStart(vma, pgoff);
    const end = partEnd(vma, pgoff, n);
    if (!cmd.splitSecond) {
      if (
        !splitTellsOnce() &&
        n == LARGE_PAGES &&
        hasPmdTable(vma.mm.pgd, start) &&
        splitMapping(cmd, vma, start) == REQUEST
      )
        return REQUEST;
      cmd.splitSecond = 1;
    }
    if (!innerStart(cmd, vma.mmId, start, end)) return REQUEST;
    const table = leafTable(vma.mm.pgd, start);
    if (table && isHuge(table) && ptePfn(load<u64>(table)) == head) splitLeaf(table);
    innerEnd(cmd);
    cmd.splitSecond = 0;
    cmd.splitLeft -= mappedIn(vma.mm.pgd, start, end, head, n);
    cmd.splitLink = <u32>rmapNextLarge(cmd.splitLink, part, i, n);
  }
  return 0;
}

/**
 * The entries of a folio that is split become migration entries for a while, and leave their dirty marks with
 * its parts. That ends devices' exclusive access to parts, where their entries count as mappings: they map
 * the pages again, to read.
 */
function noteParts(vma: Vma, start: u64, end: u64, head: u32, n: u32): void {
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const slot = walk(vma.mm.pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    const pfn = ptePfn(pte);
    if (pfn - head >= n) continue;
    if (ptePresent(pte)) {
      if (pteFlags(pte) & PTE_DIRTY) folioOf(pfn).set(FOLIO_DIRTY);
    } else if (pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE && exclusiveStaysMapped())
      store<u64>(slot, makePte(pfn, (<u32>PTE_PRESENT) | protection(vma)));
  }
}

/**
 * try_to_map_unused_to_zeropage: the zero page takes the place of parts whose bytes are all 0, except in
 * locked memory.
 */
function dropZeros(vma: Vma, start: u64, end: u64, head: u32, n: u32): void {
  if (vma.flags & VM_LOCKED) return;
  const mm = vma.mm;
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const slot = walk(mm.pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    const pfn = ptePfn(pte);
    if (pfn - head >= n || !ptePresent(pte) || isDevicePfn(pfn) || !isZeroed(pfn)) continue;
    store<u64>(slot, makePte(header(HDR_ZERO_PFN), (<u32>PTE_PRESENT) | PTE_SPECIAL | protection(vma)));
    addRss(mm, folioOf(pfn), -1);
    unmapPage(pfn, folioOf(pfn));
  }
}

/** Are all bytes of a frame 0? False where frames have no bytes. */
function isZeroed(pfn: u32): bool {
  if (!frameOf(0)) return false;
  for (let at = frameOf(pfn); at < frameOf(pfn + 1); at += 16) if (v128.any_true(v128.load(at))) return false;
  return true;
}
