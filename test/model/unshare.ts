/** Pins for long, to read, of the reference model: a page that a write would copy away is unshared first. */
import { blockOf, splitMapping } from "./huge.ts";
import { hugetlbFault } from "./hugetlb.ts";
import type { Mm } from "./mm.ts";
import { HUGE_PAGES, type Entry } from "./page.ts";
import { HUGETLB, SHARED, type Vma } from "./vma.ts";

/** Would a write, by whomever, give the entry another page? */
export function isShared(vma: Vma, { page }: Entry): boolean {
  if (page?.kind === "anon" || page?.kind === "hugetlb") return !page.exclusive;
  return !(vma.flags & SHARED);
}

/** A fault: a page that is the mapping's alone takes the entry's place, or becomes that. 0 or an error. */
export function unshare(mm: Mm, vma: Vma, pn: number): number {
  const error = handle(mm, vma, pn);
  if (error === 0) mm.count(mm.lastFault);
  return error;
}

function handle(mm: Mm, vma: Vma, pn: number): number {
  if (vma.flags & HUGETLB) {
    const done = hugetlbFault(mm, vma, pn, false, true);
    return typeof done === "number" ? done : mm.as(done, 0);
  }
  const { page } = mm.entries.get(pn)!;
  if (mm.huge.has(blockOf(pn))) {
    if (page?.folio?.refs === HUGE_PAGES) {
      for (const one of page.folio.pages) {
        if (vma.anon) one.home = vma.anon;
        one.exclusive = true;
      }
      return mm.as("reuse", 0);
    }
    splitMapping(mm, pn);
  }
  if (page?.kind === "anon" && !page.merged && mm.onlyOurs(page)) {
    mm.makeExclusive(vma, page);
    return mm.as("reuse", 0);
  }
  const error = mm.copyToNew(vma, pn, page);
  if (error === 0) Object.assign(mm.entries.get(pn)!, { write: false, dirty: false });
  return mm.as("cow", error);
}
