/**
 * hugetlb mappings of the reference model: blocks of 512 pages from their own pool, which are never split.
 */
import { EBUS, HUGE_PAGES, Page, W, type FaultKind } from "./page.ts";
import type { Mm } from "./mm.ts";
import { HUGETLB, type Vma } from "./vma.ts";
import type { World } from "./world.ts";

export const hugeStart = (pn: number): number => pn - (pn % HUGE_PAGES);
export const hugeEnd = (pn: number): number => hugeStart(pn + HUGE_PAGES - 1);

/** A block from the pool, whose pages come and go together. */
export class Block {
  readonly pages: Page[];

  constructor(vma: Vma, first: number) {
    this.pages = Array.from({ length: HUGE_PAGES }, (_, i) => {
      const page = new Page("hugetlb", vma.anon, vma.offset(first + i));
      page.charged = false;
      page.block = this;
      return page;
    });
  }
}

/** Blocks reserved for mappings and not yet touched. */
export function promised(world: World): number {
  let count = 0;
  for (const mm of world.mms.values())
    for (const vma of mm.vmas.list)
      if (vma.flags & HUGETLB)
        for (let pn = vma.start; pn < vma.end; pn += HUGE_PAGES) if (!mm.entries.has(pn)) count++;
  return count;
}

/** Whether a mapping must not begin, end or change its kind at this page. */
export function cuts(vma: Vma | undefined, pn: number): boolean {
  return vma !== undefined && (vma.flags & HUGETLB) !== 0 && pn % HUGE_PAGES !== 0;
}

/** Drops the last reference to a page. The block goes back to the pool with its last page. */
export function releaseBlock(world: World, { pages }: Block): void {
  if (!pages.some(({ refs }) => refs > 0)) world.hugeFree++;
}

/** A fault anywhere in a block is one on all of it. What it did, or -EBUS when the pool is empty. */
export function hugetlbFault(
  mm: Mm,
  vma: Vma,
  pn: number,
  write: boolean,
  unshare = false,
): FaultKind | number {
  const first = hugeStart(pn);
  const entry = mm.entries.get(first);
  if (!entry) return mapNew(mm, vma, first, write) ? "anon" : -EBUS;
  if (!unshare && (!write || entry.write)) return "spurious";
  const old = entry.page!.block!;
  const copied = old.pages[0].maps > 1;
  if (copied) {
    if (mm.world.hugeFree === 0) return -EBUS;
    mm.world.notify(mm, "clear", first, first + HUGE_PAGES);
    mm.zap(first, first + HUGE_PAGES);
    mapNew(mm, vma, first, !unshare);
    for (let i = 0; i < HUGE_PAGES; i++)
      mm.entries.get(first + i)!.page!.content.copyFrom(old.pages[i].content);
  } else
    for (let i = 0; i < HUGE_PAGES; i++) {
      const one = mm.entries.get(first + i)!;
      one.page!.exclusive = true;
      if (!unshare) one.write = (vma.flags & W) !== 0;
    }
  return copied ? "cow" : "reuse";
}

/** A block of zeros for a block of a mapping that has none. False: the pool is empty. */
export function mapNew(mm: Mm, vma: Vma, first: number, write: boolean): boolean {
  vma.prepare();
  if (mm.world.hugeFree === 0) return false;
  mm.world.hugeFree--;
  const { pages } = new Block(vma, first);
  pages.forEach((page, i) => mm.setEntry(first + i, { page, write: write && (vma.flags & W) !== 0 }));
  return true;
}
