/**
 * Migration between RAM and devices, and the faults of CPUs that bring pages back.
 */
import {
  collect,
  mayMove,
  noteWrites,
  unmapEverywhere,
  unmapHuge,
  type Single,
  type Whole,
} from "./collect.ts";
import { blockOf, fallApart, Folio, mapFolio, splitFolio, splitMapping, unmarkFolio } from "./huge.ts";
import { ENOMEM, HUGE_PAGES, isZero, Page, RAM, W } from "./page.ts";
import type { Mirror } from "./mirror.ts";
import type { Mm } from "./mm.ts";
import { leaveSwapCache } from "./swap.ts";
import { UFFD, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

/** A moved page or a filled hole: its address, whether it is writable, and which of both. */
export interface Moved {
  pn: number;
  write: boolean;
  filled: boolean;
}

/** A candidate with a frame, if `arrival` is not 0 (see Page.arrival). */
interface Slot extends Single {
  arrival: number;
}

/** A block with frames: one large frame, or one for each page (0 for none). */
interface Unit extends Whole {
  arrivals: number[];
  large: boolean;
}

/**
 * A migration between its two halves: its pages are locked wherever they are mapped, and its frames are
 * allocated, until finish(). Only open migrations separate the halves.
 */
export class OpenMigration {
  private readonly slots: (Slot | Unit)[];
  /** Whether the event of the holes has been sent. */
  private filling = false;
  /** The pages before the one for which the driver found no frame, so that nothing moves. */
  private tried: number[] | null = null;

  constructor(
    private readonly world: World,
    /** The migrating process; null for a device's pages in all processes. */
    readonly mm: Mm | null,
    private readonly to: number,
    /** The mirror that migrates to a device. */
    private readonly mover: object | null,
    /** The end of the range, for holes. */
    private readonly end: number,
    wanted: (Single | Whole)[],
    private readonly first?: Page,
    /** The owner in the events. */
    private readonly owner = to,
  ) {
    this.slots = wanted.map((one) =>
      "page" in one ? { ...one, arrival: 0 } : { ...one, arrivals: [], large: false },
    );
    const isFirst = (slot: Slot | Unit): boolean =>
      first !== undefined &&
      ("page" in slot ? slot.page === first : first.folio !== null && slot.folio === first.folio);
    const order = [...this.slots].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
    const arrive = (): number => (world.takeFrame(to) ? world.arrive() : 0);
    for (const slot of order)
      if ("page" in slot) {
        if (world.fails()) this.lose(slot);
        else if (!this.tried) slot.arrival = arrive();
      } else {
        slot.large = (!mm || world.large(to)) && !world.fails() && world.takeBlock(to);
        slot.arrivals = Array.from({ length: HUGE_PAGES }, slot.large ? () => world.arrive() : arrive);
      }
    for (const page of this.pages) page.locked = true;
    noteWrites(this.world, new Set(this.pages));
  }

  /** The driver finds no page: a hole or page stays, and of a migration to RAM all do. */
  private lose({ pn }: Single): void {
    if (this.to !== RAM) return;
    this.tried = [];
    for (const slot of this.slots) {
      if (slot.pn >= pn) continue;
      const all = "page" in slot ? [slot.arrival] : slot.arrivals;
      all.forEach((arrival, i) => {
        this.tried!.push(slot.pn + i);
        if (arrival) this.world.giveFrame(this.to);
      });
      if ("page" in slot) slot.arrival = 0;
      else slot.arrivals = [];
    }
  }

  private get pages(): Page[] {
    return this.slots.flatMap((slot) => ("page" in slot ? (slot.page ?? []) : (slot.folio?.pages ?? [])));
  }

  /** Where the pages are that could move. */
  get places(): number[] {
    return this.slots.flatMap((slot) => {
      if ("page" in slot) return slot.page ? [slot.pn] : [];
      return slot.folio ? slot.folio.pages.map((_, i) => slot.pn + i) : [];
    });
  }

  /** Pages and holes that could move. */
  get candidates(): number {
    return this.slots.length;
  }

  /** The outcome. A page without mappings can move too. */
  finish(): { moved: Moved[]; count: number; units: number; tried: number[] | null } {
    const moved: Moved[] = [];
    const { pages } = this;
    let count = 0;
    let units = 0;
    for (const slot of this.slots) {
      const before = moved.length;
      for (const { pn, page } of "page" in slot ? this.move(slot) : this.moveUnit(slot)) {
        count++;
        const entry = this.mm?.entries.get(pn);
        if (entry?.page && (!page || entry.page === page))
          moved.push({ pn, write: entry.write, filled: !page });
      }
      units += "large" in slot && slot.large ? Math.sign(moved.length - before) : moved.length - before;
    }
    for (const page of pages) {
      page.locked = false;
      this.world.letGo(page);
    }
    return { moved, count, units, tried: this.tried };
  }

  /** Finishes one page or hole. Returns it, or nothing if it stays. */
  private move({ pn, page, arrival }: Slot): Single[] {
    const { world, to } = this;
    if (!arrival) return [];
    if (!page) {
      this.announce(pn);
      if (world.newer && this.mm!.huge.get(blockOf(pn))) splitMapping(this.mm!, pn);
      return this.fill(pn, arrival) ? [{ pn, page }] : [];
    }
    if (!this.canMove(page)) {
      world.giveFrame(to);
      return [];
    }
    world.giveFrame(page.place);
    this.place(page, arrival);
    return [{ pn, page }];
  }

  /** Sends the event before the first hole is filled. */
  private announce(pn: number): void {
    if (!this.filling) this.world.notify(this.mm!, "migrate", pn, this.end, this.owner);
    this.filling = true;
  }

  /** Moves a block as one, or splits it and moves its pages. It stays if its first page has no frame. */
  private moveUnit({ pn, folio, arrivals, large }: Unit): Single[] {
    const mm = this.mm!;
    if (!arrivals[0]) return [];
    if (!folio) this.announce(pn);
    const giveBack = (): Single[] => {
      for (const arrival of arrivals) if (arrival) this.world.giveFrame(this.to);
      return [];
    };
    if (folio && large && !folio.pages.every((page) => page.held === 0)) return giveBack();
    if (!large) {
      if (folio && !mm) return giveBack();
      if (folio) this.world.notify(mm, "clear", pn, pn + HUGE_PAGES);
      // Of a huge page to which a fault refers only the mapping is split.
      if (folio && this.first?.folio === folio) {
        unmarkFolio(mm, pn, folio);
        return giveBack();
      }
      if (folio) fallApart(folio);
      else if (mm.huge.get(blockOf(pn))) splitMapping(mm, pn);
    } else if (!folio && !this.fillBlock(pn, arrivals)) return giveBack();
    return arrivals.flatMap((arrival, i) => {
      const page = folio?.pages[i] ?? null;
      if (large && !page) return [{ pn: pn + i, page }];
      return this.move({ pn: pn + i, page, arrival });
    });
  }

  /** Fills a block that had nothing or the huge zero page. */
  private fillBlock(pn: number, arrivals: number[]): boolean {
    const mm = this.mm!;
    const { world } = this;
    const block = blockOf(pn);
    const vma = mm.vmas.find(pn)!;
    if (!vma.anonymous || vma.flags & UFFD || (mm.leaves.has(block) && !mm.huge.get(block))) return false;
    mm.tables.add(pn >> 18);
    vma.prepare();
    if (world.charged + HUGE_PAGES > world.chargeLimit) return false;
    world.charged += HUGE_PAGES;
    mm.zap(pn, pn + HUGE_PAGES);
    const folio = new Folio(arrivals.map((_, i) => new Page("anon", vma.anon, vma.offset(pn + i))));
    folio.pages.forEach((page, i) => this.place(page, arrivals[i]));
    mapFolio(mm, vma, block, folio);
    return true;
  }

  /** Whether a page stays: a file's page, or a page whose swap slot has other entries. */
  private canMove(page: Page): boolean {
    if (page.held > 0) return false;
    return page.kind === "anon" ? leaveSwapCache(this.world, page) : this.to === RAM;
  }

  private place(page: Page, arrival: number): void {
    page.place = this.to;
    page.hidden = this.to !== RAM && !this.world.coherent[this.to];
    page.arrival = arrival;
    page.mover = this.mover;
    // Entries of pages that CPUs cannot access are not dirty.
    if (!page.hidden) return;
    for (const { entries } of this.world.mms.values())
      for (const entry of entries.values()) if (entry.page === page) entry.dirty = false;
  }

  /** Fills a hole with a new page, unless a fault has filled it. */
  private fill(pn: number, arrival: number): boolean {
    const mm = this.mm!;
    const vma = mm.vmas.find(pn)!;
    const refused = !vma.anonymous || (vma.flags & UFFD) !== 0;
    if (!refused) {
      // Before the charge, which may fail.
      vma.prepare();
      mm.addTable(pn);
    }
    const entry = mm.entries.get(pn);
    const empty = !refused && (!entry || (isZero(entry) && !mm.huge.has(blockOf(pn))));
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

/** Migrates RAM pages, holes and zero pages of [a, b) to `device`; each page records `mover`. */
export function toDevice(
  mm: Mm,
  a: number,
  b: number,
  device: number,
  mover: object,
  compound = mm.world.rules.compound,
): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, device);
  const wants = ({ place }: Page): boolean => place === RAM;
  const wanted = collect(mm, a, b, { holes: true, zeros: true, wants, compound });
  return new OpenMigration(mm.world, mm, device, mover, b, wanted);
}

/** Migrates another device's pages and holes of [a, b) to `device`. */
export function fromPeer(
  mm: Mm,
  a: number,
  b: number,
  peer: number,
  device: number,
  mover: object,
): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, peer);
  const { compound } = mm.world.rules;
  const wants = ({ place }: Page): boolean => place === peer;
  const wanted = collect(mm, a, b, { holes: true, zeros: false, wants, compound });
  return new OpenMigration(mm.world, mm, device, mover, b, wanted, undefined, peer);
}

/** Migrates RAM pages, holes and zero pages of [a, b) to other frames of RAM. */
export function moveInRam(mm: Mm, a: number, b: number): OpenMigration {
  mm.world.notify(mm, "migrate", a, b);
  const wants = ({ place }: Page): boolean => place === RAM;
  const wanted = collect(mm, a, b, { holes: true, zeros: true, wants, compound: false });
  return new OpenMigration(mm.world, mm, RAM, null, b, wanted);
}

/** Migrates this device's pages of [a, b) to RAM; `first` gets a frame before the others. */
export function toSystem(mm: Mm, a: number, b: number, device: number, first?: Page): OpenMigration {
  mm.world.notify(mm, "migrate", a, b, device);
  const { compound } = mm.world.rules;
  const wants = ({ place }: Page): boolean => place === device;
  const fault = first !== undefined;
  const wanted = collect(mm, a, b, { holes: false, zeros: false, wants, compound, fault });
  return new OpenMigration(mm.world, mm, RAM, null, b, wanted, first);
}

/** Migrates pages of a device to RAM, whichever processes map them. */
export function leaveDevice(world: World, pages: Page[]): OpenMigration {
  world.drain();
  const all = new Set(pages);
  const folios = new Set(pages.flatMap(({ folio }) => folio ?? []));
  const whole = [...folios].filter((folio) => folio.pages.every((page) => all.has(page)));
  for (const folio of folios) if (!whole.includes(folio)) splitFolio(folio);
  const units = whole.filter((folio) => {
    if (folio.pages.some(({ locked }) => locked)) return false;
    unmapHuge(folio, null, 0);
    return folio.pages.every(mayMove);
  });
  const single = pages.filter(({ folio, maps, pins }) => !folio && maps + pins > 0);
  for (const page of single) if (!page.lent) unmapEverywhere(page, null, 0);
  const wanted: (Single | Whole)[] = single.filter(mayMove).map((page) => ({ pn: 0, page }));
  wanted.push(...units.map((folio) => ({ pn: 0, folio })));
  return new OpenMigration(world, null, RAM, null, 0, wanted);
}

/** Migrates all pages of a device to RAM, except pages in open migrations. */
export function evict(world: World, device: number): void {
  // A driver asks for all its pages, those of a batch of unlocked pages included, or for all its memory.
  if (world.used[device + 1] > 0 || !world.rules.evictSingly) world.drain();
  const pages = world.pagesOn(device);
  if (!world.rules.evictSingly) leaveDevice(world, pages).finish();
  else for (const page of pages) leaveDevice(world, [page]).finish();
}

/** Serves a CPU fault on a device page, which comes back, perhaps with its neighbors. */
export function bringBack(mm: Mm, vma: Vma, pn: number, page: Page): number {
  const { world } = mm;
  const { mover, place, folio } = page;
  const { cluster } = world.rules;
  // A huge mapping comes back as one if the driver supports huge pages.
  const size = mm.huge.has(blockOf(pn)) ? HUGE_PAGES : cluster;
  const from = pn - (pn % size);
  world.failing = mover instanceof Object ? (mover as Mirror) : null;
  const huge = mm.huge.has(blockOf(pn));
  const migration = toSystem(mm, Math.max(from, vma.start), Math.min(from + size, vma.end), place, page);
  world.failing = null;
  const there = migration.candidates > 0;
  const { tried } = migration.finish();
  // The driver lets go of a huge page, whether or not it comes back.
  if (huge && there) world.cameBack(mover, from, from + size);
  // The first faults on a part of a huge page may only split its mapping, and then the huge page.
  if (page.place !== RAM) return folio && !tried ? 0 : -ENOMEM;
  world.cameBack(mover, pn, pn + 1);
  return 0;
}
