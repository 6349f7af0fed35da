// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// The core's linear memory from HEADER on. Its addresses are u32, and 0 is "none"; virtual addresses are u64.
// The module's static data lies below HEADER; core/base/layout.ts places the rest after the commands.
//
//   HEADER + 0    ┌──────────────────────────────────────────┐
//                 │ header words: HDR_*, below               │
//          + 320  ├──────────────────────────────────────────┤
//                 │ counters: u64 each (counter.ts)          │  COUNTERS
//          + 640  ├──────────────────────────────────────────┤
//                 │ boot configuration (boot.ts)             │  BOOT_CONFIG
//          + 1024 ├──────────────────────────────────────────┤
//                 │ descriptors of object pools (pool.ts)    │  POOLS
//          + 1536 ├──────────────────────────────────────────┤
//                 │ zones (zone.ts)                          │  ZONES
//          + 4096 ├──────────────────────────────────────────┤
//                 │ commands: operations in progress, a      │  COMMANDS
//                 │ stack of COMMAND_COUNT blocks            │
//          + 8192 └──────────────────────────────────────────┘

/** The header's fixed address. */
export const HEADER = 0x10000;
export const COUNTERS = 320;
export const BOOT_CONFIG = 640;
export const POOLS = 1024;
export const ZONES = 1536;
export const COMMANDS = 4096;
export const COMMAND_SIZE = 256;
export const COMMAND_COUNT = 16;

// ── Header words, by offset from HEADER ────────────────────────────────────────────────────────────────────
export const HDR_MAGIC = 0; //           u32  HEADER_MAGIC
export const HDR_FLAGS = 4; //           u32  HDR_FLAG_*
export const HDR_PANIC_MESSAGE = 8; //   u32  address of a string: UTF-16, byte length at -4; 0 none
export const HDR_PANIC_FILE = 12; //     u32  likewise
export const HDR_PANIC_LINE = 16; //     u32
export const HDR_EXHAUSTED = 20; //      u32  RESOURCE_*: what ran out at the last -ENOMEM
export const HDR_FAULT_CODE = 24; //     u32  FAULT_*: why the last access failed
export const HDR_FAULT_KIND = 28; //     u32  FAULT_KIND_* of the last fault()
export const HDR_RESULT = 32; //         f64  an address that an operation returns
export const HDR_FAULT_ADDR = 40; //     f64  where the last access failed
export const HDR_CMD_DEPTH = 48; //      u32  operations in progress, nested
export const HDR_OPEN_MIGRATION = 52; // u32  the migration that FAULT_MIGRATION met
export const HDR_USES = 56; //           u32  uses that the last replay() wrote
export const HDR_USE_LOG = 60; //        u32  recency.ts: the log of uses, pfns (u32)

// The request block.
export const HDR_REQ_KIND = 64; //       u32  REQUEST_*
export const HDR_REQ_MM = 68; //         u32
export const HDR_REQ_EVENT = 72; //      u32  invalidate: MMU_NOTIFY_*
export const HDR_REQ_OWNER = 76; //      u32  invalidate: owner of the event, 0 none
export const HDR_REQ_START = 80; //      f64  invalidate: first byte; device fault: page address
export const HDR_REQ_END = 88; //        f64  invalidate: end, exclusive
export const HDR_REQ_SEQ = 96; //        u32  invalidate: the mm's sequence number, for notifierSetSeq
export const HDR_REQ_DEVMEM = 100; //    u32  device fault
export const HDR_REQ_PAGE = 104; //      u32  device fault: the page's pfn; the core has locked it
export const HDR_REQ_VMA = 108; //       u32  device fault: vma pointer
export const HDR_REQ_FLAGS = 112; //     u32  device fault: ACCESS_*
export const HDR_REQ_ANSWER = 116; //    u32  device fault: VM_FAULT_*, written before resume()
export const HDR_REQ_ORDER = 120; //     u32  device fault: order of the entry, 0 a page, 9 a huge page

// The log of uses (recency.ts), which other words of the header say more of.
export const HDR_USE_END = 124; //       u32  the end of the log, in places

// What verify() found.
export const HDR_VERIFY_CODE = 128; //   u32  VERIFY_*
export const HDR_VERIFY_MM = 132; //     u32
export const HDR_VERIFY_A = 136; //      f64  a, b and c mean what the code says
export const HDR_VERIFY_B = 144; //      f64
export const HDR_VERIFY_C = 152; //      f64

// KSM.
export const HDR_KSM_HASH = 160; //      u32  two tables of chains: KSM pages, then pages seen in a pass
export const HDR_KSM_HASH_MASK = 164; // u32
export const HDR_KSM_MMS = 168; //       u32  the first mm with mergeable memory
export const HDR_KSM_SHARED = 172; //    u32  KSM pages in use after the last ksmScan
export const HDR_KSM_SHARING = 176; //   u32  further addresses that map them

// What the last replay() counted.
export const HDR_RAM_LOADS = 180; //     u32  loads by the device from system memory
export const HDR_RAM_STORES = 184; //    u32

// Where layout.ts placed things, and how many there are.
export const HDR_ARENA_OWN = 188; //     u32  where the core's own part of the arena begins
export const HDR_XBUF = 192; //          u32  the exchange buffer, XBUF_SIZE bytes
export const HDR_FOLIOS = 196; //        u32  folio of pfn 0
export const HDR_BLOCKS = 200; //        u32  block of pfn 0
export const HDR_FRAMES = 204; //        u32  bytes of pfn 0 (0 with backing "metadata")
export const HDR_ARENA = 208; //         u32
export const HDR_ARENA_END = 212; //     u32
export const HDR_LOG = 216; //           u32  event log ring (log.ts)
export const HDR_LOG_ENTRIES = 220; //   u32  a power of two
export const HDR_LOG_HEAD = 224; //      u32  records ever written (mod 2^32)
export const HDR_USE_STAMPS = 228; //    u32  recency.ts: stamps of device frames, u32 each; 0: none are kept
export const HDR_TABLE_META = 232; //    u32  page-table pages' metadata
export const HDR_END = 236; //           u32  end of the used memory, in 64 KiB pages
export const HDR_SYSTEM_FRAMES = 240; // u32
export const HDR_DEVICE_FRAMES = 244; // u32
export const HDR_DEVICE_BASE = 248; //   u32  first pfn of device memory
export const HDR_DEVICE_NEXT = 252; //   u32  first device pfn that no devmem was given yet
export const HDR_ZERO_PFN = 256; //      u32  the zero page

// What changes as operations run.
export const HDR_FAIL_ALLOC = 260; //    u32  countdown: the n-th allocation from now fails; 0 off
export const HDR_GENERATION = 264; //    u32  the newest generation given to an mm or vma
export const HDR_USE_FIRST = 268; //     u32  no place of the log before this one counts
export const HDR_USE_NEXT = 272; //      u32  the place of the next use
export const HDR_EXTERNAL_REFS = 276; // u32  page references that callers hold
export const HDR_FAULT_AROUND = 280; //  u32  pages that a file's read fault maps: a power of two, 1 off
export const HDR_SWAP_FRAMES = 284; //   u32
export const HDR_SWAP_HASH = 288; //     u32  the swap cache's hash table
export const HDR_SWAP_HASH_MASK = 292; //u32
export const HDR_HUGE_ZERO = 296; //     u32  first pfn of the huge zero page, 0 while nobody maps it
export const HDR_HUGE_ZERO_MAPS = 300; //u32  huge mappings of it
export const HDR_HUGETLB = 304; //       u32  free hugetlb pages: a list of blocks
export const HDR_HUGETLB_FREE = 308; //  u32  how many
export const HDR_DESCENTS = 312; //      u32  debug build: walks of a table down to a leaf (mod 2^32)
export const HDR_ARENA_HEADS = 316; //   u32  a word for each granule: the block's size times 2, plus 1 in use

// After the boot configuration.
export const HDR_ARENA_HIGH = 996; //    u32  end of what was ever allocated of the arena's first part
export const HDR_ARENA_OWN_HIGH = 1000; //u32 likewise of the core's own part
export const HDR_MARKS = 1004; //        u32  after the frames: a byte for each 16 of them, MARK_*
export const HDR_UNLOCKED = 1008; //     u32  unlocked.ts: the first page of the batch, 0 none
export const HDR_UNLOCKED_PAGES = 1012; //u32 pages of the list
export const HDR_UNLOCKED_SIZE = 1016; // u32 pages that the batch has counted
export const HDR_HUGEPAGES = 1020; //    u32  which sizes of folios faults map: HUGEPAGES_* at bit 2 * order

/** HDR_HUGEPAGES, of one order; 0: never. */
export const HUGEPAGES_MADVISE = 1;
export const HUGEPAGES_ALWAYS = 2;
/** HDR_HUGEPAGES: the orders 2 to 8, 16 KiB to 1 MiB. */
export const HUGEPAGES_SIZED = 0x0003fff0;
/** The order of 2 MiB. */
export const PMD_ORDER = 9;
/** The smallest order of a large folio: 16 KiB. */
export const ORDER_MIN = 2;

/** Frames that share a byte of HDR_MARKS: 64 KiB, as a power of two. */
export const MARK_SHIFT = 4;
/** Bytes of one of the frames may have changed since somebody last cleared this bit. */
export const MARK_CHANGED = 1;
/** Bytes of one of the frames may have changed since boot. */
export const MARK_WRITTEN = 2;

/** "HMM1" */
export const HEADER_MAGIC = 0x314d4d48;

/** HDR_FLAGS: an event listener exists, and the core writes the event log. */
export const HDR_FLAG_LOG = 1;
/** HDR_FLAGS: somebody looks at the step points of operations. */
export const HDR_FLAG_STEPS = 2;
/** HDR_FLAGS: pages may be paged out. */
export const HDR_FLAG_SWAP = 4;
/** HDR_FLAGS: there is, or was, coherent device memory. */
export const HDR_FLAG_COHERENT = 8;
/** HDR_FLAGS: page tables of address spaces count as system memory. */
export const HDR_FLAG_TABLES_COUNT = 16;
/** HDR_FLAGS: the engine answers like Linux 7.3; without it like Linux 6.12. */
export const HDR_FLAG_LINUX_7_3 = 32;
/** HDR_FLAGS: freed device pages were queued since TypeScript last cleared the flag. */
export const HDR_FLAG_FREED = 64;
