// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
// Where things stand in linear memory. The core checks every offset against its classes when it is compiled.
// Pointers are byte addresses in linear memory (u32). Virtual addresses are u64. 0 is "none" everywhere.

/** The header's fixed address. Below it: the module's static data. */
export const HEADER = 0x10000;
/** "HMM1" */
export const HEADER_MAGIC = 0x314d4d48;

// ── Header ─────────────────────────────────────────────────────────────────────────────────────────────────
export const HDR_MAGIC = 0; //           u32
export const HDR_FLAGS = 4; //           u32  HDR_FLAG_*
export const HDR_PANIC_MESSAGE = 8; //   u32  address of an AssemblyScript string (UTF-16, byte length at -4), 0 none
export const HDR_PANIC_FILE = 12; //     u32  likewise
export const HDR_PANIC_LINE = 16; //     u32
export const HDR_EXHAUSTED = 20; //      u32  TABLE_*: what ran out at the last -ENOMEM
export const HDR_FAULT_CODE = 24; //     u32  FAULT_*: why the last access failed
export const HDR_FAULT_KIND = 28; //     u32  FAULT_KIND_* of the last fault()
export const HDR_RESULT = 32; //         f64  an address that an operation returns
export const HDR_FAULT_ADDR = 40; //     f64  where the last access failed
export const HDR_CMD_DEPTH = 48; //      u32  operations in progress, nested
export const HDR_OPEN_MIGRATION = 52; // u32  the migration that FAULT_MIGRATION met
// The request block.
export const HDR_REQ_KIND = 64; //       u32  REQUEST_*
export const HDR_REQ_MM = 68; //         u32
export const HDR_REQ_EVENT = 72; //      u32  invalidate: MMU_NOTIFY_*
export const HDR_REQ_OWNER = 76; //      u32  invalidate: owner of the event, 0 none
export const HDR_REQ_START = 80; //      f64  invalidate: first byte; device fault: page address
export const HDR_REQ_END = 88; //        f64  invalidate: end, exclusive
export const HDR_REQ_SEQ = 96; //        u32  invalidate: the mm's sequence number to store with notifierSetSeq
export const HDR_REQ_DEVMEM = 100; //    u32  device fault
export const HDR_REQ_PAGE = 104; //      u32  device fault: the page's pfn, locked and referenced by the core
export const HDR_REQ_VMA = 108; //       u32  device fault: vma pointer
export const HDR_REQ_FLAGS = 112; //     u32  device fault: ACCESS_*
export const HDR_REQ_ORDER = 120; //     u32  device fault: how much the faulting entry maps: 0 a page, 9 (2 MiB) a huge page
export const HDR_REQ_ANSWER = 116; //    u32  device fault: TypeScript writes VM_FAULT_* here before resume()
// What verify() found.
export const HDR_VERIFY_CODE = 128; //   u32  VERIFY_*
export const HDR_VERIFY_MM = 132; //     u32
export const HDR_VERIFY_A = 136; //      f64
export const HDR_VERIFY_B = 144; //      f64
export const HDR_VERIFY_C = 152; //      f64
// KSM.
export const HDR_KSM_HASH = 160; //      u32  two tables of chains, by checksum: KSM pages; then pages that a pass has seen
export const HDR_KSM_HASH_MASK = 164; // u32
export const HDR_KSM_MMS = 168; //       u32  the first mm with mergeable memory
export const HDR_KSM_SHARED = 172; //    u32  KSM pages in use, and
export const HDR_KSM_SHARING = 176; //   u32  … further addresses that have them, after the last ksmScan
// Places.
export const HDR_XBUF = 192; //          u32  the exchange buffer
export const HDR_FOLIOS = 196; //        u32  folio of pfn 0
export const HDR_BLOCKS = 200; //        u32  block of pfn 0
export const HDR_FRAMES = 204; //        u32  bytes of pfn 0 (0 with backing "metadata")
export const HDR_ARENA = 208; //         u32
export const HDR_ARENA_END = 212; //     u32
export const HDR_LOG = 216; //           u32  event log ring
export const HDR_LOG_ENTRIES = 220; //   u32  a power of two
export const HDR_LOG_HEAD = 224; //      u32  records ever written (mod 2^32)
export const HDR_LRU = 228; //           u32  replay: LRU links of device frames, 8 bytes each; 0: not kept
export const HDR_TABLE_META = 232; //    u32
export const HDR_END = 236; //           u32  end of the used memory, in 64 KiB pages
export const HDR_SYSTEM_FRAMES = 240; // u32
export const HDR_DEVICE_FRAMES = 244; // u32
export const HDR_DEVICE_BASE = 248; //   u32  first pfn of device memory
export const HDR_DEVICE_NEXT = 252; //   u32  first device pfn not given to a devmem by bumping
export const HDR_ZERO_PFN = 256; //      u32  the zero page
export const HDR_FAIL_ALLOC = 260; //    u32  countdown: the n-th allocation from now fails; 0 off
export const HDR_GENERATION = 264; //    u32  the newest generation given to an mm or vma

/** An event listener exists: the core writes the event log. */
export const HDR_FLAG_LOG = 1;
/** Frames have bytes. */
export const HDR_FLAG_DATA = 2;

/** Pages may be paged out. */
export const HDR_FLAG_SWAP = 4;
/** There is, or was, coherent device memory. */
export const HDR_FLAG_COHERENT = 8;

/** In the owner argument of hmmRangeFault and migrateSetup: device pages of any owner are one's own. */
export const OWNER_ANY = 0xffffffff;

export const HDR_LRU_HEAD = 268; //      u32  device page that a device used last
export const HDR_LRU_TAIL = 272; //      u32  … longest ago
export const HDR_SWAP_FRAMES = 284; //   u32
export const HDR_SWAP_HASH = 288; //     u32  the swap cache's hash table
export const HDR_SWAP_HASH_MASK = 292; //u32
export const HDR_FAULT_AROUND = 280; //  u32  pages that a read fault of a file maps at most; a power of two, 1 off
export const HDR_EXTERNAL_REFS = 276; // u32  page references that callers hold: pins, pageGet, pages allocated
export const HDR_HUGE_ZERO = 296; //     u32  first pfn of the huge zero page, 0 while nobody maps it
export const HDR_HUGE_ZERO_MAPS = 300; //u32  huge mappings of it
export const HDR_HUGETLB = 304; //       u32  free hugetlb pages: a list of blocks
export const HDR_HUGETLB_FREE = 308; //  u32  how many

// ── Counters: u64 each, from HEADER + COUNTERS ────────────────────────────────────────────────────────────
export const COUNTERS = 320;
/** FAULT_KINDS counters, by kind. */
export const COUNT_FAULT = 0;
export const COUNT_INVALIDATE = 16;
export const COUNT_REQUEST = 17;
/** Pages that finished migrating system to device, device to system, device to device. */
export const COUNT_TO_DEVICE = 18;
export const COUNT_TO_SYSTEM = 19;
export const COUNT_DEVICE_TO_DEVICE = 20;
export const COUNT_MIGRATIONS = 21;
export const COUNT_PAGES_COPIED = 22;
export const COUNT_PAGES_ZEROED = 23;
export const COUNT_STAYED = 24;
export const COUNTER_COUNT = 32;

// ── Boot configuration: written by TypeScript before layoutBytes() and boot() ──────────────────────────────
export const BOOT_CONFIG = 640;
export const BOOT_DATA = 0; //           u32  1: frames have bytes
export const BOOT_SYSTEM_FRAMES = 4; //  u32
export const BOOT_DEVICE_FRAMES = 8; //  u32
export const BOOT_LOG_ENTRIES = 12; //   u32
export const BOOT_ARENA_BYTES = 16; //   u32
export const BOOT_SWAP_FRAMES = 20; //   u32
export const BOOT_HUGETLB_PAGES = 24; // u32  of 2 MiB, set aside from system memory
/** Capacities, a u32 each: BOOT_CAPACITY + 4 * TABLE_*. */
export const BOOT_CAPACITY = 32;

// ── Tables of equal objects ────────────────────────────────────────────────────────────────────────────────
// A descriptor each, from HEADER + POOLS. Ids start at 1; the object of id i is at base + i * stride.
//
//   0 base  4 stride  8 capacity  12 used  16 free list (an object's address)  20 high mark (ids ever handed out)
export const POOLS = 1024;
export const POOL_STRIDE = 32;
export const POOL_BASE = 0;
export const POOL_OBJECT_SIZE = 4;
export const POOL_CAPACITY = 8;
export const POOL_USED = 12;
export const POOL_FREE = 16;
export const POOL_HIGH = 20;

export const TABLE_MM = 0;
export const TABLE_VMA = 1;
export const TABLE_ANON_VMA = 2;
export const TABLE_AVC = 3;
export const TABLE_PAGE_TABLE = 4;
export const TABLE_NOTIFIER = 5;
export const TABLE_MEMCG = 6;
export const TABLE_MIGRATION = 7;
export const TABLE_DEVICE_TABLE = 8;
export const TABLE_FILE = 9;
export const TABLE_KSM_NODE = 10;
export const TABLE_KSM_ITEM = 11;
export const TABLE_POOLS = 12;
// Other things that run out, in HDR_EXHAUSTED only.
export const TABLE_SYSTEM_MEMORY = 16;
export const TABLE_DEVICE_MEMORY = 17;
export const TABLE_ARENA = 18;
export const TABLE_COMMANDS = 19;
export const TABLE_MEMCG_LIMIT = 20;
export const TABLE_ADDRESS_SPACE = 21;
export const TABLE_DEVMEM = 22;
export const TABLE_INJECTED = 23;
export const TABLE_HUGETLB = 24;

// ── Zones: zone 0 is system memory, zone i is devmem i ─────────────────────────────────────────────────────
export const ZONES = 1536;
export const ZONE_SIZE = 64;
export const ZONE_COUNT = 16;
export const ZONE_FLAG_COHERENT = 4;
/** Swap space. Devmems are 1 … SWAP_ZONE - 1. */
export const SWAP_ZONE = 15;
export const ZONE_FLAGS = 0; //          u32  1: in use, 2: being removed, 4: coherent, the CPU maps its pages
export const ZONE_PFN_FIRST = 4; //      u32
export const ZONE_PFN_END = 8; //        u32  exclusive
export const ZONE_OWNER = 12; //         u32  0 for system memory
export const ZONE_FREE_PAGES = 16; //    u32
export const ZONE_FREE_BLOCKS = 20; //   u32  list of blocks that are wholly free
export const ZONE_PARTIAL_BLOCKS = 24; //u32  list of blocks that are partly free
export const ZONE_FREED_HEAD = 28; //    u32  pfns freed and not yet reported to the driver
export const ZONE_FREED_TAIL = 32; //    u32
export const ZONE_FREED_COUNT = 36; //   u32

// ── Commands: operations in progress, a stack ──────────────────────────────────────────────────────────────
export const COMMANDS = 4096;
export const COMMAND_SIZE = 256;
export const COMMAND_COUNT = 16;

// ── Folio: what is known of a frame (16 bytes) ─────────────────────────────────────────────────────────────
//
//   0                 4                 8                 12        14        16
//  ┌─────┬───────────┬─────┬───────────┬─────────────────┬─────────┬─────────┐
//  │memcg│ refcount  │idx h│ mapcount  │   index, low    │ mapping │  flags  │
//  └─────┴───────────┴─────┴───────────┴─────────────────┴─────────┴─────────┘
//    8      24         8      24              32              16        16
//  index: page offset in the anon_vma or file, 40 bits. mapping: anon_vma id (FOLIO_ANON) or file id.
//  KSM pages (FOLIO_KSM with FOLIO_ANON): index is the address of their node, mapping 0.
//  Free device pages that the driver has not heard of are linked through index.
export const FOLIO_SIZE = 16;
export const FOLIO_REFS = 0;
export const FOLIO_MAPS = 4;
export const FOLIO_INDEX = 8;
export const FOLIO_MAPPING = 12;
export const FOLIO_FLAGS = 14;

export const FOLIO_COUNT_MASK = 0x00ffffff;
/** A long-term pin is this many references (GUP_PIN_COUNTING_BIAS): a page with as many is taken for pinned. */
export const PIN_BIAS = 1024;
export const FOLIO_LOCKED = 0x0001;
/** On the LRU: every system page with a user, unless it is isolated. */
export const FOLIO_LRU = 0x0002;
export const FOLIO_DIRTY = 0x0004;
export const FOLIO_ANON = 0x0008;
/** This page belongs to one process alone; it may write without asking. */
export const FOLIO_ANON_EXCLUSIVE = 0x0010;
export const FOLIO_FILE = 0x0020;
export const FOLIO_SHMEM = 0x0040;
export const FOLIO_SWAP_CACHE = 0x0080;
export const FOLIO_HEAD = 0x0100;
export const FOLIO_TAIL = 0x0200;
/** Part of a large folio: a block of 512 frames that began as one. Each frame has its own counts. */
export const FOLIO_LARGE = 0x0300;
export const FOLIO_KSM = 0x0400;
/** PG_referenced: the kernel has got at it by its address since it was last called cold. */
export const FOLIO_REFERENCED = 0x0800;
/** Other migration entries than the collected one name this page. */
export const FOLIO_MIGRATION_SHARED = 0x1000;
/** Nobody's: on a free list (or, device memory, on its way there). */
export const FOLIO_FREE = 0x2000;
/** The next CPU access is SIGBUS: a driver said MIGRATE_PFN_ERROR. */
export const FOLIO_POISONED = 0x4000;
/** Reserved by the engine: pfn 0, the zero page, and hugetlb pages, which count for nobody. */
export const FOLIO_RESERVED = 0x8000;

// ── Block: 512 frames ──────────────────────────────────────────────────────────────────────────────────────
export const BLOCK_SIZE = 80;
export const BLOCK_BITMAP = 0; //        u64[8], 1 = free
export const BLOCK_PREV = 64; //         u32  address of a block
/** Of a block that is a large folio (and on no list): its frames that somebody refers to. */
export const BLOCK_LIVE = 64; //         u32
export const BLOCK_NEXT = 68; //         u32
export const BLOCK_FREE = 72; //         u16  free frames
export const BLOCK_ZONE = 74; //         u16
export const BLOCK_PFN = 76; //          u32  its first frame

// ── Address space ──────────────────────────────────────────────────────────────────────────────────────────
export const MM_SIZE = 96;
export const MM_PGD = 0; //              u32  root table; a closed mm has none
export const MM_FLAGS = 4; //            u32  MM_ALIVE
export const MM_VMA_ROOT = 8; //         u32
export const MM_VMA_FIRST = 12; //       u32
export const MM_VMA_CACHE = 16; //       u32
export const MM_VMA_COUNT = 20; //       u32
export const MM_RSS_ANON = 24; //        u32  pages
export const MM_RSS_FILE = 28; //        u32
export const MM_RSS_SHMEM = 32; //       u32
export const MM_RSS_SWAP = 36; //        u32
export const MM_MEMCG = 40; //           u32
export const MM_SEQ = 44; //             u32  notifier sequence, even when idle
export const MM_INVALIDATIONS = 48; //   u32  notifier windows open now
export const MM_NOTIFIERS = 52; //       u32  list of subscriptions
export const MM_FAULTS = 56; //          u32  CPU faults taken (minor and major)
export const MM_MAJOR_FAULTS = 60; //    u32
export const MM_LOCKED_PAGES = 68; //    u32  pages of VM_LOCKED vmas
export const MM_GENERATION = 72; //      u32  how often this id was used
export const MM_VMA_LAST = 76; //        u32
export const MM_KSM_ITEMS = 88; //       u32  list of KSM items, by address
export const MM_KSM_NEXT = 92; //        u32  the next mm with mergeable memory

export const MM_ALIVE = 1;
/** It is in the list of address spaces that ksmScan looks through. */
export const MM_MERGEABLE = 0x10;
/** Some of its pages have been pinned for long: fork has to look. */
export const MM_HAS_PINNED = 0x20;

// ── vma ────────────────────────────────────────────────────────────────────────────────────────────────────
export const VMA_SIZE = 72;
export const VMA_START = 0; //           u64
export const VMA_END = 8; //             u64  exclusive
export const VMA_PGOFF = 16; //          u64  pages
export const VMA_FLAGS = 24; //          u32  VM_*; 0: this vma is gone
export const VMA_MM = 28; //             u32  id
export const VMA_PREV = 32; //           u32
export const VMA_NEXT = 36; //           u32
export const VMA_LEFT = 40; //           u32
export const VMA_RIGHT = 44; //          u32
export const VMA_ANON_VMA = 48; //       u32  id
export const VMA_CHAIN = 52; //          u32  list of anon_vma links
export const VMA_FILE = 56; //           u32  id
export const VMA_FILE_PREV = 64; //      u32  in the file's list of vmas
export const VMA_FILE_NEXT = 68; //      u32
export const VMA_GENERATION = 60; //     u32  grows when the vma goes, so that a handle can tell

// ── File ───────────────────────────────────────────────────────────────────────────────────────────────────
export const FILE_SIZE = 48;
export const FILE_KIND = 0; //           u32  FILE_DISK, FILE_SHMEM; 0: not in use
export const FILE_ROOT = 4; //           u32  page cache: a table like a page table, by page offset
export const FILE_BYTES = 8; //          u64  size
export const FILE_PAGES = 16; //         u32  pages in the cache
export const FILE_HOLDS = 20; //         u32  the handle (1), and each vma that maps it
export const FILE_FIRST = 24; //         u32  vmas that map it, by page offset
export const FILE_LAST = 28; //          u32

/** On a disk: written pages are dirty until they are written back (msync), shared mappings see it by write faults. */
export const FILE_DISK = 1;
/** tmpfs and shared anonymous memory: never written back. */
export const FILE_SHMEM = 2;

// ── Notifier subscription ──────────────────────────────────────────────────────────────────────────────────
export const NOTIFIER_SIZE = 32;
export const NOTIFIER_NEXT = 0; //       u32
export const NOTIFIER_MM = 4; //         u32
export const NOTIFIER_START = 8; //      u64
export const NOTIFIER_LAST = 16; //      u64  inclusive
export const NOTIFIER_SEQ = 24; //       u32

// ── Memory cgroup ──────────────────────────────────────────────────────────────────────────────────────────
export const MEMCG_SIZE = 16;
export const MEMCG_LIMIT = 0; //         u32  pages; 0xffffffff none
export const MEMCG_USAGE = 4; //         u32  pages
export const MEMCG_MEMBERS = 8; //       u32  mms
export const MEMCG_FLAGS = 12; //        u32  1: in use

// ── KSM ────────────────────────────────────────────────────────────────────────────────────────────────────
/** A KSM page's node, and an item for each address that was looked at (core/ksm-item.ts draws them). */
export const KSM_NODE_SIZE = 24;
export const KSM_ITEM_SIZE = 40;

// ── Open migration ─────────────────────────────────────────────────────────────────────────────────────────
export const MIGRATION_SIZE = 96;
export const MIGRATION_STATE = 0; //     u32  MIGRATION_*
export const MIGRATION_MM = 4; //        u32  0: a device range, in any mm
export const MIGRATION_VMA = 8; //       u32
export const MIGRATION_SELECT = 12; //   u32
export const MIGRATION_START = 16; //    u64
export const MIGRATION_END = 24; //      u64
export const MIGRATION_NPAGES = 32; //   u32
export const MIGRATION_CPAGES = 36; //   u32  candidates after setup
export const MIGRATION_SRC = 40; //      u32  address of u32[npages]: the driver's; the core works on copies of its own
export const MIGRATION_DST = 44; //      u32  address of u32[npages]: the driver's
export const MIGRATION_REASONS = 48; //  u32  address of u8[npages]
export const MIGRATION_OWNER = 52; //    u32
export const MIGRATION_FAULT_PAGE = 56; //u32
export const MIGRATION_MOVED = 60; //    u32  pages moved by pages()
export const MIGRATION_HOLES_FROM = 64; //u32  index of the first hole filled + 1; 0 none: second notifier window

export const MIGRATION_SETUP = 1;
export const MIGRATION_PAGES = 2;
/** pages() is running: it waits for a subscriber. */
export const MIGRATION_MOVING = 3;
/** What HDR_FAULT_CODE says after -EINVAL of migratePages() or migrateFinalize(): which word HDR_FAULT_ADDR numbers. */
export const MIGRATION_WRONG_SRC = 1;
export const MIGRATION_WRONG_DST = 2;

// ── Device table ───────────────────────────────────────────────────────────────────────────────────────────
export const DEVICE_TABLE_SIZE = 16;
export const DEVICE_TABLE_ROOT = 0; //   u32
export const DEVICE_TABLE_MM = 4; //     u32  the mm that it mirrors; 0: none, not checked against one
export const DEVICE_TABLE_ENTRIES = 8; //u32

// ── Event log record ───────────────────────────────────────────────────────────────────────────────────────
export const LOG_RECORD_SIZE = 24;
export const LOG_RECORD_KIND = 0; //     u32  LOG_*
export const LOG_RECORD_MM = 4; //       u32
export const LOG_RECORD_A = 8; //        f64
export const LOG_RECORD_B = 16; //       u32
export const LOG_RECORD_C = 20; //       u32

/** Bytes that access() moves at most in one call, through the exchange buffer. */
export const XBUF_SIZE = 65536;

// ── Replay record: one memory access, u64 ──────────────────────────────────────────────────────────────────
//
//   63  61 60 59 58 57  56 55        48 47                                     0
//  ┌──────┬──┬─────┬──────┬────────────┬────────────────────────────────────────┐
//  │  0   │D │  0  │ kind │ size, bytes│                address                 │
//  └──────┴──┴─────┴──────┴────────────┴────────────────────────────────────────┘
//  kind: 0 load, 1 store, 2 modify (a load, then a store).  D: the device makes it.
export const RECORD_SIZE_SHIFT = 48;
export const RECORD_KIND_SHIFT = 56;
export const RECORD_KIND_LOAD = 0;
export const RECORD_KIND_STORE = 1;
export const RECORD_KIND_MODIFY = 2;
export const RECORD_DEVICE_SHIFT = 60;

// What stopped replay(): HDR_RESULT holds the records done, HDR_FAULT_ADDR the page, HDR_FAULT_CODE 1 if it was a write.
export const REPLAY_DONE = 0;
/** The CPU touched memory that no vma covers. */
export const REPLAY_NO_VMA = 1;
/** The CPU access faults: run fault() and go on. */
export const REPLAY_CPU_FAULT = 2;
/** The device has no entry, or none that it may write through. */
export const REPLAY_DEVICE_FAULT = 3;

// What verify() finds broken.
export const VERIFY_OK = 0;
export const VERIFY_REFCOUNT = 1; //       a pfn, b counted, c found
export const VERIFY_MAPCOUNT = 2; //       a pfn, b counted, c found
export const VERIFY_FREE_LIST = 3; //      a pfn: free and used, on two lists, or on none
export const VERIFY_DEVICE_PRESENT = 4; // a address, b pfn: a present CPU entry of a device page
export const VERIFY_MIRROR_PAGE = 5; //    a address, b pfn of the device, c pfn of the CPU
export const VERIFY_MIRROR_WRITE = 6; //   a address, b pfn: the device may write, the CPU may not
export const VERIFY_RSS = 7; //            a kind (0 anon, 1 file, 2 shmem, 3 swap), b counted, c found
export const VERIFY_MEMCG = 8; //          a memcg, b counted, c found
export const VERIFY_MIGRATION_ENTRY = 9; //a address, b pfn: an entry without an open migration, or an unlocked page
export const VERIFY_VMA_ORDER = 10; //     a address: vmas overlap, are empty or out of order
export const VERIFY_VMA_TREE = 11; //      a address: tree and list of vmas differ
export const VERIFY_ENTRY_OUTSIDE = 12; // a address: an entry that no vma covers
export const VERIFY_WRITE_BIT = 13; //     a address: writable in a vma that is not
export const VERIFY_RMAP = 14; //          a address, b pfn: the reverse map does not find this entry
export const VERIFY_POOL = 15; //          a table, b counted, c found
export const VERIFY_EXCLUSIVE = 16; //     a pfn: anon-exclusive, and mapped more than once
export const VERIFY_ANON_VMA = 17; //      a id: links or counts are wrong
export const VERIFY_ARENA = 18; //         a address: a broken block
export const VERIFY_TABLE_META = 19; //    a table's address: owner or level wrong
export const VERIFY_LOCKED = 20; //        a pfn: locked while no migration is open
export const VERIFY_HUGE = 21; //          a address: a huge mapping whose entries do not belong together
