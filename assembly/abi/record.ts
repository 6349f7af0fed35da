// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// A replay record: one memory access of a trace, u64. The text module writes them, replay() runs them.
//
//   63 62  61 60         48 47                                     0
//  ┌──┬──────┬─────────────┬────────────────────────────────────────┐
//  │D │ kind │    size     │                address                 │
//  └──┴──────┴─────────────┴────────────────────────────────────────┘
//  D: the device makes it.  kind: 0 for a load, or RECORD_KIND_*
//  size: bytes below RECORD_SIZE_LONG; longer accesses have RECORD_SIZE_LONG and, in the bits below it, how
//  many pages they touch after the first.

export const RECORD_SIZE_SHIFT = 48;
export const RECORD_KIND_SHIFT = 61;
export const RECORD_DEVICE_SHIFT = 63;
export const RECORD_SIZE_MASK = 0x1fff;
export const RECORD_SIZE_LONG = 0x1000;

export const RECORD_KIND_STORE = 1;
/** A load, then a store. */
export const RECORD_KIND_MODIFY = 2;

// Why replay() stopped: HDR_RESULT has the records done, HDR_FAULT_ADDR the page, HDR_FAULT_CODE 1 for
// writes.
export const REPLAY_DONE = 0;
/** The access touched memory that no vma covers. */
export const REPLAY_NO_VMA = 1;
/** The CPU access faults: run fault() and go on. */
export const REPLAY_CPU_FAULT = 2;
/** The device has no entry, or none that it may write through. */
export const REPLAY_DEVICE_FAULT = 3;
