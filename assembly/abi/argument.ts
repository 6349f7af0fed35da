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
