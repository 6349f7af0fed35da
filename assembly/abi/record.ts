// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// A replay record: one memory access of a trace, or a mark in it; 16 bytes. Decoders and generators write
// them, replay() runs them.
//
//   63      48 47                          0      63                32 31      16 15    8 7      0
//  ┌──────────┬─────────────────────────────┐    ┌────────────────────┬──────────┬───────┬────────┐
//  │   size   │           address           │    │         id         │  thread  │ agent │  kind  │
//  └──────────┴─────────────────────────────┘    └────────────────────┴──────────┴───────┴────────┘
//  size: bytes, 1 to RECORD_SIZE_MAX; whoever writes records splits longer accesses at page bounds.
//  agent: 0 the CPU, n the device n - 1.
//  id: the low half of the instruction's address, or the number of the range that the access is of; of a
//  mark, what it is about.
//  kind: RECORD_KIND_* of the access, plus 4 if it is atomic and 8 if it is a part of a copy; a run of
//  instructions (RECORD_RUN); or RECORD_MARK_*.

export const RECORD_BYTES = 16;
export const RECORD_SIZE_SHIFT = 48;
export const RECORD_SIZE_MAX = 0xffff;
export const RECORD_AGENT_SHIFT = 8;
export const RECORD_THREAD_SHIFT = 16;
export const RECORD_ID_SHIFT = 32;

/** A kind without "atomic" and "copy": RECORD_KIND_*, or a mark if it is RECORD_MARK or above. */
export const RECORD_KIND_MASK = 0xf3;
export const RECORD_KIND_LOAD = 0;
export const RECORD_KIND_STORE = 1;
/** A load, then a store. */
export const RECORD_KIND_MODIFY = 2;
/** The fetch of an instruction, which is not replayed. */
export const RECORD_KIND_FETCH = 3;
/** The whole kind of a run of instructions, as many as the size says; it is not replayed. */
export const RECORD_RUN = 11;
/** The most instructions that decoders put into a run, so that none is far from where it was. */
export const RECORD_RUN_MAX = 256;

/** Kinds from here on are marks and no accesses; docs/hmt.md lists them. */
export const RECORD_MARK = 16;
export const RECORD_MARK_KERNEL_BEGIN = 16;
export const RECORD_MARK_KERNEL_END = 17;
export const RECORD_MARK_RANGE = 18;
export const RECORD_MARK_RANGE_END = 19;
export const RECORD_MARK_ADVISE = 20;
export const RECORD_MARK_PREFETCH = 21;

// Why replay() stopped: HDR_RESULT has the records done, HDR_FAULT_ADDR the page, HDR_FAULT_CODE 1 for
// writes.
export const REPLAY_DONE = 0;
/** The access touched memory that no vma covers. */
export const REPLAY_NO_VMA = 1;
/** The CPU access faults: run fault() and go on. */
export const REPLAY_CPU_FAULT = 2;
/** The device has no entry, or none that it may write through. */
export const REPLAY_DEVICE_FAULT = 3;
/** The record is a mark: go on after it. */
export const REPLAY_MARK = 4;
/** There is no room for the record's uses: empty the array and go on. */
export const REPLAY_USES_FULL = 5;

// What replayPaging() did for device faults, in order: an f64 each, the page's number times 4, plus …
/** … the page came to the device, and there was none before; … */
export const PAGING_CAME = 0;
/** … it came from RAM; … */
export const PAGING_COPIED = 1;
/** … it left for RAM, and the device had not written it; … */
export const PAGING_LEFT = 2;
/** … it left, and the device had. */
export const PAGING_LEFT_DIRTY = 3;
/** The most that one call writes. */
export const PAGING_EVENTS_MAX = 2048;

/** Agents that have a table of their own, the CPU included. */
export const REPLAY_AGENTS_MAX = 8;
