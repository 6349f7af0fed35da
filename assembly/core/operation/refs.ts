// Whose references a page has. Mappings, the page and swap caches, open migrations and operations in progress
// hold references that the engine can name; the rest belongs to callers (pins, drivers). A caller that drops
// a reference which is not its own would free a page under its users, so all that callers drop goes through
// dropCallerRefs().

import { FOLIO_ANON, FOLIO_FILE, FOLIO_SHMEM, FOLIO_SWAP_CACHE } from "../../abi/frame";
import { HDR_HUGE_ZERO, HDR_ZERO_PFN } from "../../abi/header";
import { MIGRATION_SETUP } from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { PTE_KIND_DEVICE_EXCLUSIVE } from "../../uapi/pte";
import { header, LARGE_PAGES } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolUsed } from "../base/pool";
import { pteKind, ptePfn } from "../base/pte";
import { exclusiveStaysMapped } from "../base/rules";
import { Folio, folioOf } from "../frame/folio";
import { addExternalRefs, putPage } from "../frame/page-alloc";
import { cacheLookup, fileAt } from "../space/file";
import { hasPage, Migration, migrationOf, pagesOf, pfnOf } from "../space/migration";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "../space/rmap";
import { readPte } from "../table/pagetable";
import { commandsHoldPage, commandsServeFault } from "./cmd";

/**
 * Callers get no more references to a page than this: the counter has 24 bits, and the engine needs some,
 * too.
 */
const REFS_MAX: u32 = 0xff0000;

/** Tells whether one of the n words from `words` on names the page. */
function isNamed(words: usize, n: u32, pfn: u32): bool {
  for (const last = words + n * 4; words < last; words += 4) {
    const word = load<u32>(words);
    if (hasPage(word) && pfn - pfnOf(word) < pagesOf(word)) return true;
  }
  return false;
}

/** Does the migration hold the page: has setup collected it, or has pages() taken it as a destination? */
function holds(m: Migration, pfn: u32): bool {
  if (isNamed(m.src, m.npages, pfn)) return true;
  return m.state > <u32>MIGRATION_SETUP && isNamed(m.dst, m.npages, pfn);
}

/** Returns the id of the open migration that has a page; 0 if none has it (a driver holds its lock then). */
export function migrationHolding(pfn: u32): u32 {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    if (exists(m) && isNamed(m.src, m.npages, pfn)) return id;
  }
  return 0;
}

/**
 * A fault on the page ends. A migration that its driver began for the page, and has not ended, gets the lock.
 * Returns whether there is one.
 */
export function inheritFaultPage(pfn: u32): bool {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    if (!exists(m) || m.faultPage != pfn || !isNamed(m.src, m.npages, pfn)) continue;
    m.faultPage = 0;
    return true;
  }
  return false;
}

/** How many references open migrations have to the page. */
function migrationRefs(pfn: u32): u32 {
  if (!poolUsed(RESOURCE_MIGRATION)) return 0;
  let refs: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    if (exists(m) && holds(m, pfn)) refs++;
  }
  return refs;
}

/** How many device-exclusive entries name the page: each has a reference, but is no mapping. */
function exclusiveRefs(pfn: u32, folio: Folio): u32 {
  let refs: u32 = 0;
  for (let link = rmapFirst(folio); link; link = rmapNext(link, folio)) {
    const vma = rmapVma(link, folio);
    const pte = readPte(vma.mm.pgd, rmapAddress(vma, folio, link));
    if (pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE && ptePfn(pte) == pfn) refs++;
  }
  return refs;
}

/** How many references the page has that are no caller's. */
function engineRefs(pfn: u32, folio: Folio): u32 {
  if (pfn == header(HDR_ZERO_PFN)) return 1;
  let refs = folio.mapcount + migrationRefs(pfn) + commandsHoldPage(pfn);
  if (folio.has(FOLIO_SWAP_CACHE)) refs++;
  if (folio.has(FOLIO_ANON)) refs += exclusiveStaysMapped() ? 0 : exclusiveRefs(pfn, folio);
  else if (folio.has(FOLIO_FILE | FOLIO_SHMEM) && cacheLookup(fileAt(folio.mapping), folio.pgoff) == pfn)
    refs++;
  const zero = header(HDR_HUGE_ZERO);
  return zero && pfn - zero < LARGE_PAGES ? refs + 1 : refs;
}

/** Takes `n` references to a page in use for a caller. False when the page has too many. */
export function takeRefs(pfn: u32, n: u32): bool {
  const folio = folioOf(pfn);
  if (folio.refcount + n > REFS_MAX) return false;
  folio.refs += n;
  addExternalRefs(n);
  return true;
}

/**
 * Drops `n` references to a page that its caller says are the caller's own, and ends its lock with the last
 * reference. False, and drops nothing, if callers have fewer references to the page.
 */
export function dropCallerRefs(pfn: u32, n: u32): bool {
  const folio = folioOf(pfn);
  if (folio.refcount < n || folio.refcount - n < engineRefs(pfn, folio)) return false;
  folio.refs -= n - 1;
  putPage(pfn);
  addExternalRefs(-(<i32>n));
  return true;
}

/** Is the page's lock one that an open migration or a device fault holds? */
export function isLockedByEngine(pfn: u32): bool {
  return migrationRefs(pfn) != 0 || commandsServeFault(pfn);
}
