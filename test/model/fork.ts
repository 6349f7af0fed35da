/** fork of the reference model. */
import { blocksOf, copyMark } from "./huge.ts";
import type { Mm } from "./mm.ts";
import { HUGE_PAGES } from "./page.ts";
import { DONTFORK, HUGETLB, LOCKED, MIXED, PFN, SHARED, UFFD, Vma, WIPEONFORK } from "./vma.ts";

/** Copies the mappings of `parent` to an empty process, and the pages that a later fault could not find. */
export function forkInto(parent: Mm, child: Mm): void {
  for (const vma of parent.vmas.list) {
    if (vma.flags & DONTFORK) continue;
    const copy = new Vma(child, vma.start, vma.end, vma.flags & ~(LOCKED | UFFD), vma.pgoff, vma.file);
    child.vmas.insert(copy);
    if (vma.flags & WIPEONFORK) continue;
    copy.forkAnon(vma);
    if (vma.anon || vma.flags & (MIXED | PFN)) copyEntries(parent, child, vma);
  }
}

/** Private entries lose the write bit on both sides, and no page stays exclusive. */
function copyEntries(parent: Mm, child: Mm, vma: Vma): void {
  const cow = !(vma.flags & SHARED);
  const event = vma.flags & HUGETLB ? "clear" : "prot_page";
  if (cow) parent.world.notify(parent, event, vma.start, vma.end);
  for (let g = vma.start >> 18; g <= (vma.end - 1) >> 18; g++) if (parent.tables.has(g)) child.tables.add(g);
  for (const [block, from] of blocksOf(vma.start, vma.end))
    if (parent.leaves.has(block)) child.addTable(from);
  for (let pn = vma.start; pn < vma.end; pn++) {
    const entry = parent.entries.get(pn);
    if (!entry) continue;
    if (entry.lent) entry.dirty = entry.write;
    entry.lent = false;
    entry.own = false;
    if (cow) entry.write = false;
    if (cow && entry.page) entry.page.exclusive = false;
    child.setEntry(pn, { ...entry });
  }
  for (const [block, from, to] of blocksOf(vma.start, vma.end))
    if (to - from === HUGE_PAGES) copyMark(parent, block, child, block);
}
