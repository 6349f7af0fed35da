/** One process of the reference model: its page table, page faults, and all accesses to its memory. */
import { fileFault } from "./file.ts";
import { forkInto } from "./fork.ts";
import type { Folio, HugeZero } from "./huge.ts";
import { blockOf, blocksOf, hugeFault, moveBlock, splitMapping, unmarkHuge } from "./huge.ts";
import { hugetlbFault } from "./hugetlb.ts";
import { takeBack } from "./lend.ts";
import { bringBack } from "./migrate.ts";
import type { Page } from "./page.ts";
import {
  Content,
  EAGAIN,
  EBUS,
  EFAULT,
  ENOMEM,
  HUGE_PAGES,
  present,
  RWX,
  SIGNALS,
  W,
  type Entry,
  type FaultKind,
  type Signal,
} from "./page.ts";
import { pin, pinForLong, refuses, unpin, unpinSet } from "./pins.ts";
import { sizedFault } from "./sized.ts";
import { dropSlot, leaveSwapCache, swapIn } from "./swap.ts";
import { isShared, unshare } from "./unshare.ts";
import { HUGETLB, SHARED, SPECIAL, UFFD, VmaList, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

export class Mm {
  readonly vmas = new VmaList(this);
  readonly entries = new Map<number, Entry>();
  /** 1 GiB regions that have page tables. */
  readonly tables = new Set<number>();
  /** 2 MiB regions with page tables, and regions mapped as one: a huge page (null) or the huge zero page. */
  readonly leaves = new Set<number>();
  readonly huge = new Map<number, HugeZero | null>();
  /** Pages held by pin(); null is the zero page. Which of them are pinned for long. */
  pinned: (Page | HugeZero | null)[] = [];
  longPins: boolean[] = [];
  /** Pages of the one set that the recorder pins for long (lpin); null: there is none. */
  longSet: (Page | HugeZero | null)[] | null = null;
  /** Some page has been pinned for long: fork looks for more. */
  hasPinned = false;
  readonly rss = { anon: 0, file: 0, shmem: 0, swap: 0, hugetlb: 0 };
  /** Number of page faults. */
  faults = 0;
  /** The kind of the last fault. */
  lastFault: FaultKind = "spurious";
  /** The flags that the last mprotect installs. */
  protecting = 0;

  constructor(readonly world: World) {}

  // --- page table ------------------------------------------------------------------------------

  setEntry(pn: number, entry: Entry): void {
    this.entries.set(pn, entry);
    this.addTable(pn);
    const { page, slot } = entry;
    if (page) {
      page.maps++;
      this.rss[page.kind]++;
    }
    if (slot) {
      slot.names++;
      this.rss.swap++;
    }
  }

  /** Adds the page tables above a page. */
  addTable(pn: number): void {
    this.tables.add(pn >> 18);
    this.leaves.add(pn >> 9);
  }

  dropEntry(pn: number): void {
    const entry = this.entries.get(pn);
    if (!entry) return;
    this.entries.delete(pn);
    entry.lent = false;
    const { page, slot } = entry;
    if (slot) {
      this.rss.swap--;
      dropSlot(this.world, slot);
    }
    if (!page) return;
    this.rss[page.kind]--;
    page.maps--;
    if (entry.dirty && page.kind === "file") page.dirty = true;
    this.world.letGo(page);
  }

  zap(a: number, b: number): void {
    for (const [block, from, to] of blocksOf(a, b)) {
      const huge = this.huge.has(block);
      if (huge && to - from < HUGE_PAGES) splitMapping(this, from);
      for (let pn = from; pn < to; pn++) this.dropEntry(pn);
      if (!huge || to - from < HUGE_PAGES) continue;
      this.leaves.delete(block);
      unmarkHuge(this, block);
    }
  }

  /** Frees the page tables of the whole 2 MiB regions of [a, b), which have no entries. */
  freeTables(a: number, b: number): void {
    for (const [block, from, to] of blocksOf(a, b)) if (to - from === HUGE_PAGES) this.leaves.delete(block);
  }

  /** Moves the entries of [a, a + n) to the empty [b, b + n). A whole block moves with its table. */
  moveEntries(a: number, n: number, b: number): void {
    for (let at = a; at < a + n;) {
      const target = b + at - a;
      const to = Math.min(
        a + n,
        (blockOf(at) + 1) * HUGE_PAGES,
        at + (blockOf(target) + 1) * HUGE_PAGES - target,
      );
      if (this.leaves.has(blockOf(at))) moveBlock(this, at, to - at, target);
      at = to;
    }
  }

  // --- faults ----------------------------------------------------------------------------------

  /** Runs the page fault handler once. Returns 0, -ENOMEM, -EBUS or -EAGAIN (an open migration). */
  fault(vma: Vma, pn: number, write: boolean): number {
    this.tables.add(pn >> 18);
    const error = this.handleHuge(vma, pn, write) ?? this.handle(vma, pn, write);
    if (error === 0) this.count(this.lastFault);
    return error;
  }

  /** Counts a fault. */
  count(kind: FaultKind): void {
    this.faults++;
    this.world.faults[kind]++;
  }

  /** Serves a fault with a huge page; undefined if it needs a single page. */
  private handleHuge(vma: Vma, pn: number, write: boolean): number | undefined {
    if (vma.flags & HUGETLB) {
      this.leaves.add(blockOf(pn));
      return undefined;
    }
    const entry = this.entries.get(pn);
    const here = !entry || present(entry);
    const kind = here ? hugeFault(this, vma, pn, write) : null;
    this.leaves.add(blockOf(pn));
    return kind ? this.as(kind, 0) : undefined;
  }

  private handle(vma: Vma, pn: number, write: boolean): number {
    if (vma.flags & HUGETLB) {
      const done = hugetlbFault(this, vma, pn, write);
      return typeof done === "number" ? done : this.as(done, 0);
    }
    const entry = this.entries.get(pn);
    if (!entry) return this.missing(vma, pn, write);
    if (entry.page?.locked) return -EAGAIN;
    if (entry.slot) return this.as("swap", swapIn(this, vma, pn, entry, write));
    if (entry.lent) return this.as("exclusive", takeBack(this, vma, pn));
    if (entry.page?.hidden) return this.as("device", bringBack(this, vma, pn, entry.page));
    if (write && !entry.write) return this.writeProtected(vma, pn, entry);
    if (write) entry.dirty = true;
    return this.as("spurious", 0);
  }

  /** A fault's answer, and what it did. */
  as(kind: FaultKind, answer: number): number {
    this.lastFault = kind;
    return answer;
  }

  private missing(vma: Vma, pn: number, write: boolean): number {
    if (vma.flags & (UFFD | SPECIAL)) return -EBUS;
    if (vma.file) {
      const copied = write && !(vma.flags & SHARED);
      return this.as(copied ? "cow" : "file", fileFault(this, vma, pn, write));
    }
    if (write && sizedFault(this, vma, pn)) return this.as("anon", 0);
    if (write) return this.as("anon", this.copyToNew(vma, pn, null));
    this.setEntry(pn, { page: null, write: false });
    return this.as("zero", 0);
  }

  private writeProtected(vma: Vma, pn: number, entry: Entry): number {
    const { page } = entry;
    if (vma.flags & SHARED) {
      if (page?.kind === "file") page.dirty = true;
      entry.write = true;
      entry.dirty = true;
      return this.as("reuse", 0);
    }
    if (page?.kind === "anon" && (page.exclusive || (!page.merged && this.onlyOurs(page)))) {
      this.makeExclusive(vma, page);
      entry.write = (vma.flags & W) !== 0;
      entry.dirty = true;
      return this.as("reuse", 0);
    }
    return this.as("cow", this.copyToNew(vma, pn, page));
  }

  /** The page is the vma's alone from now on. */
  makeExclusive(vma: Vma, page: Page): void {
    // In 7.3 a part of a folio keeps the anon_vma of its folio.
    if (!page.exclusive && vma.anon && !(page.folio && this.world.newer))
      for (const one of page.folio?.pages ?? [page]) one.home = vma.anon;
    page.exclusive = true;
  }

  /** Has nobody else a reference? */
  onlyOurs(page: Page): boolean {
    if (page.folio && this.world.newer) return this.ownsFolio(page.folio);
    if (page.slot && page.refs === 2) leaveSwapCache(this.world, page);
    return (page.folio ?? page).refs === 1;
  }

  /** Does this process alone refer to the folio, by its entries? (7.3) */
  private ownsFolio(folio: Folio): boolean {
    return folio.refs === [...this.entries.values()].filter(({ page }) => page?.folio === folio).length;
  }

  /** Maps a new page with the contents of another or zeros. Tells mirrors if it replaces an entry. */
  copyToNew(vma: Vma, pn: number, old: Page | null): number {
    vma.prepare();
    const page = this.world.newPage("anon", vma.anon, vma.offset(pn));
    if (!page) return -ENOMEM;
    if (old) page.content.copyFrom(old.content);
    if (this.entries.has(pn)) {
      this.world.notify(this, "clear", pn, pn + 1);
      this.dropEntry(pn);
    }
    this.setEntry(pn, { page, write: (vma.flags & W) !== 0, dirty: true });
    return 0;
  }

  // --- access ----------------------------------------------------------------------------------

  /** Makes a load or store of the program. Returns null on success. */
  access(pn: number, write: boolean): Signal | null {
    const vma = this.vmas.find(pn);
    if (!vma) return "SIGSEGV/1";
    if (!(vma.flags & (write ? W : RWX))) return "SIGSEGV/2";
    for (let tries = 0; !this.allows(pn, write);) {
      const error = this.fault(vma, pn, write);
      // A process whose driver found no page tries again; the fuzzer's do not.
      const again = error === -ENOMEM && !this.world.rules.exact && tries++ === 0;
      if (error && !again) return SIGNALS.get(error)!;
    }
    return null;
  }

  /** Whether the entry allows an access without a fault. */
  allows(pn: number, write: boolean): boolean {
    const entry = this.entries.get(pn);
    return present(entry) && (!write || entry!.write);
  }

  /** Faults at least once until an access is allowed. Returns the kind of the last fault, or the signal. */
  faultAt(pn: number, write: boolean): FaultKind | Signal {
    const vma = this.vmas.find(pn);
    if (!vma) return "SIGSEGV/1";
    if (!(vma.flags & (write ? W : RWX))) return "SIGSEGV/2";
    do {
      const error = this.fault(vma, pn, write);
      if (error) return SIGNALS.get(error)!;
    } while (!this.allows(pn, write));
    return this.lastFault;
  }

  /**
   * The kernel gets hold of a page, as ptrace, mlock, populate and pin do. `single`: not as a part of a huge
   * mapping; `long`: for long.
   */
  getPage(pn: number, write: boolean, force: boolean, single = false, long = false): number {
    const vma = this.vmas.find(pn);
    if (long && write && vma?.file?.kind === "disk" && vma.flags & SHARED && vma.flags & W) return -EFAULT;
    const refused = refuses(vma, write, force);
    if (refused || !vma) return refused;
    for (;;) {
      if (single && this.huge.has(blockOf(pn)) && present(this.entries.get(pn))) splitMapping(this, pn);
      if (this.allows(pn, false)) {
        const entry = this.entries.get(pn)!;
        const forced = !(vma.flags & W) && entry.page?.exclusive;
        if (long && !write && isShared(vma, entry)) {
          const error = unshare(this, vma, pn);
          if (error) return error;
          continue;
        }
        if (!write || entry.write || forced) return 0;
      }
      const error = this.fault(vma, pn, write);
      if (error) return error;
    }
  }

  content(pn: number): number | string {
    return this.entries.get(pn)?.page?.content.digest() ?? 0;
  }

  /** Returns the contents of a page for a write. A write to memory without pages is lost. */
  writable(pn: number): Content {
    const entry = this.entries.get(pn)!;
    entry.dirty = true;
    return entry.page?.content ?? new Content();
  }

  /** Pins pages; `long`: for long. See pins.ts. */
  pin(a: number, n: number, write = false, long = false): number {
    return pin(this, a, n, write, long);
  }

  pinForLong(a: number, n: number, write: boolean): number {
    return pinForLong(this, a, n, write);
  }

  unpin(keep = 0): number {
    return unpin(this, keep);
  }

  // --- life ------------------------------------------------------------------------------------

  /** The child; null: memory ran out for the copies of pinned pages. */
  fork(): Mm | null {
    const child = new Mm(this.world);
    if (forkInto(this, child)) return child;
    child.exit();
    return null;
  }

  /** Ends the process without events: the world tells its mirrors. */
  exit(): void {
    this.unpin();
    unpinSet(this);
    this.world.drain();
    for (const pn of [...this.entries.keys()]) this.dropEntry(pn);
    for (const block of [...this.huge.keys()]) unmarkHuge(this, block);
    for (const vma of [...this.vmas.list]) this.vmas.remove(vma);
  }
}
