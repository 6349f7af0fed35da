// A device's own page table learns what a migration moved, between pages() and finalize().

import { EINVAL } from "../../uapi/errno";
import { MIGRATE_PFN_MIGRATE } from "../../uapi/pfn";
import { PTE_KIND_MIGRATION, PTE_PRESENT, PTE_WRITE } from "../../uapi/pte";
import { MIGRATION_PAGES } from "../../abi/object";
import { exists } from "../base/object";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { isDevicePfn } from "../frame/folio";
import { DeviceTable, deviceTableOf } from "../space/device-table";
import { hasPage, mapsPage, Migration, migrationOf, pagesOf, pfnOf } from "../space/migration";
import { mmAt } from "../space/mm";
import { DEVICE_OWNER, leafEnd, leafTable, slotOf, walkAlloc } from "../table/pagetable";

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
  for (let i: u32 = 0; i < m.npages;) {
    const addr = m.start + ((<u64>i) << 12);
    const pages = <u32>((leafEnd(addr, m.end) - addr) >> 12);
    mapped += mapLeaf(tableId, table, m, i, pages);
    i += pages;
  }
  return mapped;
}

/** Maps or clears the pages [i, i + n), whose entries lie in one leaf table. Returns how many it mapped. */
function mapLeaf(tableId: u32, table: DeviceTable, m: Migration, i: u32, n: u32): i32 {
  const start = m.start + ((<u64>i) << 12);
  // Entries of a table that is missing read as 0.
  let cpu = slotOf(leafTable(mmAt(m.mm).pgd, start), start);
  let leaf = leafTable(table.root, start);
  let from: u32 = 0;
  let to: u32 = 0;
  let left: u32 = 0; // pages of the present unit
  let mapped = 0;
  for (let j: u32 = 0; j < n; j++, cpu += 8) {
    if (left) {
      if (hasPage(from)) from++;
      to++;
    } else {
      from = m.source(i + j);
      if (!(from & MIGRATE_PFN_MIGRATE)) continue;
      to = pfnOf(m.target(i + j));
      left = pagesOf(from);
    }
    left--;
    const addr = start + ((<u64>j) << 12);
    const pte: u64 = isDevicePfn(to) ? movedEntry(from, to, load<u64>(cpu)) : 0;
    if (!leaf && pte && walkAlloc(table.root, DEVICE_OWNER | tableId, addr))
      leaf = leafTable(table.root, addr);
    // Where no table can be made there is no stale entry either.
    if (!leaf) continue;
    const slot = slotOf(leaf, addr);
    table.entries += (pte ? 1 : 0) - (load<u64>(slot) ? 1 : 0);
    store<u64>(slot, pte);
    mapped += pte ? 1 : 0;
  }
  return mapped;
}

/**
 * The device's entry for the page `to`, which was the page of the word `from`, or a hole. The CPU's entry is
 * `pte`: fork may have cleared its write bit since setup. 0 if it has been dropped (MADV_DONTNEED).
 */
@inline
function movedEntry(from: u32, to: u32, pte: u64): u64 {
  const isThere = hasPage(from)
    ? !ptePresent(pte) && pteKind(pte) == PTE_KIND_MIGRATION && ptePfn(pte) == pfnOf(from)
    : mapsPage(pte, to);
  return isThere ? makePte(to, (<u32>PTE_PRESENT) | (pteFlags(pte) & PTE_WRITE)) : 0;
}
