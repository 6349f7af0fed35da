/** MADV_COLLAPSE of the reference model. */
import { blockOf, blocksOf, hasBlock, mapFolio } from "./huge.ts";
import type { Mm } from "./mm.ts";
import { EAGAIN, EBUSY, EINVAL, ENOMEM, HUGE_PAGES, isZero, present, RAM, type Page } from "./page.ts";
import { NOHUGE, UFFD, type Vma } from "./vma.ts";

/** Why a block is not collapsed; with `ends`, the blocks after it are not tried. */
interface Refusal {
  error: number;
  ends: boolean;
}

const goOn = (error: number): Refusal => ({ error, ends: false });
const end = (error: number): Refusal => ({ error, ends: true });

/** Makes a huge page of every block that lies wholly in [a, b). */
export function collapse(mm: Mm, vma: Vma, a: number, b: number): number {
  mm.world.drain();
  const last = blockOf(vma.end) - 1;
  if (!vma.anonymous || vma.flags & NOHUGE || vma.end - HUGE_PAGES < 0) return -EINVAL;
  if (!hasBlock(vma, last)) return -EINVAL;
  // The range contains no block boundary.
  if (blockOf(a + HUGE_PAGES - 1) > blockOf(b)) return -EINVAL;
  let answer = 0;
  for (const [block, from, to] of blocksOf(a, b)) {
    if (to - from < HUGE_PAGES) continue;
    const refused = mm.huge.has(block) ? hugeHere(mm, from) : collapseBlock(mm, vma, block);
    if (refused) answer = refused.error;
    if (refused?.ends) break;
  }
  return answer;
}

const hugeHere = (mm: Mm, pn: number): Refusal | null => (present(mm.entries.get(pn)) ? null : goOn(-EINVAL));

function collapseBlock(mm: Mm, vma: Vma, block: number): Refusal | null {
  const { world } = mm;
  const from = block * HUGE_PAGES;
  const last = from + HUGE_PAGES;
  if (!mm.leaves.has(block)) return goOn(-EINVAL);
  const refused = suits(mm, vma, from, last, true);
  if (refused) return refused;
  if (!world.takeBlock(-1)) return end(-ENOMEM);
  for (let i = 0; i < HUGE_PAGES; i++) world.giveFrame(-1);
  if (world.charged + HUGE_PAGES > world.chargeLimit) return end(-EBUSY);
  for (let pn = from; pn < last; pn++) {
    const entry = mm.entries.get(pn);
    if (!entry || present(entry)) continue;
    const error = mm.fault(vma, pn, false);
    if (error) return error === -EAGAIN ? goOn(-EAGAIN) : end(-EINVAL);
  }
  world.notify(mm, "clear", from, last);
  const changed = suits(mm, vma, from, last, false);
  if (changed) return changed;
  const folio = world.newFolio(vma.anon, vma.offset(from));
  if (!folio) return end(-ENOMEM);
  folio.pages.forEach((page, i) => {
    const old = mm.entries.get(from + i)?.page;
    if (old) page.content.copyFrom(old.content);
    mm.dropEntry(from + i);
  });
  mapFolio(mm, vma, block, folio);
  return null;
}

/**
 * Whether these pages may become one. With `first`, swapped and device pages may, and one must be writable.
 */
function suits(mm: Mm, vma: Vma, a: number, b: number, first: boolean): Refusal | null {
  let writable = !first;
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    if (!entry || isZero(entry)) {
      if (vma.flags & UFFD) return end(-EINVAL);
      continue;
    }
    if (!present(entry)) {
      if (!first) return goOn(-EINVAL);
      continue;
    }
    const { page } = entry;
    // Of coherent memory.
    if (page && page.place !== RAM) return goOn(-EINVAL);
    if (page?.kind !== "anon") return end(-EINVAL);
    if (isHeld(page)) return goOn(-EAGAIN);
    if (entry.write) writable = true;
  }
  // 7.3 needs no writable page, but a mapping that has had a page of its own.
  if (!vma.anon) return goOn(-EINVAL);
  return writable || vma.mm.world.newer ? null : goOn(-EINVAL);
}

/** Whether a page has references besides its entries and the swap cache. */
function isHeld(page: Page): boolean {
  const { folio } = page;
  return folio ? folio.held : page.pins > 0;
}
