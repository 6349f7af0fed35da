// The devices' pages in the order of their use (frame/recency.ts), and where an address space maps them.

import { EINVAL } from "../../uapi/errno";
import { HDR_RESULT, HDR_XBUF } from "../../abi/header";
import { header, setHeaderF64 } from "../base/layout";
import { ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { nextUseAfter, oldestUse, pfnUsedAt, usesAreKept } from "../frame/recency";
import { zoneOfPfn } from "../frame/zone";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "../space/rmap";
import { walk } from "../table/pagetable";

/** An address at which mm maps the page; 0 if there is none. */
function addressIn(mmId: u32, pfn: u32): u64 {
  const folio = folioOf(pfn);
  for (let link = rmapFirst(folio); link; link = rmapNext(link, folio)) {
    const vma = rmapVma(link, folio);
    if (vma.mmId != mmId) continue;
    const addr = rmapAddress(vma, folio, link);
    const slot = walk(vma.mm.pgd, addr);
    if (slot && ptePfn(load<u64>(slot)) == pfn) return addr;
  }
  return 0;
}

/**
 * Returns the address of the devmem's page that the device used longest ago, of those that the mm maps; 0 if
 * there is none.
 */
export function oldestAddress(mmId: u32, devmem: u32): u64 {
  for (let place = oldestUse(); place; place = nextUseAfter(place)) {
    const pfn = pfnUsedAt(place);
    const addr = zoneOfPfn(pfn) == devmem ? addressIn(mmId, pfn) : 0;
    if (addr) return addr;
  }
  return 0;
}

/**
 * Writes the devmem's pages that the device used longest ago into the exchange buffer: max pfns (u32), then
 * max page numbers of their addresses (f64). HDR_RESULT is the oldest's address. Returns how many there are;
 * -EINVAL without `trackUse`.
 */
export function replayOldest(mmId: u32, devmem: u32, max: u32): i32 {
  if (!usesAreKept()) return -EINVAL;
  const pfns: usize = header(HDR_XBUF);
  const pages = (pfns + max * 4 + 7) & ~7;
  let n: u32 = 0;
  for (let place = oldestUse(); place && n < max; place = nextUseAfter(place)) {
    const pfn = pfnUsedAt(place);
    if (zoneOfPfn(pfn) != devmem) continue;
    const addr = addressIn(mmId, pfn);
    if (!addr) continue;
    store<u32>(pfns + n * 4, pfn);
    store<f64>(pages + n * 8, <f64>(addr >> 12));
    if (!n) setHeaderF64(HDR_RESULT, addr);
    n++;
  }
  return n;
}
