/** Moves pages from one device's memory to another's, as drivers do for devices with a link between them. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { MIGRATE_PFN_MIGRATE, MIGRATE_VMA_SELECT_DEVICE_PRIVATE } from "../../assembly/uapi/pfn.ts";
import type { PeerDevice } from "../device/peer-counts.ts";
import { migrateVmaSetup, type Mm } from "../index.ts";
import type { PageRange } from "./page-runs.ts";

/**
 * Moves the pages of a range that are in one device's memory to another's: migrate_vma with the first one's
 * owner, MIGRATE_VMA_SELECT_DEVICE_PRIVATE and pages of the second one as destinations. The CPU's entries
 * stay device-private throughout, and both devices' tables follow. mmapSem is held for read. Returns the
 * addresses of the pages that moved.
 */
export function moveAcross(mm: Mm, { start, end }: PageRange, from: PeerDevice, to: PeerDevice): number[] {
  const vma = mm.findVma(start);
  const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  using migration = migrateVmaSetup({ vma, start, end, owner: from.devmem.owner, select });
  const { src, dst } = migration;
  to.devmem.allocPages(src, dst);
  mm.hmm.copyPages(src, dst);
  migration.pages();
  to.table.mapMigrated(migration);
  const moved: number[] = [];
  src.forEach((word, i) => {
    if ((word & MIGRATE_PFN_MIGRATE) !== 0) moved.push(start + i * PAGE_SIZE);
  });
  for (const page of moved) from.table.clear(page, page + PAGE_SIZE);
  return moved;
}
