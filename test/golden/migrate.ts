/** The test driver's part of migrations: destinations, copies, its table. README.md lists its quirks. */
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  PAGE_SIZE,
  PMD_PAGES,
  type Migration,
  type Page,
  type Vma,
} from "../../src/index.ts";
import type { GoldenHandle } from "./driver.ts";

/** In src: a page that will move or, after pages(), has moved. */
const CANDIDATE_PAGE = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

export function isCandidatePage(word: number): boolean {
  return (word & CANDIDATE_PAGE) >>> 0 === CANDIDATE_PAGE;
}

/** Returns the number of pages that a word stands for. */
function pagesOf(word: number): number {
  return (word & MIGRATE_PFN_COMPOUND) !== 0 ? PMD_PAGES : 1;
}

/** Enters 512 single pages, as far as there are any, as the destinations of the huge page at index i. */
function allocSmall(m: Migration, i: number, alloc: () => Page): void {
  for (let k = 0; k < PMD_PAGES; k++) {
    const page = alloc();
    if (page !== 0) m.dst[i + k] = migratePfn(page);
  }
}

/** Migrates [start, end) of a vma to the handle's device, and enters what moved in its table. */
export function migrateToDevice(handle: GoldenHandle, vma: Vma, start: number, end: number): void {
  const { device, table } = handle;
  const select = MIGRATE_VMA_SELECT_SYSTEM | handle.compound;
  using m = migrateVmaSetup({ vma, start, end, owner: device, select });
  const before = m.src.slice();
  const wanted = m.src.slice();
  for (let i = 0; i < m.npages; i += pagesOf(before[i])) {
    if ((before[i] & MIGRATE_PFN_MIGRATE) === 0) continue;
    const large = pagesOf(before[i]) > 1;
    // A coherent device has no huge pages. Where a huge one is not to be had, the driver takes small ones.
    if (!(large && device.coherent) && !handle.takeFailure()) continue;
    wanted[i] = 0;
    if (large) allocSmall(m, i, () => device.devmem.allocPage());
  }
  device.devmem.allocPages(wanted, m.dst);
  device.hmm.copyPages(m.src, m.dst);
  for (const word of m.dst) {
    if (word === 0) continue;
    const first = migratePfnToPage(word);
    for (let page = first; page < first + pagesOf(word); page++) device.owners.set(page, handle);
  }
  m.pages();
  table.mapMigrated(m);
  if (!handle.rules.huge) return;
  // The driver of 7.3 lets the device write where the source could be written: not where there was none.
  for (let i = 0; i < m.npages; i += pagesOf(before[i])) {
    const address = start + i * PAGE_SIZE;
    if ((m.src[i] & MIGRATE_PFN_MIGRATE) === 0 || m.dst[i] === 0) continue;
    if ((before[i] & MIGRATE_PFN_WRITE) === 0)
      table.protect(address, address + pagesOf(before[i]) * PAGE_SIZE);
  }
}

/**
 * Gives each candidate a page of system memory, and drops its device entry before the page has moved. Returns
 * false, and gives none, if an allocation fails.
 */
export function copyToSystem(handle: GoldenHandle, m: Migration): boolean {
  const { hmm } = handle.device;
  // Holes are candidates too and stay holes.
  const wanted = m.src.map((word) => (isCandidatePage(word) ? word : 0));
  for (let i = 0; i < m.npages; i += pagesOf(wanted[i])) {
    if (wanted[i] === 0) continue;
    const n = pagesOf(wanted[i]);
    const address = m.start + i * PAGE_SIZE;
    if (handle.takeFailure()) {
      if (n === 1) return false;
      wanted[i] = 0;
      allocSmall(m, i, () => hmm.allocPage());
      i += PMD_PAGES - 1;
    }
    handle.drop(address, address + n * PAGE_SIZE);
  }
  hmm.allocPages(wanted, m.dst);
  hmm.copyPages(m.src, m.dst);
  return true;
}
