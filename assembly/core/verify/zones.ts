// verify(), of frames and tables of objects: free lists, swap slots, memory cgroups, pools.

import { FOLIO_ANON_EXCLUSIVE, FOLIO_FREE, FOLIO_SWAP_CACHE } from "../../abi/frame";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_NEXT,
  HDR_SYSTEM_FRAMES,
  HDR_VERIFY_A,
  HDR_VERIFY_B,
  HDR_VERIFY_C,
  HDR_VERIFY_CODE,
  HDR_VERIFY_MM,
} from "../../abi/header";
import { MEMCG_USAGE } from "../../abi/object";
import { POOL_COUNT, POOL_FREE, POOL_HIGH, RESOURCE_MEMCG } from "../../abi/pool";
import {
  VERIFY_EXCLUSIVE,
  VERIFY_FREE_LIST,
  VERIFY_MEMCG,
  VERIFY_OK,
  VERIFY_POOL,
  VERIFY_REFCOUNT,
  VERIFY_RMAP,
} from "../../abi/verify";
import { SWAP_ZONE, ZONE_COUNT } from "../../abi/zone";
import { header, pool, RESERVED_FRAMES, setHeader, setHeaderF64 } from "../base/layout";
import { poolHigh, poolUsed } from "../base/pool";
import { folioOf } from "../frame/folio";
import { memcgOf } from "../frame/memcg";
import { blockOf, zoneOf } from "../frame/zone";
import { swapSlotOf } from "../space/swap";

/** Notes the first broken invariant. */
export function broken(code: u32, mm: u32, a: u64, b: u64 = 0, c: u64 = 0): void {
  if (header(HDR_VERIFY_CODE) != VERIFY_OK) return;
  setHeader(HDR_VERIFY_CODE, code);
  setHeader(HDR_VERIFY_MM, mm);
  setHeaderF64(HDR_VERIFY_A, a);
  setHeaderF64(HDR_VERIFY_B, b);
  setHeaderF64(HDR_VERIFY_C, c);
}

/** Swap slots, when the entries have taken their shares: none is left, and none is unused and not free. */
export function checkSlots(): void {
  const zone = zoneOf(SWAP_ZONE);
  for (let slot = zone.pfnFirst; slot < zone.pfnEnd; slot++) {
    const folio = folioOf(slot);
    if (folio.refcount) broken(VERIFY_REFCOUNT, 0, slot, 0, folio.refs);
    const page = folio.has(FOLIO_FREE) ? 0 : folio.index;
    if (page && (!folioOf(page).has(FOLIO_SWAP_CACHE) || swapSlotOf(page) != slot))
      broken(VERIFY_RMAP, 0, slot, page);
  }
}

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
    if (free != zone.freePages) broken(VERIFY_FREE_LIST, 0, id, free, zone.freePages);
    let queued: u32 = 0;
    for (let pfn = zone.freedHead; pfn; pfn = folioOf(pfn).index) {
      if (!folioOf(pfn).has(FOLIO_FREE)) broken(VERIFY_FREE_LIST, 0, pfn);
      queued++;
    }
    if (queued != zone.freedCount) broken(VERIFY_FREE_LIST, 0, id, queued, zone.freedCount);
  }
}

export function checkGroups(): void {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MEMCG); id++) {
    const group = memcgOf(id);
    if (!group) continue;
    let charged: u32 = 0;
    const systemEnd = RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES);
    for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn++) {
      if (pfn == systemEnd) pfn = header(HDR_DEVICE_BASE);
      if (pfn >= header(HDR_DEVICE_NEXT)) break;
      if (folioOf(pfn).memcg == id) charged++;
    }
    if (charged != load<u32>(group, MEMCG_USAGE))
      broken(VERIFY_MEMCG, 0, id, charged, load<u32>(group, MEMCG_USAGE));
  }
}

/** used + free list = ids ever handed out. */
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
