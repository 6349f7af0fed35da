/** Migration between RAM and devices, the walk over all mappings of a page, and faults on behalf of a device. */
import { EAGAIN, EBUS, EBUSY, EFAULT, ENOMEM, EPERM, isZero, present, RAM, R, W, type Page } from "./page.ts";
import { mappingsOf } from "./ksm.ts";
import type { Mm } from "./mm.ts";
import { leaveSwapCache } from "./swap.ts";
import { PFN, UFFD, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

/**
 * Tells every vma that could map the page, in tree order, until no mapping is left. The migrating process
 * took its own entry before: that one does not count any more, but its vma hears of it like the others.
 */
function unmapEverywhere(page: Page, taker: Mm | null, taken: number): void {
  let left = page.maps - (taker ? 1 : 0);
  if (left === 0) return;
  for (const [vma, pn] of mappingsOf(page)) {
    vma.mm.world.notify(vma.mm, "clear", pn, pn + 1);
    const own = vma.mm === taker && pn === taken;
    if (!own && vma.mm.entries.get(pn)?.page === page) left--;
    if (left === 0) return;
  }
  throw new Error("model: a mapping is in no vma that could map the page");
}

/** A page that moved, or a hole that was filled: where, and whether it may be written. */
export interface Moved {
  pn: number;
  write: boolean;
}

/** A candidate: the page at `pn`, or null for a hole or a zero page; `arrival`: it has a frame (see Page.arrival). */
interface Slot {
  pn: number;
  page: Page | null;
  arrival: number;
}

/**
 * A migration between its two halves: pages are locked, and wait for finish() wherever they are mapped; frames are
 * taken. Outside of tests both halves follow each other.
 */
export class OpenMigration {
  private readonly slots: Slot[];

  constructor(
    private readonly world: World,
    /** Null: pages of a device, in all processes. */
    readonly mm: Mm | null,
    private readonly to: number,
    /** Who migrates to a device. */
    private readonly mover: object | null,
    /** The end of the range, for holes. */
    private readonly end: number,
    wanted: Omit<Slot, "arrival">[],
    first?: Page,
    /** Whom the events name. */
    private readonly owner = to,
  ) {
    this.slots = wanted.map((slot) => ({ ...slot, arrival: 0 }));
    const isFirst = ({ page }: Slot): boolean => page !== null && page === first;
    const order = [...this.slots].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
    for (const slot of order) if (world.takeFrame(to)) slot.arrival = world.arrive();
    for (const { page } of this.slots) if (page) page.locked = true;
  }

  /** Pages and holes that could move. */
  get candidates(): number {
    return this.slots.length;
  }

  /** What became of it; a page that nobody maps any more has moved, too. */
  finish(): { moved: Moved[]; count: number } {
    const { world, mm, to } = this;
    const moved: Moved[] = [];
    let count = 0;
    let filling = false;
    for (const { pn, page, arrival } of this.slots) {
      if (!arrival) continue;
      if (page && !this.canMove(page)) {
        world.giveFrame(to);
        continue;
      }
      if (page) {
        world.giveFrame(page.place);
        this.place(page, arrival);
      }
      if (!page && !filling) world.notify(mm!, "migrate", pn, this.end, this.owner);
      filling ||= !page;
      if (!page && !this.fill(pn, arrival)) continue;
      count++;
      const entry = mm?.entries.get(pn);
      if (entry?.page && (!page || entry.page === page)) moved.push({ pn, write: entry.write });
    }
    for (const { page } of this.slots) {
      if (!page) continue;
      page.locked = false;
      world.letGo(page);
    }
    return { moved, count };
  }

  /** Files have no pages on devices, and a page whose swap slot others name stays with it. */
  private canMove(page: Page): boolean {
    if (page.held > 0) return false;
    return page.kind === "anon" ? leaveSwapCache(this.world, page) : this.to === RAM;
  }

  private place(page: Page, arrival: number): void {
    page.place = this.to;
    page.hidden = this.to !== RAM && !this.world.coherent[this.to];
    page.arrival = arrival;
    page.mover = this.mover;
    // Entries of pages that no CPU reaches are not dirty.
    if (!page.hidden) return;
    for (const { entries } of this.world.mms.values())
      for (const entry of entries.values()) if (entry.page === page) entry.dirty = false;
  }

  /** A new page where there was none, unless somebody came first. */
  private fill(pn: number, arrival: number): boolean {
    const mm = this.mm!;
    const vma = mm.vmas.find(pn)!;
    const refused = !vma.anonymous || (vma.flags & UFFD) !== 0;
    if (!refused) {
      // Whether or not the page can be charged then.
      vma.prepare();
      mm.tables.add(pn >> 18);
    }
    const entry = mm.entries.get(pn);
    const empty = !refused && (!entry || isZero(entry));
    const page = empty ? this.world.chargePage("anon", vma.anon, vma.offset(pn)) : null;
    if (!page) {
      this.world.giveFrame(this.to);
      return false;
    }
    mm.dropEntry(pn);
    const write = (vma.flags & W) !== 0;
    mm.setEntry(pn, { page, write, dirty: write });
    this.place(page, arrival);
    return true;
  }
}

/** References that are no mappings keep a page where it is, but one of them on a device shows only at the end. */
function mayMove(page: Page): boolean {
  return page.held <= (page.place === RAM ? 0 : 1);
}

/** What may move of the vma's part [a, b): pages that `wants` accepts, `holes`, and the zero page's entries. */
function collect(
  mm: Mm,
  a: number,
  b: number,
  holes: boolean,
  zeros: boolean,
  wants: (page: Page) => boolean,
): { pn: number; page: Page | null }[] {
  const wanted: { pn: number; page: Page | null }[] = [];
  const seen = new Set<Page>();
  const { anonymous } = mm.vmas.find(a)!;
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const page = entry?.page;
    if (!page) {
      if (entry ? zeros && isZero(entry) : holes && anonymous) wanted.push({ pn, page: null });
    } else if (!entry.lent && !page.locked && wants(page) && !seen.has(page)) {
      seen.add(page);
      unmapEverywhere(page, mm, pn);
      if (mayMove(page)) wanted.push({ pn, page });
    }
  }
  return wanted;
}

/** RAM pages, holes and zero pages of [a, b) to `device`; `mover` is remembered in each page. */
export function toDevice(mm: Mm, a: number, b: number, device: number, mover: object): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, device);
  const wanted = collect(mm, a, b, true, true, ({ place }) => place === RAM);
  return new OpenMigration(mm.world, mm, device, mover, b, wanted);
}

/** Another device's pages and holes of [a, b) to `device`. */
export function fromPeer(
  mm: Mm,
  a: number,
  b: number,
  peer: number,
  device: number,
  mover: object,
): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, peer);
  const wanted = collect(mm, a, b, true, false, ({ place }) => place === peer);
  return new OpenMigration(mm.world, mm, device, mover, b, wanted, undefined, peer);
}

/** RAM pages, holes and zero pages of [a, b) to other frames of RAM. */
export function moveInRam(mm: Mm, a: number, b: number): OpenMigration {
  mm.world.notify(mm, "migrate", a, b);
  const wanted = collect(mm, a, b, true, true, ({ place }) => place === RAM);
  return new OpenMigration(mm.world, mm, RAM, null, b, wanted);
}

/** This device's pages of [a, b) to RAM; `first` gets a frame before the others. */
export function toSystem(mm: Mm, a: number, b: number, device: number, first?: Page): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, device);
  const wanted = collect(mm, a, b, false, false, ({ place }) => place === device);
  return new OpenMigration(mm.world, mm, RAM, null, b, wanted, first);
}

/** These pages of a device to RAM, whoever maps them. */
export function leaveDevice(world: World, pages: Page[]): OpenMigration {
  for (const page of pages) if (!page.lent) unmapEverywhere(page, null, 0);
  const wanted = pages.filter(mayMove).map((page) => ({ pn: 0, page }));
  return new OpenMigration(world, null, RAM, null, 0, wanted);
}

/** All pages of a device to RAM, but for those that are just migrating. */
export function evict(world: World, device: number): void {
  const pages = world.pagesOn(device);
  if (!world.rules.evictSingly) leaveDevice(world, pages).finish();
  else for (const page of pages) leaveDevice(world, [page]).finish();
}

/** The CPU fault on a device page: it comes back, and perhaps its neighbours. */
export function bringBack(mm: Mm, vma: Vma, pn: number, page: Page): number {
  const { world } = mm;
  const { mover, place } = page;
  const { cluster } = world.rules;
  const from = pn - (pn % cluster);
  toSystem(mm, Math.max(from, vma.start), Math.min(from + cluster, vma.end), place, page).finish();
  if (page.place !== RAM) return -ENOMEM;
  world.cameBack(mover, pn);
  return 0;
}

/**
 * hmm_range_fault over [a, b) for `device`: 0 when every page can be given to it, -EBUSY when faults were taken and
 * `changed` says that what was seen before may not be true any more. `where`: the page that an error is about.
 */
export function rangeFault(
  mm: Mm,
  device: number,
  a: number,
  b: number,
  write: boolean,
  changed: () => boolean,
  where = { pn: a },
): number {
  for (let pn = a; pn < b;) {
    where.pn = pn;
    const vma = mm.vmas.find(pn);
    if (!vma || !(vma.flags & R) || vma.flags & PFN) return -EFAULT;
    if (!needsFault(mm, device, pn, write)) {
      pn++;
      continue;
    }
    if (mm.entries.get(pn)?.page?.locked) return -EAGAIN;
    if (write && !(vma.flags & W)) return -EPERM;
    const end = Math.min(b, vma.end, (pn | 511) + 1);
    for (let at = pn; at < end; at++) {
      const error = mm.fault(vma, at, write);
      where.pn = at;
      if (error) return error === -EBUS ? -EFAULT : error;
    }
    if (changed()) return -EBUSY;
  }
  return 0;
}

function needsFault(mm: Mm, device: number, pn: number, write: boolean): boolean {
  const entry = mm.entries.get(pn);
  const page = entry?.page;
  if (page?.hidden && page.place === device && !page.locked) return false;
  return !present(entry) || (write && !entry!.write);
}
