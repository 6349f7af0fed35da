// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// Counters: u64 each, by index from HEADER + COUNTERS. Nothing in the core reads them.

/** One for each FAULT_KIND_*, by kind. */
export const COUNT_FAULT = 0;
export const COUNT_INVALIDATE = 16;
export const COUNT_REQUEST = 17;
/** Pages that finished migrating from system to device memory. */
export const COUNT_TO_DEVICE = 18;
export const COUNT_TO_SYSTEM = 19;
export const COUNT_DEVICE_TO_DEVICE = 20;
export const COUNT_MIGRATIONS = 21;
export const COUNT_PAGES_COPIED = 22;
export const COUNT_PAGES_ZEROED = 23;
/** Pages that a migration left where they were. */
export const COUNT_STAYED = 24;
