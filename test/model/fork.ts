/** fork of the reference model. */
import { blocksOf, copyMark, splitMapping } from "./huge.ts";
import { mapNew } from "./hugetlb.ts";
import { endLease } from "./lend.ts";
import type { Mm } from "./mm.ts";
import { HUGE_PAGES, present, W, type Entry, type Page } from "./page.ts";
import { DONTFORK, HUGETLB, LOCKED, MIXED, PFN, SHARED, UFFD, Vma, WIPEONFORK } from "./vma.ts";

/**
 * The mappings of `parent`, and its pages where they could not be found again, to a process that has none.
 * False when memory runs out for a copy of a page that is pinned for long; what is done by then stays so.
 */
export function forkInto(parent: Mm, child: Mm): boolean {
  for (const vma of parent.vmas.list) {
    if (vma.flags & DONTFORK) continue;
    const copy = new Vma(child, vma.start, vma.end, vma.flags & ~(LOCKED | UFFD), vma.pgoff, vma.file);
    child.vmas.insert(copy);
    if (vma.flags & WIPEONFORK) continue;
    copy.forkAnon(vma);
    if ((vma.anon || vma.flags & (MIXED | PFN)) && !copyEntries(parent, child, vma, copy)) return false;
  }
  return true;
}

/** Of private memory both sides lose the write bit, and no page is exclusive any more. */
function copyEntries(parent: Mm, child: Mm, vma: Vma, copy: Vma): boolean {
  const cow = !(vma.flags & SHARED);
  const event = vma.flags & HUGETLB ? "clear" : "prot_page";
  if (cow) parent.world.notify(parent, event, vma.start, vma.end);
  const pinned = cow && parent.hasPinned;
  if (pinned && !(vma.flags & HUGETLB))
    for (const [block, from] of blocksOf(vma.start, vma.end))
      if (parent.huge.has(block) && isPinned(parent.entries.get(from))) splitMapping(parent, from);
  for (let g = vma.start >> 18; g <= (vma.end - 1) >> 18; g++) if (parent.tables.has(g)) child.tables.add(g);
  for (const [block, from] of blocksOf(vma.start, vma.end))
    if (parent.leaves.has(block)) child.addTable(from);
  for (let pn = vma.start; pn < vma.end; pn++) {
    const entry = parent.entries.get(pn);
    if (!entry) continue;
    if (entry.lent) endLease(vma, entry);
    if (pinned && isPinned(entry)) {
      if (vma.flags & HUGETLB) {
        if (!copyBlock(parent, child, copy, pn)) return false;
        pn += HUGE_PAGES - 1;
      } else if (!copyPinned(child, copy, pn, entry.page!)) return false;
      continue;
    }
    entry.own = false;
    if (cow) entry.write = false;
    if (cow && entry.page) entry.page.exclusive = false;
    child.setEntry(pn, { ...entry });
  }
  for (const [block, from, to] of blocksOf(vma.start, vma.end))
    if (to - from === HUGE_PAGES) copyMark(parent, block, child, block);
  return true;
}

/** Is it an entry of a page that is its process's alone and pinned for long? */
function isPinned(entry: Entry | undefined): boolean {
  const page = entry?.page;
  if (!entry || !page || !present(entry) || (page.kind !== "anon" && page.kind !== "hugetlb")) return false;
  return page.exclusive && page.pinnedLong;
}

/** The child gets a copy of a pinned page. False: memory ran out. */
function copyPinned(child: Mm, copy: Vma, pn: number, from: Page): boolean {
  const page = child.world.newPage("anon", copy.anon, copy.offset(pn));
  if (!page) return false;
  page.content.copyFrom(from.content);
  child.setEntry(pn, { page, write: (copy.flags & W) !== 0, dirty: true });
  return true;
}

/** The child gets a copy of a pinned block of hugetlb pages. False: the pool is empty. */
function copyBlock(parent: Mm, child: Mm, copy: Vma, first: number): boolean {
  if (!mapNew(child, copy, first, true)) return false;
  for (let pn = first; pn < first + HUGE_PAGES; pn++)
    child.entries.get(pn)!.page!.content.copyFrom(parent.entries.get(pn)!.page!.content);
  return true;
}
