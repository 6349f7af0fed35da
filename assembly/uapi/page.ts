// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// A virtual address, four levels of tables, 512 entries each:
//
//   47        39 38        30 29        21 20        12 11          0
//  ┌────────────┬────────────┬────────────┬────────────┬─────────────┐
//  │  PGD index │  PUD index │  PMD index │  PTE index │ page offset │
//  └────────────┴────────────┴────────────┴────────────┴─────────────┘

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const TABLE_SHIFT = 9;
export const TABLE_ENTRIES = 512;
export const PMD_SHIFT = 21;
export const PUD_SHIFT = 30;
export const PGD_SHIFT = 39;
/** Bytes that one PMD entry covers: 2 MiB. */
export const PMD_SIZE = 0x200000;
/** Pages that one PMD entry covers. */
export const PMD_PAGES = 512;
/** First address above user space (x86-64, four levels): 2^47 less one guard page. */
export const TASK_SIZE = 0x7ffffffff000;
/** The lowest address that mmap accepts or returns: Linux's default vm.mmap_min_addr. */
export const MMAP_MIN_ADDR = 0x10000;
