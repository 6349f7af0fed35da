// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.

// What the core asks TypeScript to do when it answers REQUEST.
/** Tell the subscribers of mm that [start, end) is about to change. */
export const REQUEST_INVALIDATE = 1;
/** Have the devmem's driver bring a page back: a CPU (or another device) touched it. */
export const REQUEST_DEVICE_FAULT = 2;

/** What an operation returns when it needs the outside: serve the request block, then resume(). */
export const REQUEST = 0x7fffffff;

// Records of the event log.
/** a = address, b = fault kind (FAULT_KIND_*), c = pfn now mapped. */
export const LOG_FAULT = 1;
/** a = start address, b = pages collected, c = pages moved. */
export const LOG_MIGRATE = 2;
/** a = start address, b = MMU_NOTIFY_* event, c = length in pages (0xffffffff: all). */
export const LOG_INVALIDATE = 3;
/** a = start address, b = pages. */
export const LOG_MMAP = 4;
/** a = start address, b = pages. */
export const LOG_MUNMAP = 5;
/** b = child mm. */
export const LOG_FORK = 6;
