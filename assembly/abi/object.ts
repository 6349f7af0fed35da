// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// The fields of pool objects that TypeScript reads or writes. The core's classes have further ones, which are
// private to the core ("own" in the drawings); it compares these offsets with its classes when it is
// compiled.

// ── Address space ──────────────────────────────────────────────────────────────────────────────────────────
//
//   0     4     12          16          20    24     28     32      36     40    44    48        52    56
//  ┌─────┬─────┬───────────┬───────────┬─────┬──────┬──────┬───────┬──────┬─────┬─────┬─────────┬─────┬───
//  │ pgd │ own │ first vma │ vma cache │ own │ anon │ file │ shmem │ swap │ own │ seq │ windows │ own │ …
//  └─────┴─────┴───────────┴───────────┴─────┴──────┴──────┴───────┴──────┴─────┴─────┴─────────┴─────┴───
//   56       60      64    96
//  ┌────────┬───────┬─────┐
//  │ faults │ major │ own │
//  └────────┴───────┴─────┘
export const MM_PGD = 0; //              u32  address of the root page table
export const MM_VMA_FIRST = 12; //       u32  the lowest vma
export const MM_VMA_CACHE = 16; //       u32  the vma that was found last
export const MM_RSS_ANON = 24; //        u32  resident pages by kind
export const MM_RSS_FILE = 28; //        u32
export const MM_RSS_SHMEM = 32; //       u32
export const MM_RSS_SWAP = 36; //        u32
export const MM_SEQ = 44; //              u32  the notifier sequence: odd while a window is open
export const MM_WINDOWS = 48; //          u32  open notifier windows
export const MM_FAULTS = 56; //          u32  CPU faults taken, minor and major
export const MM_MAJOR_FAULTS = 60; //    u32

// ── vma ────────────────────────────────────────────────────────────────────────────────────────────────────
//
//   0        8       16      24      28   32      36     40           56     60           64      72
//  ┌────────┬───────┬───────┬───────┬────┬───────┬──────┬────────────┬──────┬────────────┬───────┐
//  │ start  │  end  │ pgoff │ flags │ mm │  own  │ next │    own     │ file │ generation │  own  │
//  └────────┴───────┴───────┴───────┴────┴───────┴──────┴────────────┴──────┴────────────┴───────┘
export const VMA_START = 0; //           u64
export const VMA_END = 8; //             u64  exclusive
export const VMA_PGOFF = 16; //          u64  pages
export const VMA_FLAGS = 24; //          u32  VM_*; 0: this vma is gone
export const VMA_MM = 28; //             u32  id
export const VMA_NEXT = 36; //           u32  the next higher vma
export const VMA_FILE = 56; //           u32  id, 0 none
export const VMA_GENERATION = 60; //     u32  grows when the vma goes, so that a handle can tell

// ── File ───────────────────────────────────────────────────────────────────────────────────────────────────
//
//   0      4       8               16      20        48
//  ┌──────┬───────┬───────────────┬───────┬─────────┐
//  │ kind │  own  │     bytes     │ pages │   own   │
//  └──────┴───────┴───────────────┴───────┴─────────┘
export const FILE_KIND = 0; //           u32  FILE_DISK, FILE_SHMEM; 0: not in use
export const FILE_BYTES = 8; //          u64  its length
export const FILE_PAGES = 16; //         u32  pages in the cache

/** On a disk: written pages stay dirty until msync; shared mappings notice writes by write faults. */
export const FILE_DISK = 1;
/** tmpfs and shared anonymous memory: never written back. */
export const FILE_SHMEM = 2;

// ── Memory cgroup ──────────────────────────────────────────────────────────────────────────────────────────
//
//   0       4       8         12      16
//  ┌───────┬───────┬─────────┬───────┐
//  │ limit │ usage │ members │ flags │
//  └───────┴───────┴─────────┴───────┘
export const MEMCG_LIMIT = 0; //         u32  pages; NO_LIMIT
export const MEMCG_USAGE = 4; //         u32  pages
export const MEMCG_MEMBERS = 8; //       u32  mms
export const MEMCG_FLAGS = 12; //        u32  1: in use

// ── Open migration ─────────────────────────────────────────────────────────────────────────────────────────
//
//   0       4    8     12    16      24    32       36       40    44    48        52    60      64    96
//  ┌───────┬────┬─────┬─────┬───────┬─────┬────────┬────────┬─────┬─────┬─────────┬─────┬───────┬─────┐
//  │ state │ mm │ vma │ own │ start │ end │ npages │ cpages │ src │ own │ reasons │ own │ moved │ own │
//  └───────┴────┴─────┴─────┴───────┴─────┴────────┴────────┴─────┴─────┴─────────┴─────┴───────┴─────┘
export const MIGRATION_STATE = 0; //     u32  MIGRATION_SETUP, MIGRATION_PAGES; 0: not in use
export const MIGRATION_MM = 4; //        u32  0: a device range, in any mm
export const MIGRATION_VMA = 8; //       u32
export const MIGRATION_START = 16; //    u64
export const MIGRATION_END = 24; //      u64  exclusive
export const MIGRATION_NPAGES = 32; //   u32
export const MIGRATION_CPAGES = 36; //   u32  candidates after setup
export const MIGRATION_SRC = 40; //      u32  the driver's u32[npages]; dst's follow
export const MIGRATION_REASONS = 48; //  u32  address of u8[npages], after the core's src and dst
export const MIGRATION_MOVED = 60; //    u32  pages moved by pages()

/** MIGRATION_STATE: pages are collected and unmapped. */
export const MIGRATION_SETUP = 1;
/** MIGRATION_STATE: pages() has run. */
export const MIGRATION_PAGES = 2;
/** MIGRATION_STATE: pages() is running, and waits for a subscriber. */
export const MIGRATION_MOVING = 3;

// HDR_FAULT_CODE after -EINVAL of migratePages() or migrateFinalize(): the array whose word HDR_FAULT_ADDR
// numbers.
export const MIGRATION_WRONG_SRC = 1;
export const MIGRATION_WRONG_DST = 2;

// ── Device table ───────────────────────────────────────────────────────────────────────────────────────────
//
//   0       8         12      16
//  ┌───────┬─────────┬───────┐
//  │  own  │ entries │  own  │
//  └───────┴─────────┴───────┘
export const DEVICE_TABLE_ENTRIES = 8; //u32  entries that name a page

// ── Interval notifier ──────────────────────────────────────────────────────────────────────────────────────
//
//   0     40     72
//  ┌─────┬──────┐
//  │ own │ told │
//  └─────┴──────┘
export const NOTIFIER_TOLD = 40; //      u32[8]  how often its device table was told, by MMU_NOTIFY_*
