/** Collects the candidates of a migration, with the walk over all mappings of a page. */
import { blocksOf, splitFolio, splitMapping, type Folio } from "./huge.ts";
import { mappingsOf } from "./ksm.ts";
import type { Mm } from "./mm.ts";
import { HUGE_PAGES, isZero, RAM, type Entry, type Page } from "./page.ts";
import type { World } from "./world.ts";

/**
 * Tells every vma that could map the page, in tree order, until no mapping is left. The migrating process's
 * own entry was taken before and does not count, but its vma hears the event like the others.
 */
export function unmapEverywhere(page: Page, taker: Mm | null, taken: number): void {
  let left = page.maps - (taker ? 1 : 0);
  if (left === 0) return;
  // The walk may meet a merged page's addresses twice.
  const met = new Set<Entry>();
  for (const [vma, pn] of mappingsOf(page)) {
    vma.mm.world.notify(vma.mm, "clear", pn, pn + 1);
    const own = vma.mm === taker && pn === taken;
    const entry = vma.mm.entries.get(pn);
    if (!own && entry?.page === page && !met.has(entry)) {
      met.add(entry);
      endLease(entry);
      left--;
    }
    if (left === 0) return;
  }
  throw new Error("model: a mapping is in no vma that could map the page");
}

/** What a device had for itself comes back as a page to read (7.3). */
function endLease(entry: Entry): void {
  if (entry.lent) Object.assign(entry, { lent: false, write: false });
}

/**
 * References other than mappings keep a page in place; one such reference of a device page shows only at the
 * end.
 */
export function mayMove(page: Page): boolean {
  return page.held <= (page.place === RAM ? 0 : 1);
}

/** A candidate: a page, or (null) a hole or a zero page. */
export interface Single {
  pn: number;
  page: Page | null;
}

/** A block that moves as one: a huge page, or (null) a hole or the huge zero page. */
export interface Whole {
  pn: number;
  folio: Folio | null;
}

export interface Choice {
  /** Whether holes and zero pages are candidates. */
  holes: boolean;
  zeros: boolean;
  wants: (page: Page) => boolean;
  /** Whether huge pages may move as one. */
  compound: boolean;
  /** Whether the migration serves a fault. */
  fault?: boolean;
}

/** Returns the candidates in the vma's part [a, b). */
export function collect(mm: Mm, a: number, b: number, choice: Choice): (Single | Whole)[] {
  const blocks = blocksOf(a, b).map(([block, from, to]) => {
    const whole = choice.compound && to - from === HUGE_PAGES;
    return { block, from, to, unit: whole ? unitAt(mm, block, from, b - a, choice) : undefined };
  });
  for (const { block, from, unit } of blocks)
    if (unit === undefined && mm.huge.has(block)) splitHuge(mm, from, choice);
  // A merged page is one candidate for all its addresses.
  const seen = new Set<Page>();
  const taken = blocks.flatMap(({ from, to, unit }): (Single | Whole)[] => {
    if (unit === undefined) return singles(mm, from, to, choice, seen);
    return unit?.pages.some(({ locked }) => locked) ? [] : [{ pn: from, folio: unit }];
  });
  const candidates = parts(mm, taken, choice);
  // A hole counts, though it stays one on the way to system memory.
  if (candidates.length > 0 || hasHole(mm, a, b)) mm.world.drain();
  for (const one of candidates) if ("page" in one && one.page) noteWrites(mm.world, new Set([one.page]));
  return candidates.filter((one) => isFree(mm, one));
}

/**
 * What entries knew of writes is their pages' now: also that of a page that will stay, unless it is pinned
 * for long and exclusive, which collecting leaves alone.
 */
export function noteWrites(world: World, pages: ReadonlySet<Page>): void {
  for (const { entries } of world.mms.values())
    for (const { page, dirty } of entries.values())
      if (dirty && page?.kind === "anon" && pages.has(page) && !(page.exclusive && page.pinnedLong))
        page.dirty = true;
}

function hasHole(mm: Mm, a: number, b: number): boolean {
  if (!mm.vmas.find(a)!.anonymous) return false;
  for (let pn = a; pn < b; pn++) if (!mm.entries.has(pn)) return true;
  return false;
}

/** Returns the huge page or the hole (null) of a block that can move as one. */
function unitAt(mm: Mm, block: number, pn: number, pages: number, choice: Choice): Folio | null | undefined {
  const hole = pages === HUGE_PAGES && mm.vmas.find(pn)!.anonymous;
  if (!mm.leaves.has(block)) return hole && choice.holes ? null : undefined;
  const entry = mm.entries.get(pn);
  if (!mm.huge.has(block) || !entry) return undefined;
  const { page } = entry;
  if (page) return choice.wants(page) ? page.folio! : undefined;
  return hole && choice.zeros ? null : undefined;
}

/**
 * Splits huge mappings, before their single pages can move. 7.3 leaves pages alone that are not wanted, and
 * splits the huge zero page when it fills the first hole.
 */
function splitHuge(mm: Mm, pn: number, { wants }: Choice): void {
  const page = mm.entries.get(pn)!.page;
  if (mm.world.newer && !(page && wants(page))) return;
  const folio = page?.folio;
  if (folio) splitFolio(folio);
  else splitMapping(mm, pn);
}

function singles(mm: Mm, a: number, b: number, choice: Choice, seen: Set<Page>): Single[] {
  const { holes, zeros, wants } = choice;
  const found: Single[] = [];
  const { anonymous } = mm.vmas.find(a)!;
  for (let pn = a; pn < b; pn++) {
    const entry = mm.entries.get(pn);
    const page = entry?.page;
    if (!page) {
      if (entry ? zeros && isZero(entry) : holes && anonymous) found.push({ pn, page: null });
    } else if (entry.lent) {
      // The split of its folio may make it present.
      if (mm.world.newer && page.folio && wants(page)) found.push({ pn, page });
    } else if (!page.locked && wants(page) && !seen.has(page)) {
      // 7.3 looks no further in a block than a huge page that cannot be split.
      if (mm.world.newer && page.folio?.held) break;
      seen.add(page);
      found.push({ pn, page });
    }
  }
  return found;
}

/** Splits huge pages whose single pages will move (7.3); in 6.12 these pages stay. */
function parts(mm: Mm, taken: (Single | Whole)[], { zeros, fault }: Choice): (Single | Whole)[] {
  return taken.flatMap((one) => {
    if (!("page" in one) || !one.page) return [one];
    const { pn, page } = one;
    if (mm.huge.has(Math.floor(pn / HUGE_PAGES)) || mm.entries.get(pn)?.lent) return [];
    const { folio } = page;
    if (folio && mm.world.newer) splitFolio(folio);
    if (page.folio) return [];
    // A fault on another page than the first only splits the huge page.
    if (folio && fault && page !== folio.pages[0]) return [];
    const now = mm.entries.get(pn)?.page ?? null;
    return now || zeros ? [{ pn, page: now }] : [];
  });
}

/** Whether a page has no other holder after the walk over its mappings. */
function isFree(mm: Mm, one: Single | Whole): boolean {
  if ("page" in one) {
    if (one.page) unmapEverywhere(one.page, mm, one.pn);
    return !one.page || mayMove(one.page);
  }
  const { folio, pn } = one;
  if (folio) unmapHuge(folio, mm, pn);
  return !folio || folio.pages.every(mayMove);
}

/** The same for a huge page that the migrating process, if one does, had at `taken`. */
export function unmapHuge(folio: Folio, taker: Mm | null, taken: number): void {
  let left = folio.maps - (taker ? HUGE_PAGES : 0);
  for (const vma of folio.around()) {
    if (left === 0) return;
    const [a, b] = folio.span(vma);
    vma.mm.world.notify(vma.mm, "clear", a, b);
    left -= folio.mappedIn(vma.mm, a, b) - (vma.mm === taker && a <= taken && taken < b ? HUGE_PAGES : 0);
  }
}
