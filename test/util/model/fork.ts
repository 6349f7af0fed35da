/** What fork does to the entries of the reference model. */
import { blocksOf, copyMark } from "./huge.ts";
import type { Mm } from "./mm.ts";
import { HUGE_PAGES } from "./page.ts";
import { SHARED, type Vma } from "./vma.ts";

/** Of private memory both sides lose the write bit, and no page is exclusive any more. */
export function copyEntries(mm: Mm, child: Mm, vma: Vma): void {
  const cow = !(vma.flags & SHARED);
  if (cow) mm.world.notify(mm, "prot_page", vma.start, vma.end);
  for (let g = vma.start >> 18; g <= (vma.end - 1) >> 18; g++) if (mm.tables.has(g)) child.tables.add(g);
  for (const [block, from] of blocksOf(vma.start, vma.end)) if (mm.leaves.has(block)) child.addTable(from);
  for (let pn = vma.start; pn < vma.end; pn++) {
    const entry = mm.entries.get(pn);
    if (!entry) continue;
    entry.lent = false;
    entry.own = false;
    if (cow) entry.write = false;
    if (cow && entry.page) entry.page.exclusive = false;
    child.setEntry(pn, { ...entry });
  }
  for (const [block, from, to] of blocksOf(vma.start, vma.end))
    if (to - from === HUGE_PAGES) copyMark(mm, block, child, block);
}
