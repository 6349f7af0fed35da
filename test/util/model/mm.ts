/** One process of the reference model: its mappings, its page table, and every way to touch its memory. */
import { EFAULT, EINVAL, ENOMEM, RAM, R, RWX, W, type Entry, type Page } from "./page.ts";
import { ACCOUNT, DONTFORK, LOCKED, VmaList, Vma, WIPEONFORK } from "./vma.ts";
import { bringBack } from "./migrate.ts";
import type { World } from "./world.ts";

/** What a CPU access can end in, besides success. */
export type Signal = "SIGSEGV/1" | "SIGSEGV/2" | "SIGBUS";

export class Mm {
  readonly vmas = new VmaList(this);
  readonly entries = new Map<number, Entry>();
  /** 1 GiB regions that have page tables. */
  private readonly tables = new Set<number>();
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

  private zap(a: number, b: number): void {
    for (let pn = a; pn < b; pn++) this.dropEntry(pn);
  }

  // --- faults ----------------------------------------------------------------------------------

  /** One run of the page fault handler. 0, or -ENOMEM with nothing changed. */
  fault(vma: Vma, pn: number, write: boolean): number {
    this.faults++;
    this.tables.add(pn >> 18);
    const entry = this.entries.get(pn);
    if (entry?.page && entry.page.place !== RAM) return bringBack(this, pn, entry.page);
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
    while (!this.allows(pn, write)) if (this.fault(vma, pn, write) !== 0) return "SIGBUS";
    return null;
  }

  private allows(pn: number, write: boolean): boolean {
    const entry = this.entries.get(pn);
    if (!entry || (entry.page && entry.page.place !== RAM)) return false;
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
      const vma = this.vmas.find(a + i);
      const here = vma && vma.flags & RWX && this.allows(a + i, false) && this.entries.get(a + i)!.page;
      const error = here ? 0 : this.getPage(a + i, false, false);
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

  mincore(a: number, n: number): number[] | number {
    const vec: number[] = [];
    for (let pn = a; pn < a + n; pn++) {
      if (!this.vmas.find(pn)) return -ENOMEM;
      vec.push(this.entries.has(pn) ? 1 : 0);
    }
    return vec;
  }

  // --- mappings --------------------------------------------------------------------------------

  mmap(a: number, n: number, prot: number): number {
    if (n === 0) return -EINVAL;
    this.munmap(a, n);
    this.vmas.map(a, a + n, prot);
    return 0;
  }

  munmap(a: number, n: number): number {
    const b = a + n;
    if (n === 0) return -EINVAL;
    if (this.vmas.within(a, b).length === 0) return 0;
    for (const vma of this.vmas.within(a, b)) {
      if (vma.start < a) this.vmas.split(vma, a, true);
      if (vma.end > b) this.vmas.split(vma, b, false);
    }
    this.world.notify(this, "unmap", a, b);
    this.zap(a, b);
    for (const vma of this.vmas.within(a, b)) this.vmas.remove(vma);
    for (let g = a >> 18; g <= (b - 1) >> 18; g++)
      if (this.vmas.within(g << 18, (g + 1) << 18).length === 0) this.tables.delete(g);
    return 0;
  }

  /** Runs `change` on each piece of a vma in [a, b), up to the first hole. */
  private pieces(a: number, b: number, change: (vma: Vma, from: number, to: number) => number): number {
    for (let at = a; at < b;) {
      const vma = this.vmas.find(at);
      if (!vma) return -ENOMEM;
      const to = Math.min(b, vma.end);
      const error = change(vma, at, to);
      if (error) return error;
      at = to;
    }
    return 0;
  }

  mprotect(a: number, n: number, prot: number): number {
    return this.pieces(a, a + n, (vma, from, to) => {
      let flags = (vma.flags & ~RWX) | prot;
      if (flags === vma.flags) return 0;
      if (prot & W) flags |= ACCOUNT;
      else if (!vma.anon) flags &= ~ACCOUNT;
      const fill = (vma.flags & (LOCKED | W)) === LOCKED && (prot & W) !== 0;
      this.vmas.modify(vma, from, to, flags);
      if (this.tables.has(from >> 18)) this.world.notify(this, "prot_vma", from, to);
      for (let pn = from; pn < to; pn++) {
        const entry = this.entries.get(pn);
        if (!entry) continue;
        if (!(prot & W)) entry.write = false;
        else if (entry.page?.place === RAM && entry.page.exclusive) entry.write = true;
      }
      if (fill) for (let pn = from; pn < to; pn++) this.getPage(pn, true, true);
      return 0;
    });
  }

  mlock(a: number, n: number): number {
    const error = this.setLocked(a, n, LOCKED);
    return error || (this.populateLocked(a, a + n) ? -ENOMEM : 0);
  }

  munlock(a: number, n: number): number {
    return this.setLocked(a, n, 0);
  }

  private setLocked(a: number, n: number, locked: number): number {
    return this.pieces(a, a + n, (vma, from, to) => {
      const flags = (vma.flags & ~LOCKED) | locked;
      if (flags !== vma.flags) this.vmas.modify(vma, from, to, flags);
      return 0;
    });
  }

  private populateLocked(a: number, b: number): number {
    return this.pieces(a, b, (vma, from, to) => {
      for (let pn = from; pn < to; pn++) {
        const error = this.getPage(pn, (vma.flags & W) !== 0, (vma.flags & RWX) !== 0);
        if (error) return error;
      }
      return 0;
    });
  }

  mresize(a: number, n: number, m: number): number {
    if (m === 0) return -EINVAL;
    const vma = this.vmas.find(a);
    if (!vma) return -EFAULT;
    if (m < n) return this.munmap(a + m, n - m);
    if (m === n) return 0;
    if (n === 0) return -EINVAL;
    if (n > vma.end - a) return -EFAULT;
    if (a + n !== vma.end || this.vmas.within(a + n, a + m).length > 0) return -ENOMEM;
    const { end, flags, anon } = vma;
    this.vmas.mergeNew({ start: end, end: a + m, flags, pgoff: vma.offset(end), anon });
    if (flags & LOCKED) this.populateLocked(end, a + m);
    return 0;
  }

  /** Always to a fixed place; `keep` is MREMAP_DONTUNMAP. */
  mremap(a: number, n: number, b: number, m: number, keep: boolean): number {
    if (m === 0 || (keep && n !== m)) return -EINVAL;
    if (!this.vmas.find(a)) return -EFAULT;
    if (a + n > b && b + m > a) return -EINVAL;
    this.munmap(b, m);
    if (n > m) this.munmap(a + m, n - m);
    const length = Math.min(n, m);
    const vma = this.vmas.find(a);
    if (!vma) return -EFAULT;
    if (length === 0) return -EINVAL;
    if (length > vma.end - a) return -EFAULT;
    this.move(vma, a, length, b, m, keep);
    return 0;
  }

  private move(vma: Vma, a: number, n: number, b: number, m: number, keep: boolean): void {
    const { flags, anon } = vma;
    const pgoff = anon ? vma.offset(a) : b;
    let target = this.vmas.mergeNew({ start: b, end: b + m, flags, pgoff, anon });
    if (!target) {
      target = this.vmas.insert(new Vma(this, b, b + m, flags, pgoff));
      target.anon = anon;
      target.cloneChain(vma);
    }
    this.world.notify(this, "unmap", a, a + n);
    for (let i = 0; i < n; i++) {
      const entry = this.entries.get(a + i);
      if (!entry) continue;
      this.entries.delete(a + i);
      this.entries.set(b + i, entry);
      this.tables.add((b + i) >> 18);
    }
    if (keep) {
      const source = this.vmas.find(a)!;
      source.flags &= ~LOCKED;
      if (source !== target && source.start === a && source.end === a + n) source.unlink();
    } else this.munmap(a, n);
    if (flags & LOCKED && m > n) this.populateLocked(b + n, b + m);
  }

  // --- advice ----------------------------------------------------------------------------------

  madvise(a: number, n: number, advice: string): number {
    const b = a + n;
    if (advice.startsWith("populate")) return this.populate(a, b, advice === "populate_write");
    let result = 0;
    for (let at = a; at < b;) {
      const vma = this.vmas.list.find((v) => v.end > at);
      if (!vma) return -ENOMEM;
      if (vma.start > at) result = -ENOMEM;
      at = Math.max(at, vma.start);
      const to = Math.min(vma.end, b);
      if (at >= b) break;
      const error = this.advise(vma, at, to, advice);
      if (error) return error;
      at = to;
    }
    return result;
  }

  private advise(vma: Vma, a: number, b: number, advice: string): number {
    const flag = (set: number, clear: number): number => {
      const flags = (vma.flags & ~clear) | set;
      if (flags !== vma.flags) this.vmas.modify(vma, a, b, flags);
      return 0;
    };
    switch (advice) {
      case "dontneed":
      case "free":
        if (vma.flags & LOCKED) return -EINVAL;
        this.world.notify(this, "clear", a, b);
        if (advice === "dontneed") this.zap(a, b);
        return 0;
      case "cold":
        return vma.flags & LOCKED ? -EINVAL : 0;
      case "willneed":
        return 0;
      case "dontfork":
        return flag(DONTFORK, 0);
      case "dofork":
        return flag(0, DONTFORK);
      case "wipeonfork":
        return flag(WIPEONFORK, 0);
      case "keeponfork":
        return flag(0, WIPEONFORK);
      default:
        return -EINVAL;
    }
  }

  private populate(a: number, b: number, write: boolean): number {
    for (let pn = a; pn < b; pn++) {
      if (!this.vmas.find(pn)) return -ENOMEM;
      const error = this.getPage(pn, write, false);
      if (error) return error === -EFAULT ? -EINVAL : error;
    }
    return 0;
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
