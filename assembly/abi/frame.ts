// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// What is known of each frame, and of each 512.
//
// Folio, one a frame, at HDR_FOLIOS + FOLIO_SIZE * pfn:
//
//   0                 4                 8                 12        14        16
//  ┌─────┬───────────┬─────┬───────────┬─────────────────┬─────────┬─────────┐
//  │memcg│ refcount  │idx h│ mapcount  │   index, low    │ mapping │  flags  │
//  └─────┴───────────┴─────┴───────────┴─────────────────┴─────────┴─────────┘
//    8      24         8      24              32              16        16     bits
//  index: page offset in the anon_vma or file, 40 bits. mapping: anon_vma id (FOLIO_ANON) or file id.
//  KSM pages (FOLIO_KSM and FOLIO_ANON): index is the address of their node, mapping 0.
//  Free device pages that the driver has not heard of are linked through index.
//
// Block, one for 512 frames, at HDR_BLOCKS + BLOCK_SIZE * (pfn / 512):
//
//   0                               64          68         72        74        76         80
//  ┌───────────────────────────────┬───────────┬──────────┬─────────┬─────────┬──────────┐
//  │ bitmap: u64[8], 1 = free      │ prev/live │   next   │  free   │  zone   │   pfn    │
//  └───────────────────────────────┴───────────┴──────────┴─────────┴─────────┴──────────┘
//  prev, next: blocks on the same list.  live: frames with references, of a block that is a large folio
//  and so on no list.  free: free frames.  pfn: its first frame.

export const FOLIO_SIZE = 16;
export const FOLIO_REFS = 0; //          u32
export const FOLIO_MAPS = 4; //          u32
export const FOLIO_INDEX = 8; //         u32
export const FOLIO_MAPPING = 12; //      u16
export const FOLIO_FLAGS = 14; //        u16  the flags below
/** The refcount in FOLIO_REFS, and the mapcount in FOLIO_MAPS. */
export const FOLIO_COUNT_MASK = 0x00ffffff;
/** The references of a pin for long (GUP_PIN_COUNTING_BIAS): a page with as many is taken for pinned. */
export const PIN_BIAS = 1024;

export const FOLIO_LOCKED = 0x0001;
/** On the LRU: every system page with a user, unless it is isolated. */
export const FOLIO_LRU = 0x0002;
export const FOLIO_DIRTY = 0x0004;
export const FOLIO_ANON = 0x0008;
/** The page belongs to one process alone, which may write it without asking. */
export const FOLIO_ANON_EXCLUSIVE = 0x0010;
export const FOLIO_FILE = 0x0020;
export const FOLIO_SHMEM = 0x0040;
export const FOLIO_SWAP_CACHE = 0x0080;
export const FOLIO_HEAD = 0x0100;
export const FOLIO_TAIL = 0x0200;
/**
 * Part of a large folio: 4 to 256 frames, or a block of 512, that began as one. Each frame has its own
 * counts. /
 */
export const FOLIO_LARGE = 0x0300;
export const FOLIO_KSM = 0x0400;
/** PG_referenced: set by get_user_pages; cleared by MADV_COLD and MADV_PAGEOUT. */
export const FOLIO_REFERENCED = 0x0800;
/** Migration entries other than the collected one name this page. */
export const FOLIO_MIGRATION_SHARED = 0x1000;
/** On a free list, or, device memory, on its way there. */
export const FOLIO_FREE = 0x2000;
/** MADV_FREE: the page may be dropped as long as nobody writes it (not PG_swapbacked). */
export const FOLIO_LAZYFREE = 0x4000;
/** Reserved by the engine: pfn 0, the zero page, and hugetlb pages, which count for nobody. */
export const FOLIO_RESERVED = 0x8000;

/** Frames before the first one that can be allocated: pfn 0 (none) and pfn 1 (the zero page). */
export const RESERVED_FRAMES = 2;

export const BLOCK_SIZE = 80;
export const BLOCK_BITMAP = 0; //        u64[8]
export const BLOCK_PREV = 64; //         u32
export const BLOCK_LIVE = 64; //         u32
export const BLOCK_NEXT = 68; //         u32
/** In BLOCK_NEXT: the block is one folio of 2 MiB. No list has an address as low as this. */
export const BLOCK_WHOLE = 1;
export const BLOCK_FREE = 72; //         u16
export const BLOCK_ZONE = 74; //         u16
export const BLOCK_PFN = 76; //          u32
