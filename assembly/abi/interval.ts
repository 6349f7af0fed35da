// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// An interval of addresses and where accesses to it are counted. assembly/core/access/count-ranges.ts draws
// it.

export const INTERVAL_BYTES = 16;
export const INTERVAL_START = 0; //   u64
export const INTERVAL_COUNTS = 8; //  u32  address of RANGE_COUNTS × u64

/**
 * Counts of a range: loads, stores, modifies and 0 of the CPU, then the devices'; then the devices' loads and
 * stores of RAM, and those of other devices' memory.
 */
export const RANGE_COUNTS = 12;
export const RANGE_COUNTS_RAM = 8;
export const RANGE_COUNTS_PEER = 10;
