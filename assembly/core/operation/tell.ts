// Tell every vma that may map a page, then change the entry that does. Linux does this in rmap_walk(), with
// an mmu_notifier range around each vma's part. A vma is told whether it maps the page or not: as in the
// kernel, the reverse map says only which vmas may.
//
//   for (let slot = firstMapping(cmd, pfn, folio, event, owner); slot; slot = nextMapping(…the same)) {
//     if (slot == REQUEST) return REQUEST;      // a step that runs again continues here with the same vma
//     …change the entry at `slot`…              // its vma: rmapVma(cmd.link, folio)
//   }
//
// The window of a vma is open while the loop's body runs. cmd.link is the vma's cursor in the reverse map,
// and 0 before and after a walk: an operation has one walk at a time. The forms:
//
//   firstMapping, nextMapping     one page: the entries that map it, until none does
//   firstPart, nextPart           a large folio: the vmas that may map a part of it, until none does
//   firstFileVma, nextFileVma     pages [first, end) of a file: all vmas that map some of them
//
// splitFolio() has a walk of its own: a window of the huge mapping comes before each vma's, both inside
// another window.

import { REQUEST } from "../../abi/request";
import { PAGE_SIZE } from "../../uapi/page";
import { VM_SHARED } from "../../uapi/vm";
import { exists } from "../base/object";
import { Folio, folioOf } from "../frame/folio";
import { largeMaps, mappedPart } from "../frame/large";
import { pagesAt } from "../frame/order";
import { File, fileAddress, fileCovering } from "../space/file";
import { mapsPage } from "../space/migration";
import {
  partEnd,
  partStart,
  rmapAddress,
  rmapFirst,
  rmapFirstLarge,
  rmapNext,
  rmapNextLarge,
  rmapVma,
} from "../space/rmap";
import { Vma, vmaAt } from "../space/vma";
import { walk } from "../table/pagetable";
import { Cmd } from "./cmd";
import { notifyEnd, notifyStart } from "./notify";

/**
 * Tells the vmas from cursor `link` on, one page each, up to the first that maps the page. Its entry, 0, or
 * REQUEST.
 */
function mappingFrom(cmd: Cmd, link: usize, pfn: u32, folio: Folio, event: u32, owner: u32): usize {
  while (link) {
    cmd.link = <u32>link;
    const vma = rmapVma(link, folio);
    const addr = rmapAddress(vma, folio, link);
    if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, event, owner)) return REQUEST;
    const slot = walk(vma.mm.pgd, addr);
    if (slot && mapsPage(load<u64>(slot), pfn)) return slot;
    notifyEnd(cmd);
    link = folio.mapcount ? rmapNext(link, folio) : 0;
  }
  cmd.link = 0;
  return 0;
}

/** Begins (or resumes) the walk over the entries that map a page. The first one's address, 0, or REQUEST. */
export function firstMapping(cmd: Cmd, pfn: u32, folio: Folio, event: u32, owner: u32): usize {
  return mappingFrom(cmd, cmd.link ? <usize>cmd.link : rmapFirst(folio), pfn, folio, event, owner);
}

/**
 * The entry that firstMapping() or nextMapping() returned is changed: the next one's address, 0, or REQUEST.
 */
export function nextMapping(cmd: Cmd, pfn: u32, folio: Folio, event: u32, owner: u32): usize {
  notifyEnd(cmd);
  return mappingFrom(cmd, folio.mapcount ? rmapNext(cmd.link, folio) : 0, pfn, folio, event, owner);
}

/** Ends a walk at the entry, or the vma's part, that was returned last. */
export function endMapping(cmd: Cmd): void {
  notifyEnd(cmd);
  cmd.link = 0;
}

/**
 * Tells the vma at cursor `link` of its part of the large folio. The vma's address, 0 without a link, or
 * REQUEST.
 */
function partAt(cmd: Cmd, link: usize, pfn: u32, event: u32, owner: u32): usize {
  cmd.link = <u32>link;
  if (!link) return 0;
  const head = folioOf(pfn);
  const vma = rmapVma(link, head);
  const start = partStart(vma, head.pgoff);
  return notifyStart(cmd, vma.mmId, start, partEnd(vma, head.pgoff, pagesAt(pfn)), event, owner)
    ? vma.ptr
    : <usize>REQUEST;
}

/**
 * Begins (or resumes) the walk over the vmas that may map a part of the large folio that begins at `pfn`. The
 * vma's address, 0, or REQUEST. The part is [partStart(), partEnd()).
 */
export function firstPart(cmd: Cmd, pfn: u32, event: u32, owner: u32): usize {
  if (cmd.link) return partAt(cmd, cmd.link, pfn, event, owner);
  // A part that is not mapped may name an anon_vma that is gone.
  const i = mappedPart(pfn);
  const n = pagesAt(pfn);
  const link: usize = i < n ? rmapFirstLarge(folioOf(pfn + i), i, n) : 0;
  return partAt(cmd, link, pfn, event, owner);
}

/** The entries of the vma's part are changed: the next vma, 0, or REQUEST. */
export function nextPart(cmd: Cmd, pfn: u32, event: u32, owner: u32): usize {
  notifyEnd(cmd);
  return partAt(
    cmd,
    largeMaps(pfn) ? rmapNextLarge(cmd.link, folioOf(pfn), 0, pagesAt(pfn)) : 0,
    pfn,
    event,
    owner,
  );
}

/**
 * Tells the vma, or the next that counts, of its part of the file's pages. The vma's address, 0, or REQUEST.
 */
function fileVmaFrom(cmd: Cmd, vma: Vma, first: u64, end: u64, event: u32, copies: bool): usize {
  while (exists(vma) && !copies && !(vma.flags & VM_SHARED)) vma = nextCovering(vma, first, end);
  cmd.link = <u32>vma.ptr;
  if (!exists(vma)) return 0;
  const from = fileAddress(vma, max(first, vma.pgoff));
  const to = fileAddress(vma, min(end, vma.pgoff + vma.pages));
  return notifyStart(cmd, vma.mmId, from, to, event, 0) ? vma.ptr : <usize>REQUEST;
}

/** The next vma of the file's list that maps some of the pages; null at the end. */
@inline
function nextCovering(vma: Vma, first: u64, end: u64): Vma {
  return fileCovering(vmaAt(vma.fileNext), first, end);
}

/**
 * Begins (or resumes) the walk over the vmas that map some of pages [first, end) of a file; private mappings
 * are among them if `copies`. The vma's address, 0, or REQUEST.
 */
export function firstFileVma(cmd: Cmd, file: File, first: u64, end: u64, event: u32, copies: bool): usize {
  const vma = cmd.link ? vmaAt(cmd.link) : fileCovering(vmaAt(file.first), first, end);
  return fileVmaFrom(cmd, vma, first, end, event, copies);
}

/** The entries of the vma's part are changed: the next vma, 0, or REQUEST. */
export function nextFileVma(cmd: Cmd, first: u64, end: u64, event: u32, copies: bool): usize {
  notifyEnd(cmd);
  return fileVmaFrom(cmd, nextCovering(vmaAt(cmd.link), first, end), first, end, event, copies);
}
