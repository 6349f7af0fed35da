// What all kinds of faults share: who may access what, new pages, and a fault's answers.

import { COUNT_FAULT } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_KSM,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_FAULT_CODE, HDR_FAULT_KIND, HDR_OPEN_MIGRATION } from "../../abi/header";
import { LOG_FAULT } from "../../abi/log";
import { FILE_DISK } from "../../abi/object";
import { EAGAIN } from "../../uapi/errno";
import { PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import {
  ACCESS_FORCE,
  ACCESS_GUP,
  ACCESS_PIN,
  ACCESS_WRITE,
  FAULT_ACCERR,
  FAULT_MAPERR,
  FAULT_MIGRATION,
  FAULT_NONE,
  FAULT_OOM,
  FAULT_SIGBUS,
  VM_ACCESS,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_HUGETLB,
  VM_IO,
  VM_MAYREAD,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../../uapi/vm";
import { LARGE_PAGES, setHeader } from "../base/layout";
import { reusesOwnParts } from "../base/rules";
import { exists } from "../base/object";
import { count, log } from "../base/stat";
import { Folio, folioOf } from "../frame/folio";
import { largeMaps, largeRefs, mappedPart } from "../frame/large";
import { headOf, pagesAt } from "../frame/order";
import { memcgCharge, memcgUncharge } from "../frame/memcg";
import { allocFrame } from "../frame/page-alloc";
import { fileAt } from "../space/file";
import { migrationHolding } from "../operation/refs";
import { Mm } from "../space/mm";
import { mappedIn } from "../operation/split";
import { partEnd, partStart, rmapFirstLarge, rmapNextLarge, rmapVma } from "../space/rmap";
import { freeSwap } from "../space/swap";
import { isCow, pgoffOf, protection, Vma } from "../space/vma";

/**
 * vma_needs_dirty_tracking: does a file have to hear of writes through the mapping? A device that writes a
 * page pinned for long would not tell it (writable_file_mapping_allowed).
 */
function tracksWrites(vma: Vma): bool {
  const writes = (vma.flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE);
  return writes && vma.file != 0 && fileAt(vma.file).kind == FILE_DISK;
}

/**
 * Checks an access against a mapping (null: no mapping is there); `flags` are ACCESS_*. Returns FAULT_NONE,
 * or the FAULT_* that says why the access is refused.
 */
export function checkAccess(vma: Vma, flags: u32): u32 {
  if (!exists(vma)) return FAULT_MAPERR;
  const has = vma.flags;
  // get_user_pages needs pages, and these mappings may have none.
  if (flags & (ACCESS_GUP | ACCESS_FORCE) && has & (VM_IO | VM_PFNMAP)) return FAULT_ACCERR;
  if (flags & ACCESS_WRITE) {
    if (flags & ACCESS_PIN && tracksWrites(vma)) return FAULT_ACCERR;
    if (has & VM_WRITE) return FAULT_NONE;
    return flags & ACCESS_FORCE && isCow(vma) && !(has & VM_HUGETLB) ? FAULT_NONE : FAULT_ACCERR;
  }
  if (flags & ACCESS_FORCE) return has & VM_MAYREAD ? FAULT_NONE : FAULT_ACCERR;
  if (flags & ACCESS_GUP) return has & VM_READ ? FAULT_NONE : FAULT_ACCERR;
  return has & VM_ACCESS ? FAULT_NONE : FAULT_ACCERR;
}

/**
 * Allocates a page charged to the mm's group, with one reference. 0 when memory or the group's limit is
 * exhausted.
 */
export function allocUserPage(mm: Mm): u32 {
  if (!memcgCharge(mm.memcg)) return 0;
  const pfn = allocFrame(0);
  if (pfn) folioOf(pfn).memcg = mm.memcg;
  else memcgUncharge(mm.memcg);
  return pfn;
}

/**
 * Makes a fresh page the anonymous page of addr, exclusive to the vma's mm, and counts it; `lru` is FOLIO_LRU
 * for a page that goes on the LRU, else 0. The caller writes the entry.
 */
@inline
export function addNewAnon(vma: Vma, addr: u64, folio: Folio, lru: u32): void {
  folio.maps = 1;
  folio.pgoff = pgoffOf(vma, addr);
  folio.mapping = <u16>vma.anonVma;
  folio.flags = <u16>(folio.flags | FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | lru);
  vma.mm.rssAnon++;
}

/**
 * Is the folio as addNewAnon() leaves a fresh page of the vma with page offset `pgoff`, with the flags
 * `more`?
 */
export function isNewAnon(vma: Vma, pgoff: u64, folio: Folio, more: u32): bool {
  if (folio.refs != 1 || folio.mapcount != 1 || folio.pgoff != pgoff) return false;
  return folio.mapping == <u16>vma.anonVma && folio.flags == (FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | more);
}

/** The page of a write-protected entry belongs to the vma of `anonVma` alone, and is marked so. */
@inline
export function makeExclusive(folio: Folio, anonVma: u32): void {
  if (folio.has(FOLIO_ANON_EXCLUSIVE)) return;
  folio.set(FOLIO_ANON_EXCLUSIVE);
  folio.mapping = <u16>anonVma;
}

/**
 * May a write to a write-protected anonymous page be made in place, since nobody but its mapping refers to
 * the page?
 */
export function mayReuse(vma: Vma, pfn: u32, folio: Folio): bool {
  return folio.has(FOLIO_ANON_EXCLUSIVE) || onlyOurs(vma, pfn, folio);
}

/**
 * Does nobody but this mapping refer to a page that is not marked exclusive? Drops it from the swap cache to
 * see.
 */
function onlyOurs(vma: Vma, pfn: u32, folio: Folio): bool {
  if (folio.has(FOLIO_KSM | FOLIO_LOCKED)) return false;
  if (folio.has(FOLIO_LARGE)) {
    const head = headOf(pfn);
    if (reusesOwnParts() ? !ownsLarge(vma, head) : largeRefs(head) != 1) return false;
    if (reusesOwnParts()) return true;
  }
  if (folio.has(FOLIO_SWAP_CACHE) && folio.refcount == 2) freeSwap(pfn, folio);
  return folio.refcount == 1;
}

/** Do entries of the vma's mm alone refer to a large folio (__wp_can_reuse_large_anon_folio)? */
function ownsLarge(vma: Vma, head: u32): bool {
  const maps = largeMaps(head);
  if (largeRefs(head) != maps) return false;
  const n = pagesAt(head);
  const i = mappedPart(head);
  const part = folioOf(head + i);
  const pgoff = part.pgoff - i;
  let own: u32 = 0;
  for (let link = rmapFirstLarge(part, i, n); link; link = rmapNextLarge(link, part, i, n)) {
    const at = rmapVma(link, part);
    if (at.mmId == vma.mmId) own += mappedIn(at.mm.pgd, partStart(at, pgoff), partEnd(at, pgoff, n), head, n);
  }
  return own == maps;
}

/** addNewAnon() of all parts of a large folio, for the 2 MiB at `from`. */
export function addNewAnonLarge(vma: Vma, from: u64, head: u32, lru: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) addNewAnon(vma, from + ((<u64>i) << 12), folioOf(head + i), lru);
}

/** The flags of a present entry that a read fault makes. */
@inline
export function readFlags(vma: Vma): u32 {
  return (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma);
}

/** The flags of a present entry that a write fault makes. */
@inline
export function writtenFlags(vma: Vma): u32 {
  const flags = readFlags(vma);
  return vma.flags & VM_WRITE ? flags | PTE_DIRTY | PTE_WRITE : flags;
}

// ── Answers
// ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Counts and logs a fault that was served; `kind` is FAULT_KIND_*, `pfn` the page that the entry names now.
 * Returns 0.
 */
@inline
export function done(vma: Vma, addr: u64, kind: u32, pfn: u32): i32 {
  vma.mm.faults++;
  setHeader(HDR_FAULT_KIND, kind);
  count(COUNT_FAULT + kind);
  log(LOG_FAULT, vma.mmId, addr, kind, pfn);
  return 0;
}

/** The answer of a fault for which memory ran out. */
export function outOfMemory(): i32 {
  setHeader(HDR_FAULT_CODE, FAULT_OOM);
  return VM_FAULT_OOM;
}

/** The answer of a fault where nothing can be mapped. */
export function busError(): i32 {
  setHeader(HDR_FAULT_CODE, FAULT_SIGBUS);
  return VM_FAULT_SIGBUS;
}

/** The answer of a fault on a page that an open migration has, or that somebody else has locked. */
export function mustWait(pfn: u32): i32 {
  setHeader(HDR_FAULT_CODE, FAULT_MIGRATION);
  setHeader(HDR_OPEN_MIGRATION, migrationHolding(pfn));
  return -EAGAIN;
}
