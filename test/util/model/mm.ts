/** One process of the reference model: its page table, page faults, and every way to touch its memory. */
import { EAGAIN, EFAULT, ENOMEM, RAM, R, RWX, W, type Entry, type Page } from "./page.ts";
import { DONTFORK, LOCKED, VmaList, Vma, WIPEONFORK } from "./vma.ts";
import { bringBack } from "./migrate.ts";
import type { World } from "./world.ts";

/** What a CPU access can end in, besides success. */
export type Signal = "SIGSEGV/1" | "SIGSEGV/2" | "OOM" | "EAGAIN";

export class Mm {
  readonly vmas = new VmaList(this);
  readonly entries = new Map<number, Entry>();
  /** 1 GiB regions that have page tables. */
  readonly tables = new Set<number>();
  /** Pages held by pin(); null is the zero page. */
  pinned: (Page | null)[] = [];
  rss = 0;
  /** Page faults taken so far. */
  faults = 0;

  constructor(readonly world: World) {}

  // --- page table ------------------------------------------------------------------------------

  setEntry(pn: number, page: Page | null, write: boolean): void {
    this.entries.set(pn, { page, write });
    this.tables.add(pn >> 18);
    if (page) {
      page.maps++;
      this.rss++;
    }
  }

  dropEntry(pn: number): void {
    const entry = this.entries.get(pn);
    if (!entry) return;
    this.entries.delete(pn);
    if (!entry.page) return;
    this.rss--;
    entry.page.maps--;
    this.world.release(entry.page);
  }

  zap(a: number, b: number): void {
    for (let pn = a; pn < b; pn++) this.dropEntry(pn);
  }

  /** Entries of [a, a + n) to [b, b + n), which has none. */
  moveEntries(a: number, n: number, b: number): void {
    for (let i = 0; i < n; i++) {
      const entry = this.entries.get(a + i);
      if (!entry) continue;
      this.entries.delete(a + i);
      this.entries.set(b + i, entry);
      this.tables.add((b + i) >> 18);
    }
  }

  // --- faults ----------------------------------------------------------------------------------

  /** One run of the page fault handler. 0, or -ENOMEM or -EAGAIN (an open migration) with nothing changed. */
  fault(vma: Vma, pn: number, write: boolean): number {
    this.tables.add(pn >> 18);
    const error = this.handle(vma, pn, write);
    if (error === 0) this.faults++;
    return error;
  }

  private handle(vma: Vma, pn: number, write: boolean): number {
    const entry = this.entries.get(pn);
    if (entry?.page?.locked) return -EAGAIN;
    if (entry?.page && entry.page.place !== RAM) return bringBack(this, vma, pn, entry.page);
    if (!entry) {
      if (write) return this.newPage(vma, pn);
      this.setEntry(pn, null, false);
      return 0;
    }
    if (!write || entry.write) return 0;
    const page = entry.page;
    if (page && (page.exclusive || (page.maps === 1 && page.pins === 0))) {
      if (!page.exclusive && vma.anon) page.anon = vma.anon;
      page.exclusive = true;
      entry.write = (vma.flags & W) !== 0;
      return 0;
    }
    return this.copyOnWrite(vma, pn, page);
  }

  private newPage(vma: Vma, pn: number): number {
    vma.prepare();
    const page = this.world.newPage(vma, pn);
    if (!page) return -ENOMEM;
    this.setEntry(pn, page, (vma.flags & W) !== 0);
    return 0;
  }

  private copyOnWrite(vma: Vma, pn: number, old: Page | null): number {
    vma.prepare();
    const page = this.world.newPage(vma, pn);
    if (!page) return -ENOMEM;
    if (old) page.content.copyFrom(old.content);
    this.world.notify(this, "clear", pn, pn + 1);
    this.dropEntry(pn);
    this.setEntry(pn, page, (vma.flags & W) !== 0);
    return 0;
  }

  // --- access ----------------------------------------------------------------------------------

  /** A load or store of the program: null when the entry allows it in the end. */
  access(pn: number, write: boolean): Signal | null {
    const vma = this.vmas.find(pn);
    if (!vma) return "SIGSEGV/1";
    if (!(vma.flags & (write ? W : RWX))) return "SIGSEGV/2";
    while (!this.allows(pn, write)) {
      const error = this.fault(vma, pn, write);
      if (error) return error === -EAGAIN ? "EAGAIN" : "OOM";
    }
    return null;
  }

  private allows(pn: number, write: boolean): boolean {
    const entry = this.entries.get(pn);
    if (!entry || entry.page?.locked || (entry.page && entry.page.place !== RAM)) return false;
    return !write || entry.write;
  }

  /** The kernel gets hold of a page, as ptrace, mlock, populate and pin do. `force` overrides permissions. */
  getPage(pn: number, write: boolean, force: boolean): number {
    const vma = this.vmas.find(pn);
    if (!vma) return -EFAULT;
    if (!force && !(vma.flags & (write ? W : R))) return -EFAULT;
    for (;;) {
      if (this.allows(pn, false)) {
        const entry = this.entries.get(pn)!;
        const forced = !(vma.flags & W) && entry.page?.exclusive;
        if (!write || entry.write || forced) return 0;
      }
      const error = this.fault(vma, pn, write);
      if (error) return error;
    }
  }

  content(pn: number): number | string {
    return this.entries.get(pn)?.page?.content.digest() ?? 0;
  }

  /** The page's content object, to be written to. */
  writable(pn: number): Page {
    return this.entries.get(pn)!.page!;
  }

  /** Pins a page a time and stops at the first that it cannot get: the count, or the error if there is none. */
  pin(a: number, n: number): number {
    for (let i = 0; i < n; i++) {
      const error = this.getPage(a + i, false, false);
      if (error) return i || error;
      const page = this.entries.get(a + i)!.page;
      if (page) page.pins++;
      this.pinned.push(page);
    }
    return n;
  }

  unpin(): number {
    const count = this.pinned.length;
    for (const page of this.pinned) {
      if (!page) continue;
      page.pins--;
      this.world.release(page);
    }
    this.pinned = [];
    return count;
  }

  // --- life ------------------------------------------------------------------------------------

  fork(): Mm {
    const child = new Mm(this.world);
    for (const vma of this.vmas.list) {
      if (vma.flags & DONTFORK) continue;
      const copy = new Vma(child, vma.start, vma.end, vma.flags & ~LOCKED, vma.pgoff);
      child.vmas.insert(copy);
      if (vma.flags & WIPEONFORK) continue;
      copy.forkAnon(vma);
      if (vma.anon) this.copyEntries(child, vma);
    }
    return child;
  }

  /** Both sides lose the write bit, and no page is exclusive any more. */
  private copyEntries(child: Mm, vma: Vma): void {
    this.world.notify(this, "prot_page", vma.start, vma.end);
    for (let g = vma.start >> 18; g <= (vma.end - 1) >> 18; g++) if (this.tables.has(g)) child.tables.add(g);
    for (let pn = vma.start; pn < vma.end; pn++) {
      const entry = this.entries.get(pn);
      if (!entry) continue;
      entry.write = false;
      if (entry.page) entry.page.exclusive = false;
      child.setEntry(pn, entry.page, false);
    }
  }

  /** The end of the process: no events, its mirrors are told by the world. */
  exit(): void {
    this.unpin();
    for (const pn of [...this.entries.keys()]) this.dropEntry(pn);
    for (const vma of [...this.vmas.list]) this.vmas.remove(vma);
  }
}
