/** Ranges of pages, and pages as bits of an aligned 64 KiB. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";

/** A range of pages, by the addresses of its first byte and of the first one after it. */
export interface PageRange {
  start: number;
  end: number;
}

/** Returns the runs of a range's pages that a test takes. */
export function runsWhere({ start, end }: PageRange, test: (page: number) => boolean): PageRange[] {
  const runs: PageRange[] = [];
  for (let page = start; page < end; page += PAGE_SIZE) {
    if (!test(page)) continue;
    const run = runs.at(-1);
    if (run?.end === page) run.end += PAGE_SIZE;
    else runs.push({ start: page, end: page + PAGE_SIZE });
  }
  return runs;
}

/** All pages of an aligned 64 KiB. */
const ALL_PAGES = (1 << CLUSTER_PAGES) - 1;

/**
 * Calls `visit` for each run of neighboring pages of a range whose bits are set, from its first byte to the
 * first one after it. `bits` returns those of the aligned 64 KiB at an address, and none outside the range.
 */
export function eachRun(
  { start, end }: PageRange,
  bits: (base: number) => number,
  visit: (first: number, end: number) => void,
): void {
  let first = -1;
  let base = roundDown(start, CLUSTER_SIZE);
  for (; base < end; base += CLUSTER_SIZE) {
    const word = bits(base);
    if (word === (first < 0 ? 0 : ALL_PAGES)) continue;
    if (word === 0 || word === ALL_PAGES) {
      if (first >= 0) visit(first, base);
      first = first >= 0 ? -1 : base;
      continue;
    }
    for (let i = 0; i < CLUSTER_PAGES; i++) {
      if (((word >> i) & 1) === (first < 0 ? 0 : 1)) continue;
      const page = base + i * PAGE_SIZE;
      if (first >= 0) visit(first, page);
      first = first >= 0 ? -1 : page;
    }
  }
  if (first >= 0) visit(first, base);
}

/** The bit of a page in a word that has one for each page of its aligned 64 KiB. */
export function pageBit(page: number): number {
  return 1 << ((page / PAGE_SIZE) & (CLUSTER_PAGES - 1));
}

/** Whether the bit of a page is set in such a word. */
export function hasPage(bits: number, page: number): boolean {
  return (bits & pageBit(page)) !== 0;
}

/** Returns which of some pages lie in the aligned 64 KiB at `base`, a bit each. */
export function bitsIn(base: number, pages: readonly number[]): number {
  const inside = pages.filter((page) => page >= base && page < base + CLUSTER_SIZE);
  return inside.reduce((bits, page) => bits | pageBit(page), 0);
}

/** How many pages of an aligned 64 KiB have their bits set. */
export function bitCount(bits: number): number {
  bits -= (bits >> 1) & 0x5555;
  bits = (bits & 0x3333) + ((bits >> 2) & 0x3333);
  bits = (bits + (bits >> 4)) & 0x0f0f;
  return (bits + (bits >> 8)) & 0x1f;
}
