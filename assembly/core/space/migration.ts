// An open migration: its object, its arrays, and the migration entries that stand where its pages were
// mapped. Slot i of the arrays belongs to page i of the range:
//
//            setup()                           pages()                       finalize()
//   entry    migration entry                                                 dst, or src of a page that stays
//   src      VALID | MIGRATE | pfn             MIGRATE cleared: page stays
//   dst      0, then the driver's VALID | pfn  dst is the page now
//   reason                                     why the page stays

import { COUNT_STAYED } from "../../abi/counter";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
} from "../../abi/frame";
import {
  MIGRATION_CPAGES,
  MIGRATION_END,
  MIGRATION_MM,
  MIGRATION_MOVED,
  MIGRATION_NPAGES,
  MIGRATION_REASONS,
  MIGRATION_SRC,
  MIGRATION_START,
  MIGRATION_STATE,
  MIGRATION_VMA,
} from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../../uapi/pfn";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_HWPOISON,
  PTE_KIND_MIGRATION,
  PTE_NO_ACCESS,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../uapi/pte";
import { REASON_NOT_ISOLATED } from "../../uapi/reason";
import { arenaAlloc, arenaAllocOwn, arenaFree } from "../base/arena";
import { LARGE_PAGES, MIGRATION_SIZE } from "../base/layout";
import { exists, none } from "../base/object";
import { poolAlloc, poolFree, poolHigh, poolObject } from "../base/pool";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { exclusiveStaysMapped } from "../base/rules";
import { count } from "../base/stat";
import { isPrivatePfn } from "../frame/coherent";
import { Folio, folioOf, isDevicePfn, unmark } from "../frame/folio";
import { putPage } from "../frame/page-alloc";
import { walk } from "../table/pagetable";
import { Mm, mmAt } from "./mm";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "./rmap";
import { dropUnmapped } from "./swap";
import { addRss } from "./zap";

/** An open migration. */
@unmanaged
export class Migration {
  /** MIGRATION_SETUP or MIGRATION_PAGES; 0: not in use. */
  state: u32;
  /** The id of the mm; 0: pages of a device, wherever they are mapped. */
  mm: u32;
  vma: u32;
  /** MIGRATE_VMA_SELECT_* */
  select: u32;
  start: u64;
  end: u64;
  /** The number of slots. */
  npages: u32;
  /** The number of candidates: pages that can move. */
  cpages: u32;
  /** The addresses of the driver's arrays: it reads src and writes dst, but may write anything anywhere. */
  driverSrc: u32;
  driverDst: u32;
  reasons: u32;
  /** The owner whose device pages are selected. */
  owner: u32;
  /** The page of the fault that is being served: it has a lock and a reference for the fault; 0: no fault. */
  faultPage: u32;
  /** The number of pages that moved. */
  moved: u32;
  /** The first slot of the window that fills holes. */
  holesFrom: u32;
  /** Pages that were not collected since they are parts of large folios, which setup is to split. */
  parts: u32;
  /** The addresses of the core's own arrays, which only words that were checked enter. */
  src: u32;
  dst: u32;
  reserved2: u64;
  reserved3: u64;

  /** The source word of slot i. */
  @inline source(i: u32): u32 {
    return load<u32>(this.src + i * 4);
  }
  /** Sets the source word of slot i. */
  @inline setSource(i: u32, word: u32): void {
    store<u32>(this.src + i * 4, word);
  }
  /** The destination word of slot i. */
  @inline target(i: u32): u32 {
    return load<u32>(this.dst + i * 4);
  }
  /** The page of slot i stays: clears MIGRATE and notes the reason. */
  stay(i: u32, reason: u32): void {
    this.setSource(i, this.source(i) & ~MIGRATE_PFN_MIGRATE);
    this.note(i, reason);
  }
  /** Notes why the page of slot i stays. */
  note(i: u32, reason: u32): void {
    store<u8>(this.reasons + i, <u8>reason);
    count(COUNT_STAYED);
  }
}

if (offsetof<Migration>() != MIGRATION_SIZE) ERROR("MIGRATION_SIZE");
if (offsetof<Migration>("state") != MIGRATION_STATE) ERROR("MIGRATION_STATE");
if (offsetof<Migration>("mm") != MIGRATION_MM) ERROR("MIGRATION_MM");
if (offsetof<Migration>("vma") != MIGRATION_VMA) ERROR("MIGRATION_VMA");
if (offsetof<Migration>("start") != MIGRATION_START) ERROR("MIGRATION_START");
if (offsetof<Migration>("end") != MIGRATION_END) ERROR("MIGRATION_END");
if (offsetof<Migration>("npages") != MIGRATION_NPAGES) ERROR("MIGRATION_NPAGES");
if (offsetof<Migration>("cpages") != MIGRATION_CPAGES) ERROR("MIGRATION_CPAGES");
if (offsetof<Migration>("driverSrc") != MIGRATION_SRC) ERROR("MIGRATION_SRC");
if (offsetof<Migration>("reasons") != MIGRATION_REASONS) ERROR("MIGRATION_REASONS");
if (offsetof<Migration>("moved") != MIGRATION_MOVED) ERROR("MIGRATION_MOVED");

/** Returns the migration of an id, or none. */
export function migrationOf(id: u32): Migration {
  if (!id || id > poolHigh(RESOURCE_MIGRATION)) return none<Migration>();
  const m = changetype<Migration>(poolObject(RESOURCE_MIGRATION, id));
  return m.src ? m : none<Migration>();
}

/** Creates a migration of n pages, with its arrays. Returns none when memory ran out. */
export function migrationAlloc(n: u32): Migration {
  const m = changetype<Migration>(poolAlloc(RESOURCE_MIGRATION));
  if (!exists(m)) return m;
  m.npages = n;
  m.driverSrc = <u32>arenaAlloc(n * 8);
  const own = m.driverSrc ? <u32>arenaAllocOwn(n * 9) : 0;
  if (own) {
    m.driverDst = m.driverSrc + n * 4;
    m.src = own;
    m.dst = own + n * 4;
    m.reasons = own + n * 8;
    return m;
  }
  if (m.driverSrc) arenaFree(m.driverSrc);
  poolFree(RESOURCE_MIGRATION, changetype<usize>(m));
  return none<Migration>();
}

/** Frees a migration with its arrays. */
export function migrationFree(m: Migration): void {
  arenaFree(m.driverSrc);
  arenaFree(m.src);
  m.src = 0;
  poolFree(RESOURCE_MIGRATION, changetype<usize>(m));
}

/** Tells whether an entry maps the page `pfn`, in RAM or on a device. */
@inline
export function mapsPage(pte: u64, pfn: u32): bool {
  if (ptePfn(pte) != pfn) return false;
  if (ptePresent(pte)) return !(pteFlags(pte) & PTE_SPECIAL);
  const kind = pteKind(pte);
  return kind == PTE_KIND_DEVICE || (kind == PTE_KIND_DEVICE_EXCLUSIVE && exclusiveStaysMapped());
}

/** Tells whether an entry is a migration entry for the page `pfn`. */
@inline
export function waitsFor(pte: u64, pfn: u32): bool {
  return pteKind(pte) == PTE_KIND_MIGRATION && ptePfn(pte) == pfn && !ptePresent(pte);
}

/** The flags that a migration entry keeps from the entry that it replaces. */
const KEPT: u32 = PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_NO_ACCESS | PTE_HUGE;

/** Returns the migration entry that replaces the entry `pte`; `exclusive`: the folio was anon-exclusive. */
@inline
export function takenEntry(pte: u64, exclusive: bool): u64 {
  // What a device had for itself comes back as a page to read: the first write asks.
  const kept = pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE ? KEPT & ~PTE_WRITE : KEPT;
  return makePte(
    ptePfn(pte),
    (pteFlags(pte) & kept) | (exclusive ? PTE_KIND_MIGRATION | PTE_EXCLUSIVE : PTE_KIND_MIGRATION),
  );
}

/**
 * Returns the entry that replaces a migration entry with the flags `kept`: it names `pfn`, whose folio is
 * `dirty` or not.
 */
@inline
export function endedEntry(kept: u32, pfn: u32, isPrivate: bool, dirty: bool): u64 {
  const flags = kept & (PTE_WRITE | PTE_NO_ACCESS | PTE_HUGE);
  if (isPrivate) return makePte(pfn, flags | PTE_KIND_DEVICE);
  return makePte(pfn, flags | (<u32>PTE_PRESENT) | (kept & (dirty ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG)));
}

/**
 * Tells whether a migration entry with the flags `kept` makes its page, if it is anonymous, anon-exclusive at
 * the end.
 */
@inline
export function keptExclusive(kept: u32): bool {
  return (kept & (PTE_WRITE | PTE_EXCLUSIVE)) != 0;
}

/**
 * Replaces an entry that maps a page by a migration entry. The mapping's reference goes to the caller. The
 * entry, instead of the folio, now records whether the page is exclusive, since fork may share it meanwhile.
 */
@inline
export function takeEntry(slot: usize, pte: u64, folio: Folio): void {
  store<u64>(slot, takenEntry(pte, folio.has(FOLIO_ANON_EXCLUSIVE)));
  folio.clear(FOLIO_ANON_EXCLUSIVE);
  if (ptePresent(pte) && pteFlags(pte) & PTE_DIRTY) folio.set(FOLIO_DIRTY);
  folio.maps--;
}

/** Replaces a migration entry by one that names `pfn`. */
function restoreEntry(slot: usize, pte: u64, pfn: u32): void {
  const folio = folioOf(pfn);
  const kept = pteFlags(pte);
  if (keptExclusive(kept) && folio.has(FOLIO_ANON)) folio.set(FOLIO_ANON_EXCLUSIVE);
  store<u64>(slot, endedEntry(kept, pfn, isPrivatePfn(pfn), folio.has(FOLIO_DIRTY)));
  folio.maps++;
  folio.refs++;
}

/** Replaces a migration entry whose page is lost: an access gets SIGBUS. */
function poisonEntry(slot: usize, mm: Mm, folio: Folio): void {
  store<u64>(slot, makePte(0, PTE_KIND_HWPOISON));
  addRss(mm, folio, -1);
}

/**
 * Replaces the entry at `slot` if it is a migration entry for the page `from`. Returns whether it was one.
 */
function endEntry(slot: usize, mmId: u32, from: u32, to: u32): bool {
  const pte = load<u64>(slot);
  if (!waitsFor(pte, from)) return false;
  if (to) restoreEntry(slot, pte, to);
  else poisonEntry(slot, mmAt(mmId), folioOf(from));
  return true;
}

/**
 * Makes every migration entry for the page `from` name the page `to` (0: the page is lost), as
 * remove_migration_ptes. `slot`: the address of the entry that collect replaced, in the migration's mm; 0 if
 * it is unknown. mremap may have moved that entry meanwhile: then the reverse map finds it.
 */
export function removeMigrationEntries(m: Migration, slot: usize, from: u32, to: u32): void {
  const found = slot != 0 && endEntry(slot, m.mm, from, to);
  if (!found || folioOf(from).has(FOLIO_MIGRATION_SHARED)) removeSharedEntries(from, to);
}

/** As removeMigrationEntries(), for all entries that the reverse map finds. */
function removeSharedEntries(from: u32, to: u32): void {
  const folio = folioOf(from);
  for (let link = rmapFirst(folio); link; link = rmapNext(link, folio)) {
    const vma = rmapVma(link, folio);
    const slot = walk(vma.mm.pgd, rmapAddress(vma, folio, link));
    if (slot) endEntry(slot, vma.mmId, from, to);
  }
  folio.clear(FOLIO_MIGRATION_SHARED);
}

/** Does a word of src or dst name a page? */
@inline
export function hasPage(word: u32): bool {
  return (word & (<u32>MIGRATE_PFN_VALID)) != 0;
}

/** Is it the first word of a unit? */
@inline
export function isUnit(word: u32): bool {
  return (word & MIGRATE_PFN_COMPOUND) != 0;
}

/**
 * Returns the references of an unmapped page that nobody else refers to: the migration's, and a fault's on
 * its faultPage.
 */
@inline
export function ownRefs(pfn: u32, faultPage: u32): u32 {
  return pfn == faultPage ? 2 : 1;
}

/**
 * Returns up to how many references setup lets an unmapped page be a candidate. Like Linux, it allows a
 * device page one more.
 */
@inline
export function expectedRefs(pfn: u32, faultPage: u32): u32 {
  return ownRefs(pfn, faultPage) + (isDevicePfn(pfn) ? 1 : 0);
}

/** Returns the number of pages that a slot's word stands for. */
@inline
export function pagesOf(word: u32): u32 {
  return word & MIGRATE_PFN_COMPOUND ? LARGE_PAGES : 1;
}

/**
 * Unlocks the page of slot i, puts it back on the LRU unless a driver had isolated it, and drops the
 * migration's reference.
 */
export function letGo(m: Migration, i: u32, pfn: u32): void {
  const folio = folioOf(pfn);
  const lock: u32 = pfn == m.faultPage ? 0 : FOLIO_LOCKED;
  const listed = !isDevicePfn(pfn) && load<u8>(m.reasons + i) != REASON_NOT_ISOLATED;
  folio.flags = <u16>((folio.flags & ~lock) | (listed ? FOLIO_LRU : 0));
  unmark(folio);
  dropUnmapped(pfn, folio);
  putPage(pfn);
}

/** Returns the pfn of a slot's word. */
@inline
export function pfnOf(word: u32): u32 {
  return word & PFN_MASK;
}
