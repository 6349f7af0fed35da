// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// The two pfn words that drivers see. Linux's layout rule (flags from the top bit down) at 32 bits.
//
//  hmm_pfn        31 30 29 28 27 26                               0
//                ┌──┬──┬──┬──┬──┬──────────────────────────────────┐
//                │V │W │E │O │D │               pfn                │  u32
//                └──┴──┴──┴──┴──┴──────────────────────────────────┘
//  V valid (input: fault)  W writable (input: write fault)  E error
//  O order of the CPU's mapping: 0 a page, 1 2 MiB  D dirty (device tables only)
//
//  migrate_pfn    31 30 29 28 27 26                               0
//                ┌──┬──┬──┬──┬──┬──────────────────────────────────┐
//                │V │M │W │C │0 │               pfn                │  u32
//                └──┴──┴──┴──┴──┴──────────────────────────────────┘
//  V a page was collected (not for holes and the zero page)  M migrate  W the source was writable
//  C first word of a huge page: those of its other 511 pages follow

export const HMM_PFN_VALID = 0x80000000;
export const HMM_PFN_WRITE = 0x40000000;
export const HMM_PFN_ERROR = 0x20000000;
export const HMM_PFN_ORDER_SHIFT = 28;
export const HMM_PFN_ORDER_MASK = 0x10000000;
export const HMM_PFN_FLAGS = 0xf8000000;
/** Input of hmmRangeFault: the page must be faulted in. */
export const HMM_PFN_REQ_FAULT = 0x80000000;
/** Input of hmmRangeFault, with HMM_PFN_REQ_FAULT: the page must be writable. */
export const HMM_PFN_REQ_WRITE = 0x40000000;

export const MIGRATE_PFN_VALID = 0x80000000;
export const MIGRATE_PFN_MIGRATE = 0x40000000;
export const MIGRATE_PFN_WRITE = 0x20000000;
export const MIGRATE_PFN_COMPOUND = 0x10000000;
/** Written into dst by a driver: the next CPU access to the page is SIGBUS (Linux's document of 2018). */
export const MIGRATE_PFN_ERROR = 0x08000000;

export const PFN_MASK = 0x07ffffff;

export const MIGRATE_VMA_SELECT_SYSTEM = 1;
export const MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 2;
export const MIGRATE_VMA_SELECT_DEVICE_COHERENT = 4;
export const MIGRATE_VMA_SELECT_COMPOUND = 8;

/**
 * In a word that a device table returns, beside HMM_PFN_VALID, HMM_PFN_WRITE and the pfn: the device wrote
 * through the entry since it was mapped.
 */
export const DEVICE_PFN_DIRTY = 0x08000000;
