// Boot: from zeroed memory, in which layoutBytes() has written the memory map, to a machine without address
// spaces.

import { EINVAL, ENOMEM } from "../uapi/errno";
import { PMD_PAGES } from "../uapi/page";
import { BOOT_HUGETLB_PAGES, BOOT_LINUX, LINUX_7_3 } from "../abi/boot";
import { BLOCK_ZONE, FOLIO_RESERVED } from "../abi/frame";
import {
  BOOT_CONFIG,
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_END,
  HDR_FLAGS,
  HDR_FLAG_LINUX_7_3,
  HDR_HUGEPAGES,
  HDR_MAGIC,
  HDR_SWAP_FRAMES,
  HDR_SYSTEM_FRAMES,
  HDR_ZERO_PFN,
  HEADER,
  HEADER_MAGIC,
  HUGEPAGES_MADVISE,
  PMD_ORDER,
} from "../abi/header";
import { SWAP_ZONE, ZONE_COUNT } from "../abi/zone";
import { arenaInit } from "./base/arena";
import { header, RESERVED_FRAMES, setHeader } from "./base/layout";
import { folioOf } from "./frame/folio";
import { allocLarge, keepHugetlb, zoneInit } from "./frame/page-alloc";
import { blockOf } from "./frame/zone";

/** Takes a frame out of use for good: it has a reference and belongs to no zone's free frames. */
function reserve(pfn: u32): void {
  const folio = folioOf(pfn);
  folio.refs = 1;
  folio.flags = <u16>FOLIO_RESERVED;
}

/**
 * Makes the zones, the hugetlb pool and the arena as the boot configuration says. Returns -EINVAL if the
 * machine has been booted already or its memory is too small, -ENOMEM if RAM does not hold the hugetlb pool.
 */
export function boot(): i32 {
  if (header(HDR_MAGIC) == HEADER_MAGIC || !header(HDR_END)) return -EINVAL;
  if (__heap_base > <usize>HEADER) return -EINVAL;
  if (<u32>memory.size() < header(HDR_END)) return -EINVAL;
  reserve(0);
  reserve(header(HDR_ZERO_PFN));
  zoneInit(0, RESERVED_FRAMES, RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES), 0);
  for (let i: u32 = 0; i < load<u32>(HEADER + BOOT_CONFIG + BOOT_HUGETLB_PAGES); i++) {
    const head = allocLarge(0);
    if (!head) return -ENOMEM;
    keepHugetlb(head);
  }
  const base = header(HDR_DEVICE_BASE);
  for (let pfn = base; pfn < base + header(HDR_DEVICE_FRAMES); pfn += PMD_PAGES) {
    store<u16>(blockOf(pfn), ZONE_COUNT, BLOCK_ZONE);
  }
  const swap = header(HDR_SWAP_FRAMES);
  const swapBase = (base + header(HDR_DEVICE_FRAMES) + PMD_PAGES - 1) & ~(PMD_PAGES - 1);
  if (swap) zoneInit(SWAP_ZONE, swapBase, swapBase + swap, 0);
  arenaInit();
  if (load<u32>(HEADER + BOOT_CONFIG + BOOT_LINUX) == LINUX_7_3)
    setHeader(HDR_FLAGS, header(HDR_FLAGS) | HDR_FLAG_LINUX_7_3);
  setHeader(HDR_HUGEPAGES, HUGEPAGES_MADVISE << (2 * PMD_ORDER));
  setHeader(HDR_MAGIC, HEADER_MAGIC);
  return 0;
}
