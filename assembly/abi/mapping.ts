// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.

// In the core's file argument: not a file but a driver's mapping.
/** Ordinary kernel pages, zeroed, all inserted at once (vm_insert_page): VM_MIXEDMAP. */
export const MAP_FILE_MIXED = 0xfffffffe;
/** Memory without pages (remap_pfn_range): VM_PFNMAP, VM_IO. */
export const MAP_FILE_PFN = 0xffffffff;
