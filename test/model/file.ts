/** Files of the reference model: a map of pages, and the vmas that map it. */
import type { Page } from "./page.ts";
import { EAGAIN, EBUS, ENOMEM, PAGE, W, type Entry } from "./page.ts";
import type { Mm } from "./mm.ts";
import { SHARED, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

let stamp = 0;

export class ModelFile {
  /** The page cache by page offset. Other pages read as zeros. */
  readonly pages = new Map<number, Page>();
  /** The vmas that map it, with the moment of their (last) insertion. */
  private readonly mappings = new Map<Vma, number>();
  /** Whether the file is open. */
  open = true;

  constructor(
    private readonly world: World,
    readonly kind: "disk" | "shm",
    /** Size in bytes. */
    public size: number,
  ) {}

  /** Size in pages; the last page may be partial. */
  get length(): number {
    return Math.ceil(this.size / PAGE);
  }

  // --- who maps it -------------------------------------------------------------------------------

  attach(vma: Vma): void {
    this.mappings.set(vma, ++stamp);
  }

  /** Frees the file if nothing maps it and it is not open. */
  detach(vma: Vma): void {
    this.mappings.delete(vma);
    this.endIfUnused();
  }

  close(): void {
    this.open = false;
    this.endIfUnused();
  }

  private endIfUnused(): void {
    if (!this.open && this.mappings.size === 0) this.drop(0, Infinity);
  }

  /** Returns the vmas that map a part of [first, end), by first offset, then by insertion. */
  within(first: number, end: number): Vma[] {
    return [...this.mappings]
      .filter(([v]) => v.pgoff < end && first < v.pgoff + v.pages)
      .sort(([v, at], [w, bt]) => v.pgoff - w.pgoff || at - bt)
      .map(([v]) => v);
  }

  around(index: number): Vma[] {
    return this.within(index, index + 1);
  }

  // --- its pages ---------------------------------------------------------------------------------

  /**
   * Returns the page of an offset, which it creates if needed; null if memory or the group's limit is
   * exhausted.
   */
  get(index: number, charged: boolean): Page | null {
    const found = this.pages.get(index);
    if (found) return found;
    const page = this.world.newPage(this.kind === "disk" ? "file" : "shmem", this, index, charged);
    if (!page) return null;
    page.exclusive = false;
    page.cached = true;
    this.pages.set(index, page);
    return page;
  }

  private drop(first: number, end: number): void {
    for (const [index, page] of [...this.pages]) {
      if (index < first || index >= end) continue;
      this.pages.delete(index);
      page.cached = false;
      this.world.release(page);
    }
  }

  /** Whether a page of [first, end) is in an open migration. */
  private busy(first: number, end: number): boolean {
    return [...this.pages].some(([index, { locked }]) => locked && first <= index && index < end);
  }

  // --- calls -------------------------------------------------------------------------------------

  /** Returns the bytes from `offset`, fewer at the end. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    let page: Page | undefined;
    for (let i = 0; i < bytes.length; i++) {
      const at = offset + i;
      if (i === 0 || at % PAGE === 0) page = this.pages.get(Math.floor(at / PAGE));
      if (page) bytes[i] = page.content.at(at % PAGE);
    }
    return bytes;
  }

  /** Writes the bytes that `value` gives. Returns 0, or an errno after some pages are written. */
  write(
    offset: number,
    length: number,
    value: (i: number) => number,
    charged: boolean,
  ): { ret: number; done: number } {
    for (let i = 0; i < length; i++) {
      const at = offset + i;
      if (i === 0 || at % PAGE === 0) {
        const page = this.get(Math.floor(at / PAGE), charged);
        if (!page || page.locked) return { ret: page ? -EAGAIN : -ENOMEM, done: i };
        page.dirty ||= this.kind === "disk";
      }
      this.pages.get(Math.floor(at / PAGE))!.content.setByte(at % PAGE, value(i));
      this.size = Math.max(this.size, at + 1);
    }
    return { ret: 0, done: length };
  }

  truncate(size: number): number {
    const first = Math.ceil(size / PAGE);
    if (size < this.size) {
      if (this.busy(Math.floor(size / PAGE), Infinity)) return -EAGAIN;
      this.size = size;
      // A second time, for private copies made in between.
      this.unmap(first, Infinity, true);
      this.drop(first, Infinity);
      this.zero(size, first * PAGE);
      this.unmap(first, Infinity, true);
    }
    this.size = size;
    return 0;
  }

  punch(start: number, length: number): number {
    let end = start + length;
    if (this.kind === "disk") {
      if (start >= this.size) return 0;
      end = Math.min(end, this.length * PAGE);
    }
    if (this.busy(Math.floor(start / PAGE), Math.ceil(end / PAGE))) return -EAGAIN;
    const first = Math.ceil(start / PAGE);
    const last = Math.floor(end / PAGE);
    // shmem's last whole byte is an unsigned number: with a hole inside the first page it is a huge one.
    const unmapped = this.kind === "shm" && last === 0 ? Infinity : last;
    if (first < unmapped) this.unmap(first, unmapped, false);
    if (first < last) this.drop(first, last);
    this.zero(start, end);
    return 0;
  }

  /** Zeroes bytes of existing pages. */
  private zero(start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const page = this.pages.get(Math.floor(at / PAGE));
      if (page) page.content.setByte(at % PAGE, 0);
      else at += PAGE - 1 - (at % PAGE);
    }
  }

  private unmap(first: number, end: number, copies: boolean): void {
    for (const vma of this.within(first, end)) {
      const from = vma.start + Math.max(first, vma.pgoff) - vma.pgoff;
      const to = vma.start + Math.min(end, vma.pgoff + vma.pages) - vma.pgoff;
      const { mm } = vma;
      mm.world.notify(mm, "clear", from, to);
      for (let pn = from; pn < to; pn++)
        if (copies || mm.entries.get(pn)?.page?.home === this) mm.dropEntry(pn);
    }
  }

  /** msync of the pages [first, end): writes dirty pages back, so that the next write faults again. */
  writeBack(first: number, end: number): number {
    if (this.kind !== "disk") return 0;
    for (let index = first; index < Math.min(end, this.length); index++) {
      const page = this.pages.get(index);
      if (!page?.dirty) continue;
      if (page.locked) return -EAGAIN;
      if (page.maps > 0) this.clean(index, page);
      page.dirty = false;
    }
    return 0;
  }

  private clean(index: number, page: Page): void {
    for (const vma of this.around(index)) {
      if (!(vma.flags & SHARED)) continue;
      const pn = vma.start + index - vma.pgoff;
      vma.mm.world.notify(vma.mm, "prot_page", pn, pn + 1);
      const entry = vma.mm.entries.get(pn);
      if (entry?.page === page) Object.assign(entry, { write: false, dirty: false });
    }
  }
}

// --- faults --------------------------------------------------------------------------------------

/** Serves a fault at `pn` of a file's mapping, where nothing is mapped. */
export function fileFault(mm: Mm, vma: Vma, pn: number, write: boolean): number {
  const file = vma.file!;
  const index = vma.offset(pn);
  if (!write && mapAround(mm, vma, pn)) return 0;
  if (index >= file.length) return -EBUS;
  const page = file.get(index, true);
  if (!page) return -ENOMEM;
  if (page.locked) return -EAGAIN;
  if (write && !(vma.flags & SHARED)) return mm.copyToNew(vma, pn, page);
  if (write && file.kind === "disk") page.dirty = true;
  mapPage(mm, vma, pn, page, write);
  return 0;
}

function mapPage(mm: Mm, vma: Vma, pn: number, page: Page, written: boolean): void {
  const writable = (vma.flags & SHARED) !== 0 && (vma.flags & W) !== 0;
  const entry: Entry = { page, write: writable && (written || page.kind === "shmem"), dirty: written };
  mm.setEntry(pn, entry);
}

/** Maps the cached pages around a read fault. Returns whether the faulting page was one of them. */
function mapAround(mm: Mm, vma: Vma, pn: number): boolean {
  const window = mm.world.faultAround;
  if (window === 1) return false;
  const table = pn - (pn % 512);
  const first = Math.max(pn - (pn % window), table, vma.start);
  const end = Math.min(first + window, table + 512, vma.end);
  for (let at = first; at < end; at++) {
    const page = vma.offset(at) < vma.file!.length ? vma.file!.pages.get(vma.offset(at)) : undefined;
    if (page && !page.locked && !mm.entries.has(at)) mapPage(mm, vma, at, page, false);
  }
  return mm.entries.has(pn);
}
