/**
 * Huge pages of the reference model: 512 pages that begin at a multiple of 512. A huge mapping is 512 entries
 * and a mark that they are one; a huge page (a folio) is 512 pages that stay together until it is split or
 * wholly free.
 */
import { HUGE_PAGES, present, W, type FaultKind, type Page } from "./page.ts";
import type { Mm } from "./mm.ts";
import { HUGE, LOCKED, UFFD, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

export const blockOf = (pn: number): number => Math.floor(pn / HUGE_PAGES);

/** [a, b) cut at multiples of 512. */
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

/** A huge page. Its pages keep counts of their own. */
export class Folio {
  constructor(readonly pages: Page[]) {
    for (const page of pages) page.folio = this;
  }

  get refs(): number {
    return this.pages.reduce((sum, { refs }) => sum + refs, 0);
  }

  get maps(): number {
    return this.pages.reduce((sum, { maps }) => sum + maps, 0);
  }

  /** Does more than one process map the same part of it? */
  get shared(): boolean {
    return this.pages.some(({ maps }) => maps > 1);
  }

  /** Does anything refer to it but the mappings that can be seen: pins, migrations, devices that borrow? */
  get held(): boolean {
    return this.refs !== this.maps || this.pages.some(({ locked }) => locked) || this.lent;
  }

  private get lent(): boolean {
    return this.around().some((vma) => {
      const [a, b] = this.span(vma);
      for (let pn = a; pn < b; pn++) {
        const entry = vma.mm.entries.get(pn);
        if (entry?.lent && entry.page?.folio === this) return true;
      }
      return false;
    });
  }

  /** The vmas that could map a part of it. */
  around(): Vma[] {
    const [{ home, index }] = this.pages;
    return home!.within(index, index + HUGE_PAGES);
  }

  /** Where `vma` has it, as far as it does. */
  span(vma: Vma): [a: number, b: number] {
    const at = vma.start + this.pages[0].index - vma.pgoff;
    return [Math.max(vma.start, at), Math.min(vma.end, at + HUGE_PAGES)];
  }

  /** How many entries of [a, b) map it. */
  mappedIn(mm: Mm, a: number, b: number): number {
    let count = 0;
    for (let pn = a; pn < b; pn++) if (mm.entries.get(pn)?.page?.folio === this) count++;
    return count;
  }

  /** Its pages are pages of their own from now on. */
  dissolve(): Page[] {
    for (const page of this.pages) page.folio = null;
    return this.pages;
  }
}

/** The huge zero page, there as long as somebody maps it or holds a part of it. */
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

/** A block's entries are entries like any, or gone. */
export function unmarkHuge(mm: Mm, block: number): void {
  const zero = mm.huge.get(block);
  mm.huge.delete(block);
  if (!zero) return;
  zero.maps--;
  zero.release();
}

/** A mapping like another one, of the same process or another. */
export function copyMark(from: Mm, block: number, to: Mm, target: number): void {
  if (from.huge.has(block)) markHuge(to, target, from.huge.get(block)!);
}

/** Around pn a huge mapping becomes 512 single ones. Mirrors are told whether or not there is one. */
export function splitMapping(mm: Mm, pn: number): void {
  const block = blockOf(pn);
  mm.world.notify(mm, "clear", block * HUGE_PAGES, (block + 1) * HUGE_PAGES);
  unmarkHuge(mm, block);
}

/**
 * Entries of [a, a + n), of one block, to another place. All of a block takes its table along, and stays
 * huge.
 */
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

/** Before a vma ends, or begins, at `edge`: what is in the middle of a block that it had whole is split. */
export function splitAtEdge(vma: Vma, edge: number): void {
  const from = blockOf(edge) * HUGE_PAGES;
  if (from === edge || from < vma.start || from + HUGE_PAGES > vma.end || !vma.mm.tables.has(edge >> 18))
    return;
  splitMapping(vma.mm, edge);
}

/** split_folio: false where somebody but its mappings refers to it, and then nothing has happened. */
export function splitFolio(folio: Folio): boolean {
  const { world } = folio.around()[0]?.mm ?? {};
  if (!world || folio.held) return false;
  let left = folio.maps;
  const met: Vma[] = [];
  for (const vma of folio.around()) {
    if (left === 0) break;
    const [a, b] = folio.span(vma);
    if (vma.mm.tables.has(a >> 18)) splitMapping(vma.mm, a);
    world.notify(vma.mm, "clear", a, b);
    left -= folio.mappedIn(vma.mm, a, b);
    met.push(vma);
  }
  for (const vma of met) dropZeros(vma, folio);
  for (const page of folio.dissolve()) world.release(page);
  return true;
}

/** A huge page in a migration becomes single pages, without a word: its entries are not there just now. */
export function fallApart(folio: Folio): void {
  for (const vma of folio.around()) {
    const [a] = folio.span(vma);
    if (vma.mm.huge.has(blockOf(a)) && vma.mm.entries.get(a)?.page?.folio === folio)
      unmarkHuge(vma.mm, blockOf(a));
  }
  folio.dissolve();
}

/** Pages of a split folio that are all zeros make way for the zero page, but in locked memory. */
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

/** Splits the huge pages of which [a, b) has a part only (`whole`: all), unless processes share them. */
export function splitParts(mm: Mm, a: number, b: number, whole: boolean): void {
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const folio = entry?.page?.folio;
    if (!folio || !present(entry)) continue;
    if (!whole && entry.page === folio.pages[0] && pn + HUGE_PAGES <= b)
      if (folio.mappedIn(mm, pn, pn + HUGE_PAGES) === HUGE_PAGES) {
        pn += HUGE_PAGES - 1;
        continue;
      }
    if (!folio.shared) splitFolio(folio);
    if (mm.huge.has(blockOf(pn))) pn = (blockOf(pn) + 1) * HUGE_PAGES - 1;
  }
}

// --- faults --------------------------------------------------------------------------------------

/** Does the vma have the whole block of a page? */
export const hasBlock = (vma: Vma, block: number): boolean =>
  block * HUGE_PAGES >= vma.start && (block + 1) * HUGE_PAGES <= vma.end;

/** What a fault does with a huge page; null: one page must do. */
export function hugeFault(mm: Mm, vma: Vma, pn: number, write: boolean): FaultKind | null {
  const block = blockOf(pn);
  if (mm.huge.has(block)) return write ? hugeWrite(mm, vma, pn) : "spurious";
  if (mm.leaves.has(block) || !(vma.flags & HUGE) || vma.flags & UFFD || !vma.anonymous) return null;
  if (!hasBlock(vma, block)) return null;
  vma.prepare();
  return write ? newHuge(mm, vma, block) : newHugeZero(mm, block);
}

function newHuge(mm: Mm, vma: Vma, block: number): FaultKind | null {
  const folio = mm.world.newFolio(vma.anon!, vma.offset(block * HUGE_PAGES));
  if (!folio) return null;
  mapFolio(mm, vma, block, folio);
  return "anon";
}

/** A huge page over a block that has nothing. */
export function mapFolio(mm: Mm, vma: Vma, block: number, folio: Folio): void {
  folio.pages.forEach((page, i) =>
    mm.setEntry(block * HUGE_PAGES + i, { page, write: (vma.flags & W) !== 0 }),
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

/** A huge page that nobody else has becomes writable; else the mapping is split, and one page is written. */
function hugeWrite(mm: Mm, vma: Vma, pn: number): FaultKind | null {
  const entry = mm.entries.get(pn)!;
  if (entry.write) return "spurious";
  const folio = entry.page?.folio;
  if (!folio || !(entry.page!.exclusive || folio.refs === HUGE_PAGES)) {
    splitMapping(mm, pn);
    return null;
  }
  const from = blockOf(pn) * HUGE_PAGES;
  folio.pages.forEach((page, i) => {
    if (vma.anon) page.home = vma.anon;
    page.exclusive = true;
    mm.entries.get(from + i)!.write = (vma.flags & W) !== 0;
  });
  return "reuse";
}
