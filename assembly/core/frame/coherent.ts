// The two kinds of device memory: private, whose pages stand in the CPU's table as entries that are not present; and
// coherent, whose pages are mapped like any other.

import { HDR_FLAGS, HDR_FLAG_COHERENT } from "../../abi/header";
import { ZONE_FLAG_COHERENT } from "../../abi/zone";
import { header } from "../base/layout";
import { isDevicePfn } from "./folio";
import { zoneOf, zoneOfPfn } from "./zone";

/** Is it a page of a device's memory that CPUs map and reach like any other (MEMORY_DEVICE_COHERENT)? */
export function isCoherentPfn(pfn: u32): bool {
  if (!(header(HDR_FLAGS) & HDR_FLAG_COHERENT) || !isDevicePfn(pfn)) return false;
  return (zoneOf(zoneOfPfn(pfn)).flags & ZONE_FLAG_COHERENT) != 0;
}

/** … or one that no CPU can reach (MEMORY_DEVICE_PRIVATE)? */
@inline
export function isPrivatePfn(pfn: u32): bool {
  return isDevicePfn(pfn) && !isCoherentPfn(pfn);
}
