// A device's own page table learns what a migration moved, between pages() and finalize().

import { EINVAL } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { MIGRATE_PFN_MIGRATE } from "../../uapi/pfn";
import { PTE_KIND_MIGRATION, PTE_PRESENT, PTE_WRITE } from "../../uapi/pte";
import { MIGRATION_PAGES } from "../../abi/object";
import { exists } from "../base/object";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { isDevicePfn } from "../frame/folio";
import { clearDeviceRange, DeviceTable, deviceTableOf, deviceTableSet } from "../space/device-table";
import { hasPage, mapsPage, Migration, migrationOf, pagesOf, pfnOf } from "../space/migration";
import { mmAt } from "../space/mm";
import { readPte } from "../table/pagetable";

/**
 * Maps the pages that a migration moved to a device in the device's table, and clears the entries of those
 * that left for RAM. Returns how many it mapped, or -EINVAL if migratePages() has not run or the ids name
 * nothing.
 */
export function deviceTableMapMigrated(tableId: u32, migrationId: u32): i32 {
  const table = deviceTableOf(tableId);
  const m = migrationOf(migrationId);
  if (!exists(table) || !exists(m) || m.state != MIGRATION_PAGES || !m.mm) return -EINVAL;
  let mapped = 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    for (let j: u32 = 0; j < pagesOf(word); j++) mapped += mapOne(tableId, table, m, i, j);
  }
  return mapped;
}

/** Maps or clears page j of the unit (or the page) at index i. 1 if the device's table maps it now. */
function mapOne(tableId: u32, table: DeviceTable, m: Migration, i: u32, j: u32): i32 {
  const word = m.source(i);
  const page = hasPage(word) ? word + j : word;
  const addr = m.start + ((<u64>(i + j)) << 12);
  const to = pfnOf(m.target(i)) + j;
  const entry: u64 = isDevicePfn(to) ? entryOf(m, page, addr, to) : 0;
  if (!entry) {
    clearDeviceRange(table, addr, addr + PAGE_SIZE);
    return 0;
  }
  const pte = makePte(to, (<u32>PTE_PRESENT) | (pteFlags(entry) & PTE_WRITE));
  // Where no table can be made there is no stale entry either.
  return deviceTableSet(tableId, table, addr, pte) ? 1 : 0;
}

/**
 * The CPU's entry of the page, whose write bit fork may have cleared since setup; 0 if the entry has been
 * dropped (MADV_DONTNEED).
 */
function entryOf(m: Migration, word: u32, addr: u64, to: u32): u64 {
  const pte = readPte(mmAt(m.mm).pgd, addr);
  if (!hasPage(word)) return mapsPage(pte, to) ? pte : 0;
  return !ptePresent(pte) && pteKind(pte) == PTE_KIND_MIGRATION && ptePfn(pte) == pfnOf(word) ? pte : 0;
}
