// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// Zones, at HEADER + ZONES: 0 is system memory, zone i is devmem i, and the last one is swap space.
//
//   0         4           8         12        16           20                 36            40       64
//  ┌─────────┬───────────┬─────────┬─────────┬────────────┬──────────────────┬─────────────┬────────┐
//  │  flags  │ pfn first │ pfn end │  owner  │ free pages │ the core's lists │ freed count │ tables │
//  └─────────┴───────────┴─────────┴─────────┴────────────┴──────────────────┴─────────────┴────────┘

export const ZONE_SIZE = 64;
export const ZONE_COUNT = 16;
/** Swap space. Devmems are 1 … SWAP_ZONE - 1. */
export const SWAP_ZONE = 15;

export const ZONE_FLAGS = 0; //          u32  1: in use, 2: being removed, ZONE_FLAG_COHERENT
export const ZONE_PFN_FIRST = 4; //      u32
export const ZONE_PFN_END = 8; //        u32  exclusive
export const ZONE_OWNER = 12; //         u32  0 for system memory
export const ZONE_FREE_PAGES = 16; //    u32
export const ZONE_FREED_COUNT = 36; //   u32  pages freed and not yet reported to the driver
export const ZONE_TABLES = 40; //        u32  page tables of address spaces (system memory)

/** ZONE_FLAGS: the CPU maps its pages. */
export const ZONE_FLAG_COHERENT = 4;
