// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// The event log: a ring of HDR_LOG_ENTRIES records at HDR_LOG. The core writes it while HDR_FLAG_LOG is set.
//
//   0      4      8               16     20     24
//  ┌──────┬──────┬───────────────┬──────┬──────┐
//  │ kind │  mm  │    a (f64)    │  b   │  c   │
//  └──────┴──────┴───────────────┴──────┴──────┘

export const LOG_RECORD_SIZE = 24;
export const LOG_RECORD_KIND = 0; //     u32  LOG_*
export const LOG_RECORD_MM = 4; //       u32
export const LOG_RECORD_A = 8; //        f64
export const LOG_RECORD_B = 16; //       u32
export const LOG_RECORD_C = 20; //       u32

/** a: address, b: FAULT_KIND_*, c: pfn that is mapped now. */
export const LOG_FAULT = 1;
/** a: start address, b: pages collected, c: pages moved. */
export const LOG_MIGRATE = 2;
/** a: start address, b: MMU_NOTIFY_*, c: length in pages, 0xffffffff for everything. */
export const LOG_INVALIDATE = 3;
/** a: start address, b: pages. */
export const LOG_MMAP = 4;
/** a: start address, b: pages. */
export const LOG_MUNMAP = 5;
/** b: the child's mm. */
export const LOG_FORK = 6;
