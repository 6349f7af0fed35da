// verify(): frames and pools. What is left of the counts, free frames, swap slots, memory cgroups.

import { MIGRATE_PFN_VALID } from "../../uapi/pfn";
import { FOLIO_ANON_EXCLUSIVE, FOLIO_FREE, FOLIO_LOCKED, FOLIO_SWAP_CACHE } from "../../abi/frame";
import {
  HDR_DEVICE_NEXT,
  HDR_EXTERNAL_REFS,
  HDR_UNLOCKED_PAGES,
  HDR_FLAGS,
  HDR_FLAG_TABLES_COUNT,
  HDR_HUGE_ZERO,
  HDR_ZERO_PFN,
} from "../../abi/header";
import { MEMCG_USAGE } from "../../abi/object";
import { POOL_COUNT, POOL_FREE, POOL_HIGH, RESOURCE_MEMCG, RESOURCE_MIGRATION } from "../../abi/pool";
import {
  VERIFY_EXCLUSIVE,
  VERIFY_FREE_LIST,
  VERIFY_LOCKED,
  VERIFY_MAPCOUNT,
  VERIFY_MEMCG,
  VERIFY_POOL,
  VERIFY_REFCOUNT,
  VERIFY_RMAP,
} from "../../abi/verify";
import { SWAP_ZONE, ZONE_COUNT } from "../../abi/zone";
import { header, LARGE_PAGES, pool, RESERVED_FRAMES } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolUsed } from "../base/pool";
import { folioOf } from "../frame/folio";
import { memcgOf } from "../frame/memcg";
import { blockOf, pfnAfter, zoneOf } from "../frame/zone";
import { commandsHold } from "../operation/cmd";
import { migrationOf, pagesOf } from "../space/migration";
import { swapSlotOf } from "../space/swap";
import { countSpaceTables } from "../table/pagetable";
import { broken } from "./broken";

/** Checks the counts that are left when each entry has taken its share. `busy`: pages may be locked. */
export function checkFolios(busy: bool): void {
  let left: u64 = 0;
  let cached: u64 = 0;
  for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn = pfnAfter(pfn)) {
    const folio = folioOf(pfn);
    if (folio.mapcount) broken(VERIFY_MAPCOUNT, 0, pfn, 0, folio.maps);
    if (folio.has(FOLIO_FREE) ? folio.refcount != 0 : folio.refcount > 0xfff000)
      broken(VERIFY_REFCOUNT, 0, pfn, 0, folio.refs);
    if (folio.has(FOLIO_LOCKED) && !busy) broken(VERIFY_LOCKED, 0, pfn);
    left += folio.refcount;
    if (folio.has(FOLIO_SWAP_CACHE)) cached++;
  }
  checkSlots();
  left += folioOf(header(HDR_ZERO_PFN)).refcount - 1;
  let explained: u64 =
    header(HDR_EXTERNAL_REFS) +
    header(HDR_UNLOCKED_PAGES) +
    commandsHold() +
    cached +
    (header(HDR_HUGE_ZERO) ? LARGE_PAGES : 0);
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    if (!exists(m)) continue;
    for (let i: u32 = 0; i < m.npages; i++)
      if (m.source(i) & (<u32>MIGRATE_PFN_VALID)) explained += pagesOf(m.source(i));
  }
  if (left != explained) broken(VERIFY_REFCOUNT, 0, 0, explained, left);
}

/**
 * Checks swap slots, when each entry has taken its share: no reference is left, and the swap cache agrees.
 */
function checkSlots(): void {
  const zone = zoneOf(SWAP_ZONE);
  for (let slot = zone.pfnFirst; slot < zone.pfnEnd; slot++) {
    const folio = folioOf(slot);
    if (folio.refcount) broken(VERIFY_REFCOUNT, 0, slot, 0, folio.refs);
    const page = folio.has(FOLIO_FREE) ? 0 : folio.index;
    if (page && (!folioOf(page).has(FOLIO_SWAP_CACHE) || swapSlotOf(page) != slot))
      broken(VERIFY_RMAP, 0, slot, page);
  }
}

/** Checks the bitmaps, the numbers of free frames and the queues of freed device pages. */
export function checkZones(): void {
  for (let id: u32 = 0; id < <u32>ZONE_COUNT; id++) {
    const zone = zoneOf(id);
    if (!zone.flags) continue;
    let free: u32 = 0;
    for (let pfn = zone.pfnFirst; pfn < zone.pfnEnd; pfn++) {
      const bit = (load<u64>(blockOf(pfn) + ((pfn & 511) >> 6) * 8) >> (pfn & 63)) & 1;
      const folio = folioOf(pfn);
      if (bit) free++;
      if (bit && !folio.has(FOLIO_FREE)) broken(VERIFY_FREE_LIST, 0, pfn);
      if (!id && !bit && folio.has(FOLIO_FREE)) broken(VERIFY_FREE_LIST, 0, pfn);
      if (folio.has(FOLIO_ANON_EXCLUSIVE) && folio.mapcount > 1) broken(VERIFY_EXCLUSIVE, 0, pfn);
    }
    if (!id && header(HDR_FLAGS) & HDR_FLAG_TABLES_COUNT && countSpaceTables() != zone.tables)
      broken(VERIFY_FREE_LIST, 0, id, countSpaceTables(), zone.tables);
    if (free != zone.freePages) broken(VERIFY_FREE_LIST, 0, id, free, zone.freePages);
    let queued: u32 = 0;
    for (let pfn = zone.freedHead; pfn; pfn = folioOf(pfn).index) {
      if (!folioOf(pfn).has(FOLIO_FREE)) broken(VERIFY_FREE_LIST, 0, pfn);
      queued++;
    }
    if (queued != zone.freedCount) broken(VERIFY_FREE_LIST, 0, id, queued, zone.freedCount);
  }
}

/** Checks the charge of each memory cgroup. */
export function checkGroups(): void {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MEMCG); id++) {
    const group = memcgOf(id);
    if (!group) continue;
    let charged: u32 = 0;
    for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn = pfnAfter(pfn)) {
      if (folioOf(pfn).memcg == id) charged++;
    }
    if (charged != load<u32>(group, MEMCG_USAGE))
      broken(VERIFY_MEMCG, 0, id, charged, load<u32>(group, MEMCG_USAGE));
  }
}

/** Checks that objects in use and free objects add up to the ids ever handed out, in each pool. */
export function checkPools(): void {
  for (let table: u32 = 0; table < <u32>POOL_COUNT; table++) {
    const p = pool(table);
    let free: u32 = 0;
    const high = load<u32>(p, POOL_HIGH);
    for (let object: usize = load<u32>(p, POOL_FREE); object && free <= high; object = load<u32>(object))
      free++;
    if (free + poolUsed(table) != high) broken(VERIFY_POOL, 0, table, free + poolUsed(table), high);
  }
}
