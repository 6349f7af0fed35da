// The two kinds of device memory. A page of private memory stands in the CPU's page tables as an entry that
// is not present; a page of coherent memory is mapped like any other.

import { HDR_FLAGS, HDR_FLAG_COHERENT } from "../../abi/header";
import { ZONE_FLAG_COHERENT } from "../../abi/zone";
import { header } from "../base/layout";
import { isDevicePfn } from "./folio";
import { zoneOf, zoneOfPfn } from "./zone";

/** Tells whether a page lies in device memory that CPUs reach like their own (MEMORY_DEVICE_COHERENT). */
export function isCoherentPfn(pfn: u32): bool {
  if (!(header(HDR_FLAGS) & HDR_FLAG_COHERENT) || !isDevicePfn(pfn)) return false;
  return (zoneOf(zoneOfPfn(pfn)).flags & ZONE_FLAG_COHERENT) != 0;
}

/** Tells whether a page lies in device memory that no CPU reaches (MEMORY_DEVICE_PRIVATE). */
@inline
export function isPrivatePfn(pfn: u32): bool {
  return isDevicePfn(pfn) && !isCoherentPfn(pfn);
}
