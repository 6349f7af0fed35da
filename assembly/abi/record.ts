// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// A replay record: one memory access of a trace, u64. The text module writes them, replay() runs them.
//
//   63  61 60 59 58 57  56 55        48 47                                     0
//  ┌──────┬──┬─────┬──────┬────────────┬────────────────────────────────────────┐
//  │  0   │D │  0  │ kind │ size, bytes│                address                 │
//  └──────┴──┴─────┴──────┴────────────┴────────────────────────────────────────┘
//  D: the device makes it.  kind: 0 for a load, or RECORD_KIND_*

export const RECORD_SIZE_SHIFT = 48;
export const RECORD_KIND_SHIFT = 56;
export const RECORD_DEVICE_SHIFT = 60;
export const RECORD_SIZE_MAX = 0xff;

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
