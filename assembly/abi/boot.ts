// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// The boot configuration, by offset from HEADER + BOOT_CONFIG. TypeScript writes it before layoutBytes().

export const BOOT_DATA = 0; //           u32  1: frames have bytes
export const BOOT_SYSTEM_FRAMES = 4; //  u32
export const BOOT_DEVICE_FRAMES = 8; //  u32
export const BOOT_LOG_ENTRIES = 12; //   u32  a power of two
export const BOOT_ARENA_BYTES = 16; //   u32  0: a default
export const BOOT_SWAP_FRAMES = 20; //   u32
export const BOOT_HUGETLB_PAGES = 24; // u32  of 2 MiB, set aside from system memory
export const BOOT_LINUX = 28; //         u32  LINUX_*: whose rules the engine follows
/** BOOT_LINUX. */
export const LINUX_6_12 = 612;
export const LINUX_7_3 = 703;
/** The pools' capacities: a u32 each, at BOOT_CAPACITY + 4 * RESOURCE_*; 0: a default. */
export const BOOT_CAPACITY = 32;
