// What a device's own table learns of a migration.

import { EINVAL } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID } from "../../uapi/pfn";
import { PTE_KIND_MIGRATION, PTE_PRESENT, PTE_WRITE } from "../../uapi/pte";
import { MIGRATION_PAGES } from "../../abi/object";
import { exists } from "../base/object";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { isDevicePfn } from "../frame/folio";
import { clearDeviceRange, DeviceTable, deviceTableOf, deviceTableSet } from "../space/device-table";
import { mapsPage, Migration, migrationOf, pagesOf, pfnOf } from "../space/migration";
import { mmAt } from "../space/mm";
import { readPte } from "../table/pagetable";

/** Between pages() and finalize(): a device's table learns what moved to a device, and forgets what left for RAM. */
export function deviceTableMapMigrated(tableId: u32, migrationId: u32): i32 {
  const table = deviceTableOf(tableId);
  const m = migrationOf(migrationId);
  if (!changetype<usize>(table) || !exists(m) || m.state != MIGRATION_PAGES || !m.mm) return -EINVAL;
  let mapped = 0;
  for (let i: u32 = 0; i < m.npages; i++) {
    const word = m.source(i);
    if (!(word & MIGRATE_PFN_MIGRATE)) continue;
    for (let j: u32 = 0; j < pagesOf(word); j++) mapped += mapOne(tableId, table, m, i, j);
  }
  return mapped;
}

/** Page j of slot i's unit. 1 if the device has it now. */
function mapOne(tableId: u32, table: DeviceTable, m: Migration, i: u32, j: u32): i32 {
  const word = m.source(i);
  const page = word & (<u32>MIGRATE_PFN_VALID) ? word + j : word;
  const addr = m.start + ((<u64>(i + j)) << 12);
  const to = pfnOf(m.target(i)) + j;
  const entry: u64 = isDevicePfn(to) ? entryOf(m, page, addr, to) : 0;
  if (!entry) {
    clearDeviceRange(table, addr, addr + PAGE_SIZE);
    return 0;
  }
  const pte = makePte(to, (<u32>PTE_PRESENT) | (pteFlags(entry) & PTE_WRITE));
  // A slot that no table can be made for has no stale entry either.
  return deviceTableSet(tableId, table, addr, pte) ? 1 : 0;
}

/**
 * The CPU's entry as it stands for the page now; 0 if it was dropped (MADV_DONTNEED) since setup. It may have lost its
 * write bit since then, too (fork).
 */
function entryOf(m: Migration, word: u32, addr: u64, to: u32): u64 {
  const pte = readPte(mmAt(m.mm).pgd, addr);
  if (!(word & (<u32>MIGRATE_PFN_VALID))) return mapsPage(pte, to) ? pte : 0;
  return !ptePresent(pte) && pteKind(pte) == PTE_KIND_MIGRATION && ptePfn(pte) == pfnOf(word) ? pte : 0;
}
