// The reverse map: from a page to the vmas that may map it. Their page tables tell which of them do.
//
//   anonymous page ──mapping──▶ anon_vma ──▶ links ──▶ vmas      (anon-vma.ts)
//   page of a file ──mapping──▶ file ──▶ vmas                    (file.ts)
//   KSM page       ──index────▶ node ──▶ items ──▶ anon_vmas ──▶ links ──▶ vmas      (ksm-item.ts)

import { FOLIO_ANON, FOLIO_KSM } from "../../abi/frame";
import { Folio } from "../frame/folio";
import { anonVmaAt, linkAt } from "./anon-vma";
import { fileAt, fileCovering } from "./file";
import { ksmItemAt, ksmNodeAt } from "./ksm-item";
import { Vma, vmaAt } from "./vma";

/** Returns the first link, from `link` on, whose vma covers a page offset; 0 at the end. */
function covering(link: usize, pgoff: u64): usize {
  while (link) {
    const vma = vmaAt(linkAt(link).vma);
    if (vma.pgoff > pgoff) return 0;
    if (pgoff - vma.pgoff < vma.pages) return link;
    link = linkAt(link).next;
  }
  return 0;
}

/**
 * The walk over the vmas that may map a page (rmap_walk): returns a cursor to the first one, 0 if there is
 * none. For an anonymous page the cursor is a link, for a page of a file the vma, for a KSM page a number.
 *
 *   for (let cursor = rmapFirst(folio); cursor; cursor = rmapNext(cursor, folio)) …
 */
export function rmapFirst(folio: Folio): usize {
  if (folio.has(FOLIO_KSM)) return ksmSeek(folio, 1) ? 1 : 0;
  if (!folio.mapping) return 0;
  if (folio.has(FOLIO_ANON)) return covering(anonVmaAt(folio.mapping).first, folio.pgoff);
  return fileCovering(vmaAt(fileAt(folio.mapping).first), folio.pgoff, folio.pgoff + 1).ptr;
}

/** Returns the cursor to the next vma, 0 at the end. */
export function rmapNext(cursor: usize, folio: Folio): usize {
  if (folio.has(FOLIO_KSM)) return ksmSeek(folio, cursor + 1) ? cursor + 1 : 0;
  if (folio.has(FOLIO_ANON)) return covering(linkAt(cursor).next, folio.pgoff);
  return fileCovering(vmaAt(vmaAt(cursor).fileNext), folio.pgoff, folio.pgoff + 1).ptr;
}

/** Returns the vma at a cursor. */
@inline
export function rmapVma(cursor: usize, folio: Folio): Vma {
  if (folio.has(FOLIO_KSM)) return vmaAt(<u32>ksmSeek(folio, cursor));
  return folio.has(FOLIO_ANON) ? vmaAt(linkAt(cursor).vma) : vmaAt(cursor);
}

/** Returns the address at which the vma at a cursor may map the page. */
@inline
export function rmapAddress(vma: Vma, folio: Folio, cursor: usize): u64 {
  if (folio.has(FOLIO_KSM)) return ksmItemAt(<usize>(ksmSeek(folio, cursor) >> 32)).address;
  return vma.start + ((folio.pgoff - vma.pgoff) << 12);
}

/**
 * As rmapFirst(), for the vmas that may map any part of a large folio. `page`: the record of a part that is
 * mapped, the i-th of the folio's n.
 */
export function rmapFirstLarge(page: Folio, i: u32, n: u32): usize {
  return overlapping(anonVmaAt(page.mapping).first, page.pgoff - i, n);
}

/** As rmapNext(), for the vmas that may map any part of a large folio. */
export function rmapNextLarge(cursor: usize, page: Folio, i: u32, n: u32): usize {
  return overlapping(linkAt(cursor).next, page.pgoff - i, n);
}

/** Returns the first link, from `from` on, whose vma covers a part of n page offsets; 0 at the end. */
function overlapping(from: usize, pgoff: u64, n: u32): usize {
  for (let link = from; link; link = linkAt(link).next) {
    const vma = vmaAt(linkAt(link).vma);
    if (vma.pgoff >= pgoff + n) return 0;
    if (vma.pgoff + vma.pages > pgoff) return link;
  }
  return 0;
}

/** Returns where the part of a large folio begins that a vma may map; `pgoff`: the folio's page offset. */
@inline
export function partStart(vma: Vma, pgoff: u64): u64 {
  return pgoff > vma.pgoff ? vma.start + ((pgoff - vma.pgoff) << 12) : vma.start;
}

/** Returns where that part ends, exclusive; the folio has n pages. */
@inline
export function partEnd(vma: Vma, pgoff: u64, n: u32): u64 {
  return min(vma.end, vma.start + ((pgoff + n - vma.pgoff) << 12));
}

/**
 * Returns the n-th vma (from 1) that may map a KSM page, with its item: item << 32 | vma; 0 at the end
 * (rmap_walk_ksm). First come the items' own mappings, newest item first; then, item by item, the mappings
 * that fork made of them.
 */
function ksmSeek(folio: Folio, n: usize): u64 {
  let left = n;
  for (let forks = 0; forks < 2; forks++) {
    for (let at: usize = ksmNodeAt(folio.index).first; at; at = ksmItemAt(at).next) {
      const item = ksmItemAt(at);
      for (let link: usize = anonVmaAt(item.anonVma).first; link; link = linkAt(link).next) {
        const vma = vmaAt(linkAt(link).vma);
        if (item.address < vma.start || item.address >= vma.end) continue;
        if ((vma.mmId == item.mm ? 0 : 1) == forks && !--left) return ((<u64>at) << 32) | vma.ptr;
      }
    }
  }
  return 0;
}
