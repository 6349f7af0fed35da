/**
 * Huge pages of the reference model: 512 pages that begin at a multiple of 512. A huge mapping is 512 entries
 * with a mark; a huge page (a folio) is 512 pages that stay together until the page is split or all of them
 * are free. Smaller folios, of 4 to 256 pages, have single entries (sized.ts).
 */
import { HUGE_PAGES, present, W, type FaultKind, type Page } from "./page.ts";
import type { Mm } from "./mm.ts";
import { isEnabled } from "./sized.ts";
import { LOCKED, UFFD, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

export const blockOf = (pn: number): number => Math.floor(pn / HUGE_PAGES);

/** Returns [a, b) cut at multiples of 512. */
export function blocksOf(a: number, b: number): [block: number, from: number, to: number][] {
  const parts: [number, number, number][] = [];
  for (let at = a; at < b;) {
    const block = blockOf(at);
    const to = Math.min(b, (block + 1) * HUGE_PAGES);
    parts.push([block, at, to]);
    at = to;
  }
  return parts;
}

/** A huge page or a smaller folio. Each of its pages has its own counts. */
export class Folio {
  constructor(readonly pages: Page[]) {
    for (const page of pages) page.folio = this;
  }

  get size(): number {
    return this.pages.length;
  }

  get refs(): number {
    return this.pages.reduce((sum, { refs }) => sum + refs, 0);
  }

  get maps(): number {
    return this.pages.reduce((sum, { maps }) => sum + maps, 0);
  }

  /** Whether several entries map the same part. */
  get shared(): boolean {
    return this.pages.some(({ maps }) => maps > 1);
  }

  /** Whether others than mappings and the swap cache refer to it: pins, migrations, exclusive entries. */
  get held(): boolean {
    const cached = this.pages.filter(({ slot }) => slot !== null).length;
    return this.refs - cached !== this.maps || this.pages.some(({ locked }) => locked) || this.lentAway;
  }

  /** Does a device have a part for itself, by an entry that is no mapping? In 7.3 it is one. */
  private get lentAway(): boolean {
    return this.around().some((vma) => {
      if (vma.mm.world.newer) return false;
      const [a, b] = this.span(vma);
      for (let pn = a; pn < b; pn++) {
        const entry = vma.mm.entries.get(pn);
        if (entry?.lent && entry.page?.folio === this) return true;
      }
      return false;
    });
  }

  /** Returns the vmas that could map a part. */
  around(): Vma[] {
    const [{ home, index }] = this.pages;
    return home!.within(index, index + this.size);
  }

  /** Returns the part of the huge page that `vma` covers. */
  span(vma: Vma): [a: number, b: number] {
    const at = vma.start + this.pages[0].index - vma.pgoff;
    return [Math.max(vma.start, at), Math.min(vma.end, at + this.size)];
  }

  /** Returns the number of entries in [a, b) that map it. */
  mappedIn(mm: Mm, a: number, b: number): number {
    let count = 0;
    for (let pn = a; pn < b; pn++) if (mm.entries.get(pn)?.page?.folio === this) count++;
    return count;
  }

  /** Whether present entries from `a` on map each page, so that none is lent to a device. */
  isPresentAt(mm: Mm, a: number): boolean {
    return this.pages.every((page, i) => {
      const entry = mm.entries.get(a + i);
      return entry?.page === page && present(entry);
    });
  }

  /** It is dirty as a whole: if a page in use is dirty, each is. */
  spreadDirty(): void {
    if (!this.pages.some(({ refs, dirty }) => refs > 0 && dirty)) return;
    for (const page of this.pages) page.dirty = true;
  }

  /** Dissolves the folio into single pages. */
  dissolve(): Page[] {
    for (const page of this.pages) page.folio = null;
    return this.pages;
  }
}

/** The huge zero page, which exists while a mapping or a pin refers to it. */
export class HugeZero {
  maps = 0;
  pins = 0;

  constructor(private readonly world: World) {}

  release(): void {
    if (this.maps > 0) return;
    if (this.world.hugeZero === this) this.world.hugeZero = null;
    if (this.pins === 0) for (let i = 0; i < HUGE_PAGES; i++) this.world.giveFrame(-1);
  }
}

// --- mappings ------------------------------------------------------------------------------------

function markHuge(mm: Mm, block: number, zero: HugeZero | null): void {
  mm.huge.set(block, zero);
  if (zero) zero.maps++;
}

/** Removes the mark of a huge mapping, whose entries become ordinary or are gone. */
export function unmarkHuge(mm: Mm, block: number): void {
  const zero = mm.huge.get(block);
  mm.huge.delete(block);
  if (!zero) return;
  zero.maps--;
  zero.release();
}

/** Marks a mapping like another, of the same process or another. */
export function copyMark(from: Mm, block: number, to: Mm, target: number): void {
  if (from.huge.has(block)) markHuge(to, target, from.huge.get(block)!);
}

/** Splits the huge mapping around pn into 512 entries. Mirrors are told whether or not there is one. */
export function splitMapping(mm: Mm, pn: number): void {
  const block = blockOf(pn);
  mm.world.notify(mm, "clear", block * HUGE_PAGES, (block + 1) * HUGE_PAGES);
  unmarkHuge(mm, block);
}

/** Moves the entries of [a, a + n) within one block. A whole block moves with its table and stays huge. */
export function moveBlock(mm: Mm, a: number, n: number, b: number): void {
  const block = blockOf(a);
  if (mm.huge.has(block) && n < HUGE_PAGES) splitMapping(mm, a);
  mm.addTable(b);
  for (let i = 0; i < n; i++) {
    const entry = mm.entries.get(a + i);
    if (!entry) continue;
    mm.entries.delete(a + i);
    mm.entries.set(b + i, entry);
  }
  if (n < HUGE_PAGES) return;
  mm.leaves.delete(block);
  copyMark(mm, block, mm, blockOf(b));
  unmarkHuge(mm, block);
}

/** Splits the block around `edge` before a vma that had all of the block ends or begins there. */
export function splitAtEdge(vma: Vma, edge: number): void {
  const from = blockOf(edge) * HUGE_PAGES;
  if (from === edge || from < vma.start || from + HUGE_PAGES > vma.end || !vma.mm.tables.has(edge >> 18))
    return;
  splitMapping(vma.mm, edge);
}

/** split_folio. Returns false, with nothing changed, if the huge page has references other than mappings. */
export function splitFolio(folio: Folio): boolean {
  const { world } = folio.around()[0]?.mm ?? {};
  if (!world || folio.held) return false;
  let left = folio.maps;
  const met: Vma[] = [];
  for (const vma of folio.around()) {
    if (left === 0) break;
    const [a, b] = folio.span(vma);
    if (!world.newer && vma.mm.tables.has(a >> 18)) splitMapping(vma.mm, a);
    world.notify(vma.mm, "clear", a, b);
    unmarkFolio(vma.mm, a, folio);
    left -= folio.mappedIn(vma.mm, a, b);
    met.push(vma);
  }
  for (const vma of met) noteDirty(vma, folio);
  folio.spreadDirty();
  for (const vma of met) {
    if (world.newer) endLeases(vma, folio);
    dropZeros(vma, folio);
  }
  for (const page of folio.dissolve()) world.letGo(page);
  return true;
}

/** The entries of a folio that is split are replaced for a while, and leave their dirty marks with it. */
function noteDirty(vma: Vma, folio: Folio): void {
  const [a, b] = folio.span(vma);
  for (let pn = a; pn < b; pn++) {
    const entry = vma.mm.entries.get(pn);
    if (entry?.page?.folio === folio && present(entry) && entry.dirty) entry.page.dirty = true;
  }
}

/** What a device had for itself of a folio that is split is there again, to read (7.3). */
function endLeases(vma: Vma, folio: Folio): void {
  const [a, b] = folio.span(vma);
  for (let pn = a; pn < b; pn++) {
    const entry = vma.mm.entries.get(pn);
    if (entry?.lent && entry.page?.folio === folio) Object.assign(entry, { lent: false, write: false });
  }
}

/** Splits a huge page in a migration without an event: it has no entries at this point. */
export function fallApart(folio: Folio): void {
  for (const vma of folio.around()) {
    const [a] = folio.span(vma);
    unmarkFolio(vma.mm, a, folio);
  }
  folio.spreadDirty();
  folio.dissolve();
}

/** Splits the mapping around pn without an event, if it maps the folio. */
export function unmarkFolio(mm: Mm, pn: number, folio: Folio): void {
  if (mm.huge.has(blockOf(pn)) && mm.entries.get(pn)?.page?.folio === folio) unmarkHuge(mm, blockOf(pn));
}

/** Replaces the zero-filled pages of a split folio by the zero page, except in locked memory. */
function dropZeros(vma: Vma, folio: Folio): void {
  const { mm } = vma;
  const [a, b] = folio.span(vma);
  if (vma.flags & LOCKED) return;
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const page = entry?.page;
    if (page?.folio !== folio || !present(entry) || page.content.digest() !== 0) continue;
    mm.rss.anon--;
    page.maps--;
    mm.entries.set(pn, { page: null, write: false });
  }
}

/** Splits the unshared huge pages that [a, b) covers in part, or with `whole` all that it touches. */
export function splitParts(mm: Mm, a: number, b: number, whole: boolean): void {
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const folio = entry?.page?.folio;
    if (!folio || !present(entry)) continue;
    const { size } = folio;
    if (!whole && entry.page === folio.pages[0] && pn + size <= b)
      if (folio.isPresentAt(mm, pn)) {
        pn += size - 1;
        continue;
      }
    if (!folio.shared) splitFolio(folio);
    if (mm.huge.has(blockOf(pn))) pn = (blockOf(pn) + 1) * HUGE_PAGES - 1;
  }
}

// --- faults --------------------------------------------------------------------------------------

/** Whether the vma covers the whole block of a page. */
export const hasBlock = (vma: Vma, block: number): boolean =>
  block * HUGE_PAGES >= vma.start && (block + 1) * HUGE_PAGES <= vma.end;

/** Serves a fault with a huge page; null if it needs a single page. */
export function hugeFault(mm: Mm, vma: Vma, pn: number, write: boolean): FaultKind | null {
  const block = blockOf(pn);
  if (mm.huge.has(block)) return write ? hugeWrite(mm, vma, pn) : "spurious";
  if (mm.leaves.has(block) || !isEnabled(vma, HUGE_PAGES) || vma.flags & UFFD || !vma.anonymous) return null;
  if (!hasBlock(vma, block)) return null;
  vma.prepare();
  return write ? newHuge(mm, vma, block) : newHugeZero(mm, block);
}

function newHuge(mm: Mm, vma: Vma, block: number): FaultKind | null {
  const folio = mm.world.newFolio(vma.anon, vma.offset(block * HUGE_PAGES));
  if (!folio) return null;
  mapFolio(mm, vma, block, folio);
  return "anon";
}

/** Maps a huge page over an empty block. */
export function mapFolio(mm: Mm, vma: Vma, block: number, folio: Folio): void {
  folio.pages.forEach((page, i) =>
    mm.setEntry(block * HUGE_PAGES + i, { page, write: (vma.flags & W) !== 0, dirty: (vma.flags & W) !== 0 }),
  );
  markHuge(mm, block, null);
}

function newHugeZero(mm: Mm, block: number): FaultKind | null {
  const { world } = mm;
  if (!world.hugeZero && !world.takeBlock(-1)) return null;
  world.hugeZero ??= new HugeZero(world);
  for (let i = 0; i < HUGE_PAGES; i++) mm.setEntry(block * HUGE_PAGES + i, { page: null, write: false });
  markHuge(mm, block, world.hugeZero);
  return "zero";
}

/** Makes an unshared huge page writable; splits the mapping of a shared one and writes one page. */
function hugeWrite(mm: Mm, vma: Vma, pn: number): FaultKind | null {
  const entry = mm.entries.get(pn)!;
  if (entry.write) return "spurious";
  const folio = entry.page?.folio;
  if (!folio && mm.world.newer) return replaceHugeZero(mm, vma, pn);
  if (!folio || !(entry.page!.exclusive || folio.refs === HUGE_PAGES)) {
    splitMapping(mm, pn);
    return null;
  }
  const from = blockOf(pn) * HUGE_PAGES;
  folio.pages.forEach((page, i) => {
    if (vma.anon) page.home = vma.anon;
    page.exclusive = true;
    Object.assign(mm.entries.get(from + i)!, { write: (vma.flags & W) !== 0, dirty: true });
  });
  return "reuse";
}

/** 7.3: a huge page takes the place of the huge zero page; without one its mapping is split. */
function replaceHugeZero(mm: Mm, vma: Vma, pn: number): FaultKind | null {
  const block = blockOf(pn);
  vma.prepare();
  const folio = mm.world.newFolio(vma.anon, vma.offset(block * HUGE_PAGES));
  if (!folio) {
    splitMapping(mm, pn);
    return null;
  }
  mm.world.notify(mm, "clear", block * HUGE_PAGES, (block + 1) * HUGE_PAGES);
  unmarkHuge(mm, block);
  mapFolio(mm, vma, block, folio);
  return "cow";
}
