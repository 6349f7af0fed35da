/**
 * Folios of 4 to 256 pages of the reference model (7.3): a write fault maps a whole one with single entries
 * where its size is enabled. World.sizes says which are.
 */
import type { Mm } from "./mm.ts";
import { W } from "./page.ts";
import { HUGE, NOHUGE, type Vma } from "./vma.ts";

/** For which mappings faults use a size: none, those with MADV_HUGEPAGE, or all without MADV_NOHUGEPAGE. */
export type SizeMode = "never" | "madvise" | "always";

/** The sizes in pages, the largest first. */
const SIZES = [256, 128, 64, 32, 16, 8, 4];

/** Are folios of so many pages enabled for a mapping? */
export function isEnabled(vma: Vma, size: number): boolean {
  const mode = vma.mm.world.sizes.get(size);
  if (vma.flags & NOHUGE) return false;
  return mode === "always" || (mode === "madvise" && (vma.flags & HUGE) !== 0);
}

/** Returns the enabled sizes whose aligned range around a page lies in the mapping, and where it begins. */
export function fittingSizes(vma: Vma, pn: number): { size: number; from: number }[] {
  return SIZES.filter((size) => isEnabled(vma, size))
    .map((size) => ({ size, from: pn - (pn % size) }))
    .filter(({ size, from }) => vma.start <= from && from + size <= vma.end);
}

/** A write to a hole: maps the largest folio whose range is empty and for which there is memory. */
export function sizedFault(mm: Mm, vma: Vma, pn: number): boolean {
  for (const { size, from } of fittingSizes(vma, pn)) {
    if (hasEntry(mm, from, size)) continue;
    vma.prepare();
    const folio = mm.world.newFolio(vma.anon, vma.offset(from), size);
    if (!folio) continue;
    const write = (vma.flags & W) !== 0;
    folio.pages.forEach((page, i) => mm.setEntry(from + i, { page, write, dirty: write }));
    return true;
  }
  return false;
}

function hasEntry(mm: Mm, from: number, size: number): boolean {
  for (let pn = from; pn < from + size; pn++) if (mm.entries.has(pn)) return true;
  return false;
}
