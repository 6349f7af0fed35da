/** Migration between RAM and devices, the walk over all mappings of a page, and faults on behalf of a device. */
import { EBUSY, EFAULT, ENOMEM, EPERM, RAM, R, W, type Page } from "./page.ts";
import type { Mm } from "./mm.ts";
import type { Vma } from "./vma.ts";
import type { World } from "./world.ts";

/**
 * Tells every vma that could map the page, in tree order, until no mapping is left. The migrating process
 * took its own entry before: that one does not count any more, but its vma hears of it like the others.
 */
function unmapEverywhere(page: Page, taker: Mm | null): void {
  let left = page.maps - (taker ? 1 : 0);
  if (left === 0) return;
  for (const vma of page.anon.around(page.index)) {
    const pn = vma.start + page.index - vma.pgoff;
    vma.mm.world.notify(vma.mm, "clear", pn, pn + 1);
    if (vma.mm !== taker && vma.mm.entries.get(pn)?.page === page) left--;
    if (left === 0) return;
  }
  throw new Error("model: a mapping is in no vma of the page's anon_vma");
}

/** What a migration of [a, b) did: the pages that moved, and the holes that were filled. */
export interface Moved {
  pn: number;
  write: boolean;
}

/** RAM pages, holes and zero pages of [a, b) to `device`; `mover` is remembered in each page. */
export function toDevice(mm: Mm, vma: Vma, a: number, b: number, device: number, mover: object): Moved[] {
  const { world } = mm;
  world.notify(mm, "migrate", a, b, device);
  const wanted: { pn: number; page: Page | null }[] = [];
  for (let pn = a; pn < b; pn++) {
    const page = mm.entries.get(pn)?.page ?? null;
    if (page && page.place !== RAM) continue;
    if (page) unmapEverywhere(page, mm);
    if (!page || page.pins === 0) wanted.push({ pn, page });
  }
  const ready = wanted.filter(() => world.takeFrame(device));
  const moved: Moved[] = [];
  let filling = false;
  for (const { pn, page } of ready) {
    let target = page;
    if (!target) {
      if (!filling) world.notify(mm, "migrate", pn, b, device);
      filling = true;
      vma.prepare();
      target = world.chargePage(vma, pn);
      if (!target) {
        world.giveFrame(device);
        continue;
      }
      mm.dropEntry(pn);
      mm.setEntry(pn, target, (vma.flags & W) !== 0);
    } else world.giveFrame(RAM);
    world.arrive(target, device, mover);
    moved.push({ pn, write: mm.entries.get(pn)!.write });
  }
  return moved;
}

/** This device's pages of [a, b) to RAM; `first` gets a frame before the others. */
export function toSystem(mm: Mm, a: number, b: number, device: number, first = a): Moved[] {
  mm.world.notify(mm, "migrate", a, b, device);
  const wanted: Moved[] = [];
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    if (entry?.page?.place !== device) continue;
    unmapEverywhere(entry.page, mm);
    wanted.push({ pn, write: entry.write });
  }
  const order = [...wanted.filter(({ pn }) => pn === first), ...wanted.filter(({ pn }) => pn !== first)];
  return order.filter(({ pn }) => leaveDevice(mm.world, mm.entries.get(pn)!.page!));
}

/** All pages of a device to RAM, whoever maps them. */
export function evict(world: World, device: number): void {
  const pages = world.pagesOn(device);
  if (world.rules.evictSingly) {
    for (const page of pages) {
      unmapEverywhere(page, null);
      leaveDevice(world, page);
    }
    return;
  }
  for (const page of pages) unmapEverywhere(page, null);
  for (const page of pages) leaveDevice(world, page);
}

function leaveDevice(world: World, page: Page): boolean {
  if (!world.takeFrame(RAM)) return false;
  world.giveFrame(page.place);
  page.place = RAM;
  page.mover = null;
  return true;
}

/** The CPU fault on a device page: it comes back, and perhaps its neighbours. */
export function bringBack(mm: Mm, vma: Vma, pn: number, page: Page): number {
  const { world } = mm;
  const { mover, place } = page;
  const { cluster } = world.rules;
  const from = pn - (pn % cluster);
  toSystem(mm, Math.max(from, vma.start), Math.min(from + cluster, vma.end), place, pn);
  if (page.place !== RAM) return -ENOMEM;
  world.cameBack(mover, pn);
  return 0;
}

/**
 * hmm_range_fault over [a, b) for `device`: 0 when every page can be given to it, -EBUSY when faults were taken and
 * `changed` says that what was seen before may not be true any more.
 */
export function rangeFault(
  mm: Mm,
  device: number,
  a: number,
  b: number,
  write: boolean,
  changed: () => boolean,
): number {
  for (let pn = a; pn < b;) {
    const vma = mm.vmas.find(pn);
    if (!vma || !(vma.flags & R)) return -EFAULT;
    if (!needsFault(mm, device, pn, write)) {
      pn++;
      continue;
    }
    if (write && !(vma.flags & W)) return -EPERM;
    const end = Math.min(b, vma.end, (pn | 511) + 1);
    for (let at = pn; at < end; at++) {
      const error = mm.fault(vma, at, write);
      if (error) return error;
    }
    if (changed()) return -EBUSY;
  }
  return 0;
}

function needsFault(mm: Mm, device: number, pn: number, write: boolean): boolean {
  const entry = mm.entries.get(pn);
  if (!entry) return true;
  if (entry.page && entry.page.place === device) return false;
  if (entry.page && entry.page.place !== RAM) return true;
  return write && !entry.write;
}
