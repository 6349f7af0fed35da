/** Device-exclusive access: pages that a device has exclusively until a CPU touches them. */
import type { Folio } from "./huge.ts";
import { EAGAIN, EBUS, EBUSY, EFAULT, EOPNOTSUPP, type Entry, type Page, W } from "./page.ts";
import { mappingsOf } from "./ksm.ts";
import type { Mm } from "./mm.ts";
import type { Vma } from "./vma.ts";

/**
 * make_device_exclusive: faults pages from `a` in for writing, then makes the anonymous pages exclusive
 * ("lent"). `use` gets each page while it is locked, or null. Returns the number of pages reached, or the
 * first page's error.
 */
export function lend(
  mm: Mm,
  a: number,
  n: number,
  owner: number,
  use: (pn: number, page: Page) => void,
): number {
  const reached: Page[] = [];
  let error = 0;
  for (let pn = a; pn < a + n && !error; pn++) {
    error = mm.getPage(pn, true, false, true);
    const page = mm.entries.get(pn)?.page;
    if (!error && page) reached.push(page);
    if (!error && !page) error = -EBUSY;
  }
  reached.forEach((page, i) => {
    if (page.kind !== "anon" || page.locked) return;
    // A huge page is lent as a whole with its first page, and not for another page.
    if (page.folio && page !== page.folio.pages[0]) return;
    if (page.folio) lendFolio(page.folio, owner);
    else lendPage(page, owner);
    if (mm.entries.get(a + i)!.write) use(a + i, page);
  });
  return reached.length || error;
}

function lendPage(page: Page, owner: number): void {
  for (const [vma, pn] of mappingsOf(page)) {
    vma.mm.world.notify(vma.mm, "exclusive", pn, pn + 1, owner);
    const entry = vma.mm.entries.get(pn);
    if (entry?.page !== page) continue;
    entry.lent = true;
    page.lender = entry;
    break;
  }
}

function lendFolio(folio: Folio, owner: number): void {
  // Entries that already lend a part do not count as mappings.
  const unlent = (vma: Vma): Entry[] => {
    const [a, b] = folio.span(vma);
    const entries = Array.from({ length: b - a }, (_, i) => vma.mm.entries.get(a + i));
    return entries.filter((entry) => entry?.page?.folio === folio && !entry.lent) as Entry[];
  };
  for (const vma of folio.around()) {
    vma.mm.world.notify(vma.mm, "exclusive", ...folio.span(vma), owner);
    for (const entry of unlent(vma)) {
      entry.lent = true;
      entry.page!.lender = entry;
    }
    if (folio.around().every((one) => unlent(one).length === 0)) break;
  }
}

/**
 * The same in 7.3, page by page up to the first that cannot be lent, which is an error if it is the first.
 * The caller has pages that are lent locked, with a reference each, until the last one is. `use` gets each of
 * them. Returns their number, or the error.
 */
export function lendSingly(
  mm: Mm,
  a: number,
  n: number,
  owner: number,
  use: (pn: number, page: Page) => void,
): number {
  const held: Page[] = [];
  let error = 0;
  while (held.length < n && error === 0) {
    const pn = a + held.length;
    error = lendOne(mm, pn, owner);
    if (error) break;
    const page = mm.entries.get(pn)!.page!;
    page.locked = true;
    page.pins++;
    held.push(page);
  }
  held.forEach((page, i) => {
    page.locked = false;
    page.pins--;
    use(a + i, page);
  });
  return held.length || error;
}

/** Lends one page. Its entry is a mapping as before, and only its own process hears of it. */
function lendOne(mm: Mm, pn: number, owner: number): number {
  const error = mm.getPage(pn, true, false, true);
  if (error) return error === -EBUS ? -EFAULT : error;
  const entry = mm.entries.get(pn)!;
  if (entry.page?.kind !== "anon") return -EOPNOTSUPP;
  if (entry.page.locked) return -EAGAIN;
  mm.world.notify(mm, "exclusive", pn, pn + 1, owner);
  if (!entry.write) return -EBUSY;
  entry.lent = true;
  entry.page.dirty = true;
  return 0;
}

/** The CPU takes a page back. */
export function takeBack(mm: Mm, vma: Vma, pn: number): number {
  const { newer } = mm.world;
  mm.world.notify(mm, newer ? "clear" : "exclusive", pn, pn + 1);
  endLease(vma, mm.entries.get(pn)!);
  return 0;
}

/** A page that a device had for itself is there again: in 7.3 writable if it may be, in 6.12 if it was. */
export function endLease(vma: Vma, entry: Entry): void {
  entry.lent = false;
  if (vma.mm.world.newer) entry.write = entry.page!.exclusive && (vma.flags & W) !== 0;
  entry.dirty = entry.write;
}
