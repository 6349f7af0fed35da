/** Swap space of the reference model: pages move to slots and come back. */
import { unmapHuge } from "./collect.ts";
import { blockOf, blocksOf, type Folio, splitFolio, splitParts, unmarkFolio } from "./huge.ts";
import { mappingsOf } from "./ksm.ts";
import type { Page } from "./page.ts";
import { Content, EINVAL, ENOMEM, EAGAIN, present, RAM, W, type Entry } from "./page.ts";
import type { Mm } from "./mm.ts";
import { fittingSizes } from "./sized.ts";
import type { World } from "./world.ts";
import { HUGETLB, LOCKED, PFN, type AnonVma, type Vma } from "./vma.ts";

/** A swap slot: its contents, the number of entries that name it, and the swap cache's page for it. */
export class Slot {
  readonly content = new Content();
  names = 0;
  page: Page | null = null;

  constructor(readonly number: number) {}
}

/** MADV_PAGEOUT: pages that only one process maps leave, while there is swap space. */
export function pageOut(mm: Mm, vma: Vma, a: number, b: number): number {
  if (vma.flags & (LOCKED | PFN | HUGETLB)) return -EINVAL;
  mm.world.drain();
  for (const [, from, to] of blocksOf(a, b)) {
    splitParts(mm, from, to, !mm.world.newer);
    pagesOut(mm, from, to);
  }
  return 0;
}

/** Pages out single pages; parts of huge pages that could not be split stay. */
function pagesOut(mm: Mm, a: number, b: number): void {
  const { world } = mm;
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const page = entry?.page;
    if (!entry || !page || !present(entry) || page.place !== RAM) continue;
    if (page.folio) {
      const { size } = page.folio;
      if (!world.newer || page !== page.folio.pages[0] || pn + size > b) continue;
      const out = folioOut(mm, pn, page.folio);
      if (out) pn += size - 1;
      if (out !== null || page.folio) continue;
    }
    if (page.kind !== "anon" || page.slot || page.maps !== 1 || page.pinnedLong) continue;
    if (page.givenUp) {
      dropGivenUp(mm, pn, page);
      continue;
    }
    const number = world.takeSlots(1);
    if (number < 0) continue;
    const slot = new Slot(number);
    slot.page = page;
    page.slot = slot;
    for (const [one, at] of mappingsOf(page)) {
      world.notify(one.mm, "clear", at, at + 1);
      if (one.mm.entries.get(at)?.page === page) break;
    }
    mm.rss.anon--;
    mm.rss.swap++;
    page.maps--;
    slot.names = 1;
    mm.entries.set(pn, { page: null, write: false, slot, own: page.exclusive });
    page.exclusive = false;
    // Pinned pages stay in the swap cache.
    if (page.pins > 0) continue;
    slot.content.copyFrom(page.content);
    uncache(world, page);
  }
}

/**
 * Pages a huge page out in one piece (7.3). Returns whether it left; null: it was split, if it could be,
 * since swap space has no room for it.
 */
function folioOut(mm: Mm, pn: number, folio: Folio): boolean | null {
  const { world } = mm;
  const { size } = folio;
  if (!folio.isPresentAt(mm, pn) || folio.shared || folio.held) return false;
  if (folio.pages.some(({ slot, pinnedLong }) => slot || pinnedLong)) return false;
  const entries = folio.pages.map((_, i) => mm.entries.get(pn + i)!);
  const dropped =
    folio.pages.every(({ givenUp, dirty }) => givenUp && !dirty) && entries.every(({ dirty }) => !dirty);
  for (const page of folio.pages) page.givenUp &&= dropped;
  const first = dropped ? -1 : world.takeSlots(size);
  if (!dropped && first < 0) {
    splitFolio(folio);
    return null;
  }
  unmapHuge(folio, null, 0);
  unmarkFolio(mm, pn, folio);
  folio.pages.forEach((page, i) => {
    if (dropped) return mm.dropEntry(pn + i);
    const slot = new Slot(first + i);
    slot.names = 1;
    slot.content.copyFrom(page.content);
    const own = page.exclusive;
    mm.dropEntry(pn + i);
    mm.rss.swap++;
    mm.entries.set(pn + i, { page: null, write: false, slot, own });
  });
  return true;
}

/** A page that MADV_FREE gave up goes without swap space, unless it was written or pinned since (7.3). */
function dropGivenUp(mm: Mm, pn: number, page: Page): void {
  for (const [one, at] of mappingsOf(page)) {
    mm.world.notify(one.mm, "clear", at, at + 1);
    if (one.mm.entries.get(at)?.page === page) break;
  }
  if (mm.entries.get(pn)!.dirty || page.dirty) page.givenUp = false;
  else if (page.refs === page.maps) mm.dropEntry(pn);
}

/** Removes a page from the swap cache. */
function uncache(world: World, page: Page): void {
  const slot = page.slot!;
  page.slot = null;
  page.dirty = true;
  slot.page = null;
  if (slot.names === 0) world.freeSlot(slot.number);
  world.release(page);
}

/** Removes a page from the swap cache if no entry names its slot. Returns whether it did. */
export function leaveSwapCache(world: World, page: Page): boolean {
  if (!page.slot) return true;
  if (page.slot.names > 0) return false;
  uncache(world, page);
  return true;
}

/** Drops an entry's reference to a slot. */
export function dropSlot(world: World, slot: Slot): void {
  if (--slot.names > 0) return;
  if (!slot.page) world.freeSlot(slot.number);
  else if (slot.page.maps === 0 && !slot.page.locked) uncache(world, slot.page);
}

/** Serves a fault on a swapped page. */
export function swapIn(mm: Mm, vma: Vma, pn: number, entry: Entry, write: boolean): number {
  const slot = entry.slot!;
  if (slot.page?.locked) return -EAGAIN;
  if (wholeIn(mm, vma, pn, entry, write)) return 0;
  const page = slot.page ?? readBack(mm, slot);
  if (!page) return -ENOMEM;
  mapBack(mm, vma, pn, page, write);
  return 0;
}

/** The page of the slot that an entry names takes the entry's place. */
function mapBack(mm: Mm, vma: Vma, pn: number, page: Page, write: boolean): void {
  const entry = mm.entries.get(pn)!;
  const slot = entry.slot!;
  page.maps++;
  slot.names--;
  if (slot.names === 0 && !slot.page) mm.world.freeSlot(slot.number);
  else if (!slot.page && slot.names > 0) cache(slot, page);
  const leaves = mm.world.newer || (vma.flags & LOCKED) !== 0 || (write && page.refs === 2);
  if (page.slot && leaves) leaveSwapCache(mm.world, page);
  else if (mm.world.newer) page.dirty = true;
  const exclusive = !page.merged && (entry.own === true || page.refs === 1);
  if (!page.home) {
    page.index = vma.offset(pn);
    page.home = exclusive ? vma.anon : rootOf(vma.anon!);
  }
  if (exclusive) page.exclusive = true;
  mm.rss.swap--;
  mm.rss.anon++;
  const writable = exclusive && (vma.flags & W) !== 0;
  mm.entries.set(pn, { page, write: writable, dirty: writable && write });
}

/**
 * Brings a folio back with all its entries (7.3): one of the swap cache, or a new one of an enabled size.
 * Returns false if only the page can come back.
 */
function wholeIn(mm: Mm, vma: Vma, pn: number, { slot }: Entry, write: boolean): boolean {
  const cached = slot!.page;
  if (cached) {
    const { folio } = cached;
    if (!folio) return false;
    const from = pn - folio.pages.indexOf(cached);
    const last = from + folio.size - 1;
    if (from < vma.start || last >= vma.end || blockOf(from) !== blockOf(last)) return false;
    if (!followEachOther(mm, from, pn, folio.pages)) return false;
    folio.pages.forEach((page, i) => mapBack(mm, vma, from + i, page, write));
    return true;
  }
  for (const { size, from } of mm.world.newer ? fittingSizes(vma, pn) : []) {
    if ((slot!.number - (pn - from)) % size !== 0) continue;
    const none = Array.from({ length: size }, () => null);
    if (!followEachOther(mm, from, pn, none)) continue;
    const folio = mm.world.newFolio(null, 0, size);
    if (!folio) continue;
    folio.pages.forEach((page, i) => {
      page.exclusive = false;
      page.content.copyFrom(mm.entries.get(from + i)!.slot!.content);
      mapBack(mm, vma, from + i, page, write);
    });
    return true;
  }
  return false;
}

/** Do entries from `from` on name slots in order, all like the one at `pn`, and the cache these pages? */
function followEachOther(mm: Mm, from: number, pn: number, pages: readonly (Page | null)[]): boolean {
  const at = mm.entries.get(pn)!;
  return pages.every((page, i) => {
    const entry = mm.entries.get(from + i);
    if (!entry?.slot || entry.slot.number !== at.slot!.number + from + i - pn) return false;
    return entry.own === at.own && entry.slot.page === page;
  });
}

function rootOf(anon: AnonVma): AnonVma {
  return anon.parent === anon ? anon : rootOf(anon.parent);
}

function cache(slot: Slot, page: Page): void {
  slot.page = page;
  page.slot = slot;
}

/** Makes a new page with a slot's contents. The page gets its anon_vma when it is mapped. */
function readBack(mm: Mm, slot: Slot): Page | null {
  const page = mm.world.newPage("anon", null, 0);
  if (!page) return null;
  page.exclusive = false;
  page.content.copyFrom(slot.content);
  return page;
}

/** MADV_WILLNEED: reads swapped pages into the swap cache, as far as memory reaches. */
export function swapAhead(mm: Mm, a: number, b: number): void {
  for (let pn = a; pn < b; pn++) {
    const slot = mm.entries.get(pn)?.slot;
    if (!slot || slot.page) continue;
    const page = readBack(mm, slot);
    if (!page) return;
    cache(slot, page);
  }
}
