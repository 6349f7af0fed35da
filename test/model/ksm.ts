/** KSM of the reference model: a given number of full scans, which merge identical pages. */
import { splitFolio } from "./huge.ts";
import { ENOMEM, present, RAM, type Content, type Entry, type Page } from "./page.ts";
import type { Mm } from "./mm.ts";
import { MERGEABLE, type AnonVma, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

/** Addresses that merging gives to one page; forks may exceed the limit. */
const SHARING_MAX = 256;
/** The number of scans that skip an address after each look, by the number of looks. */
const AGE_SKIPPED = 3;
const skipsOf = (age: number): number => (age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8);

/** An address that a scan has visited. */
export class Item {
  /** The merged page of the address; the item is then in that page's list. */
  page: Page | null = null;
  /** With a page: the anon_vma of the vmas that may map the page at this address. */
  anon: AnonVma | null = null;
  /** The page's contents at the last visit. */
  seen: number | string | null = null;
  age = 0;
  skips = 0;

  constructor(
    /** Null for a stand-in of an item that has left or whose process has ended, which forks still need. */
    public mm: Mm | null,
    readonly pn: number,
  ) {}
}

/** Whether an entry names the page, wherever the page is. */
const names = (mm: Mm, pn: number, page: Page): boolean => {
  const entry = mm.entries.get(pn);
  return entry !== undefined && (entry.page === page || entry.slot?.page === page);
};

/** Scans visit only mapped anonymous pages in RAM. */
function candidate(entry: Entry | undefined): Page | null {
  const page = entry?.page;
  return page && present(entry) && page.kind === "anon" && page.place === RAM ? page : null;
}

function alike(a: Content, b: Content): boolean {
  if (!a.bytes && !b.bytes) return a.fill === b.fill;
  return a.digest() === b.digest();
}

const mergeable = (vma: Vma | undefined): vma is Vma => !!vma && (vma.flags & MERGEABLE) !== 0 && !!vma.anon;

/** Returns the vmas that could map a page, and the addresses, in the order of their events. */
export function mappingsOf(page: Page): [vma: Vma, pn: number][] {
  const { merged, home, index } = page;
  if (!merged) return home!.around(index).map((vma) => [vma, vma.start + index - vma.pgoff]);
  // First each address's own mapping, then the mappings of forks.
  const all = merged.flatMap((item) => item.anon!.covering(item.pn).map((vma) => ({ vma, item })));
  const own = all.filter(({ vma, item }) => vma.mm === item.mm);
  const forked = all.filter(({ vma, item }) => vma.mm !== item.mm);
  return [...own, ...forked].map(({ vma, item }) => [vma, item.pn]);
}

/** Gives the address its own page again, which needs a fault before a write. */
function unshare(mm: Mm, vma: Vma, pn: number): number {
  const error = mm.copyToNew(vma, pn, mm.entries.get(pn)!.page);
  if (error) return error;
  Object.assign(mm.entries.get(pn)!, { write: false, dirty: false });
  mm.count("cow");
  return 0;
}

/** Unmerges all merged pages in [a, b) of a vma; those on a device come back first. */
export function breakUp(mm: Mm, vma: Vma, a: number, b: number): number {
  for (let pn = a; pn < b; pn++) {
    for (let entry = mm.entries.get(pn); entry?.page?.merged; entry = mm.entries.get(pn)) {
      const error = present(entry) ? unshare(mm, vma, pn) : mm.fault(vma, pn, false);
      if (error) return error;
    }
  }
  return 0;
}

export class Ksm {
  /** Processes with mergeable memory, in order of entry. */
  private readonly mms: Mm[] = [];
  private readonly items = new Map<Mm, Map<number, Item>>();
  /** Merged pages, newest first. */
  private pages: Page[] = [];
  /** Addresses of this scan without an identical page so far, newest first. */
  private unmatched: Item[] = [];

  constructor(private readonly world: World) {}

  has(mm: Mm): boolean {
    return this.mms.includes(mm);
  }

  /** Enters a process with mergeable memory. */
  enter(mm: Mm): void {
    if (this.has(mm)) return;
    this.mms.push(mm);
    this.items.set(mm, new Map());
  }

  private drop(mm: Mm): void {
    if (this.has(mm)) this.mms.splice(this.mms.indexOf(mm), 1);
    this.items.delete(mm);
  }

  /** Removes a process that has ended. */
  exit(mm: Mm): void {
    for (const item of this.items.get(mm)?.values() ?? []) item.mm = null;
    this.drop(mm);
    this.prune();
  }

  /** Removes a merged page that is freed. */
  gone(page: Page): void {
    for (const item of page.merged!) item.page = null;
    this.pages = this.pages.filter((other) => other !== page);
  }

  /** Keeps the items of ended processes while forks need them. */
  private prune(): void {
    for (const page of this.pages)
      page.merged = page.merged!.filter((item) => item.mm !== null || forksNeed(item));
  }

  // --- scans -------------------------------------------------------------------------------------

  /** Makes full scans. Returns the number of merged pages and of pages saved. */
  scan(passes: number): { shared: number; sharing: number } {
    for (let i = 0; i < passes; i++) {
      this.prune();
      this.unmatched = [];
      if (this.mms.length > 0) this.world.drain();
      for (const mm of [...this.mms]) this.scanProcess(mm, this.items.get(mm)!);
    }
    this.prune();
    const used = this.pages.filter(({ merged }) => merged!.length > 0);
    const sharing = used.reduce((sum, { merged }) => sum + merged!.length - 1, 0);
    return { shared: used.length, sharing };
  }

  private scanProcess(mm: Mm, items: Map<number, Item>): void {
    let from = 0;
    for (const vma of [...mm.vmas.list].filter(mergeable)) {
      for (let pn = vma.start; pn < vma.end; pn++) {
        const page = candidate(mm.entries.get(pn));
        if (!page) continue;
        this.forget(items, from, pn);
        from = pn + 1;
        const item = items.get(pn) ?? new Item(mm, pn);
        items.set(pn, item);
        if (!this.leftOut(item, page)) this.look(vma, item, page);
      }
    }
    this.forget(items, from, Infinity);
    if (items.size === 0 && !mm.vmas.list.some(({ flags }) => flags & MERGEABLE)) this.drop(mm);
  }

  /** Removes items in [from, to) whose addresses have no page to visit. */
  private forget(items: Map<number, Item>, from: number, to: number): void {
    for (const [pn, item] of [...items].sort(([a], [b]) => a - b))
      if (from <= pn && pn < to && this.leave(item)) items.delete(pn);
  }

  /** Whether this scan skips the address, which earlier scans visited in vain. */
  private leftOut(item: Item, page: Page): boolean {
    if (page.merged) return false;
    const age = item.age;
    item.age = Math.min(age + 1, 255);
    if (age < AGE_SKIPPED) return false;
    if (item.skips === 0) {
      item.skips = skipsOf(age);
      return false;
    }
    item.skips--;
    this.leave(item);
    return true;
  }

  /** Visits an address with its page. */
  private look(vma: Vma, item: Item, page: Page): void {
    if ((page.merged && item.page === page) || !this.leave(item)) return;
    // The page belongs to a fork.
    if (page.merged) return this.join(vma, item, page, 0);
    const before = item.seen;
    item.seen = page.content.digest();
    if (before !== item.seen) return;
    const likes = this.pages.filter((one) => one.place === RAM && alike(one.content, page.content));
    if (likes.some(({ locked }) => locked)) return;
    const room = likes.filter(({ merged }) => merged!.length < SHARING_MAX);
    if (room.length > 0) {
      const most = Math.max(...room.map(({ merged }) => merged!.length));
      if (this.protect(item, page))
        this.give(
          vma,
          item,
          room.find(({ merged }) => merged!.length === most)!,
          0,
        );
      return;
    }
    const other = this.unmatched.find((one) => {
      const found = pageOf(one);
      return found !== null && one.seen === item.seen && alike(found.content, page.content);
    });
    if (!other) this.unmatched.unshift(item);
    else if (pageOf(other) !== page) this.mergeTwo(vma, item, page, other);
  }

  // --- merging -----------------------------------------------------------------------------------

  /** Makes the item's page a merged page and gives it to the other address. */
  private mergeTwo(vma: Vma, item: Item, page: Page, other: Item): void {
    if (!this.protect(item, page)) return;
    const entries = page.maps + (page.slot?.names ?? 0);
    const anon = entries === 1 ? vma.anon! : (page.home as AnonVma);
    // All its mappings must be at this address.
    if (anon.covering(item.pn).filter(({ mm }) => names(mm, item.pn, page)).length !== entries) return;
    page.merged = [item];
    page.dirty = true; // what reclaim finds clean is dropped, so KSM marks what it merges
    this.pages.unshift(page);
    item.page = page;
    item.anon = anon;
    const theirs = pageOf(other);
    if (this.protect(other, theirs)) {
      this.unmatched = this.unmatched.filter((one) => one !== other);
      this.give(other.mm!.vmas.find(other.pn)!, other, page, 1);
      return;
    }
    if (unshare(item.mm!, vma, item.pn) === -ENOMEM) return;
    this.leave(item);
  }

  /** Write-protects a page. Returns false if the page is pinned, or has made way for another. */
  private protect(item: Item, page: Page | null): boolean {
    const { mm, pn } = item;
    // A part of a folio is split off first; a page of zeros may be the zero page then.
    if (page?.folio && !splitFolio(page.folio)) return false;
    if (!page || pageOf(item) !== page) return false;
    this.world.notify(mm!, "clear", pn, pn + 1);
    const entry = mm!.entries.get(pn)!;
    if (!entry.write && !entry.dirty && !page.exclusive) return true;
    if (page.pins > 0) return false;
    page.exclusive = false;
    if (entry.dirty) page.dirty = true;
    Object.assign(entry, { write: false, dirty: false });
    return true;
  }

  /** Gives a merged page to the item's address. */
  private give(vma: Vma, item: Item, page: Page, at: number): void {
    const { mm, pn } = item;
    this.world.notify(mm!, "clear", pn, pn + 1);
    mm!.dropEntry(pn);
    mm!.setEntry(pn, { page, write: false });
    this.join(vma, item, page, at);
  }

  private join(vma: Vma, item: Item, page: Page, at: number): void {
    item.anon = vma.anon;
    item.page = page;
    page.merged!.splice(at, 0, item);
  }

  /** Takes an item from its page, with a stand-in if forks need one. Returns false if the item must stay. */
  private leave(item: Item): boolean {
    const { page, mm, pn } = item;
    if (!page) return true;
    if (names(mm!, pn, page)) return false;
    const standIns: Item[] = [];
    if (forksNeed(item)) {
      const standIn = new Item(null, pn);
      standIn.page = page;
      standIn.anon = item.anon;
      standIns.push(standIn);
    }
    page.merged!.splice(page.merged!.indexOf(item), 1, ...standIns);
    item.page = null;
    return true;
  }
}

/** Returns the mergeable page at an item's address. */
function pageOf({ mm, pn }: Item): Page | null {
  return mergeable(mm!.vmas.find(pn)) ? candidate(mm!.entries.get(pn)) : null;
}

/** Whether a fork without its own item needs this item to find its mapping. */
function forksNeed({ mm, pn, page, anon }: Item): boolean {
  return anon!
    .covering(pn)
    .some(
      (vma) =>
        vma.mm !== mm &&
        names(vma.mm, pn, page!) &&
        !page!.merged!.some((other) => other.mm === vma.mm && other.pn === pn),
    );
}
