// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// Values with a meaning of their own in arguments of the core's exports.

/** File of mmap(): a driver's mapping of kernel pages, zeroed, all inserted at once (VM_MIXEDMAP). */
export const MAP_FILE_MIXED = 0xfffffffe;
/** File of mmap(): a driver's mapping of memory without pages (VM_PFNMAP, VM_IO). */
export const MAP_FILE_PFN = 0xffffffff;

/** Owner of hmmRangeFault() and migrateSetup(): device pages of any owner are one's own. */
export const OWNER_ANY = 0xffffffff;

/** Limit of a memory cgroup: none. */
export const NO_LIMIT = 0xffffffff;

/** Bytes that blocks of the arena are multiples of. */
export const ARENA_GRANULE = 64;
/** Bytes of the exchange buffer: what access() moves at most in one call. */
export const XBUF_SIZE = 65536;

// ── What migrateMove() finds ───────────────────────────────────────────────────────────────────────────────
//
// Offsets in its `out`. Each answer has a bit for each page: bit 0 is the first page of the 64 KiB in which
// the range begins, so that 16 bits are an aligned 64 KiB.

/** Pages that have moved. */
export const MOVE_MOVED = 0;
/** Of these, pages that there were before; the others were holes. */
export const MOVE_COPIED = 80;
/** Pages whose entries in the device's table were dirty before; of moves from the device. */
export const MOVE_WRITTEN = 160;
/** Pages whose entries were accessed before; of moves from the device. */
export const MOVE_USED = 240;
/** What `out` has to have, in bytes. The rest is the core's. */
export const MOVE_BYTES = 320 + 2048;
/** The most pages that migrateMove() moves: 2 MiB of them. */
export const MOVE_PAGES_MAX = 512;
