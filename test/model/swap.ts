/** Swap space of the reference model: pages move to slots and come back. */
import { blocksOf, splitParts } from "./huge.ts";
import { mappingsOf } from "./ksm.ts";
import type { Page } from "./page.ts";
import { Content, EINVAL, ENOMEM, EAGAIN, present, RAM, W, type Entry } from "./page.ts";
import type { Mm } from "./mm.ts";
import type { World } from "./world.ts";
import { HUGETLB, LOCKED, PFN, type AnonVma, type Vma } from "./vma.ts";

/** A swap slot: its contents, the number of entries that name it, and the swap cache's page for it. */
export class Slot {
  readonly content = new Content();
  names = 0;
  page: Page | null = null;
}

/** MADV_PAGEOUT: pages that only one process maps leave, while there is swap space. */
export function pageOut(mm: Mm, vma: Vma, a: number, b: number): number {
  if (vma.flags & (LOCKED | PFN | HUGETLB)) return -EINVAL;
  for (const [, from, to] of blocksOf(a, b)) {
    splitParts(mm, from, to, true);
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
    if (!entry || !page || !present(entry) || page.place !== RAM || page.folio) continue;
    if (page.kind !== "anon" || page.slot || page.maps !== 1 || page.pinnedLong) continue;
    if (!world.swapOn || world.swapUsed === world.swapSize) continue;
    world.swapUsed++;
    const slot = new Slot();
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

/** Removes a page from the swap cache. */
function uncache(world: World, page: Page): void {
  const slot = page.slot!;
  page.slot = null;
  slot.page = null;
  if (slot.names === 0) world.swapUsed--;
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
  if (!slot.page) world.swapUsed--;
  else if (slot.page.maps === 0 && !slot.page.locked) uncache(world, slot.page);
}

/** Serves a fault on a swapped page. */
export function swapIn(mm: Mm, vma: Vma, pn: number, entry: Entry, write: boolean): number {
  const slot = entry.slot!;
  const page = slot.page ?? readBack(mm, slot);
  if (!page) return -ENOMEM;
  if (page.locked) return -EAGAIN;
  page.maps++;
  slot.names--;
  if (slot.names === 0 && !slot.page) mm.world.swapUsed--;
  else if (!slot.page && slot.names > 0) cache(slot, page);
  if (page.slot && (vma.flags & LOCKED || (write && page.refs === 2))) leaveSwapCache(mm.world, page);
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
  return 0;
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
