/**
 * What the core module exports: numbers in, numbers out. Addresses and byte counts are f64 (exact integers of
 * 48 bits); ids and pointers are u32 (read a pointer with `>>> 0`).
 *
 * A function returns 0, a count or an id, or a negative errno, unless its text says otherwise. An operation
 * that needs the outside returns REQUEST: the request block in the header says what the core asks for, and
 * `resume()`, after the request was served, goes on and returns one of these again. Functions that never
 * return REQUEST are marked "No request." The address that an operation results in stands at HDR_RESULT.
 * After -ENOMEM, HDR_EXHAUSTED says what ran out.
 */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  /**
   * Throws once the core has trapped: "this engine is broken since …". Every other function then throws the
   * same.
   */
  demandWhole(): void;

  // ── boot: no request ──
  /**
   * Returns the bytes of linear memory that the boot configuration (HEADER + BOOT_CONFIG) needs, and replaces
   * capacities that are 0 by defaults. -EINVAL or -ENOMEM: more than 4 GiB.
   */
  layoutBytes(): number;
  /** Lays memory out. Called once; memory has layoutBytes() bytes, all zero beyond the header. */
  boot(): number;

  // ── protocol ──
  /** Goes on with the topmost operation after its request was served. */
  resume(): number;
  /**
   * Ends the topmost operation, which has asked for a device fault, and undoes what it holds. What it did
   * before stays done. No request.
   */
  cancel(): number;

  // ── memory cgroups: no request ──
  /** Makes a memory cgroup. limitPages 0xffffffff: no limit. Returns its id. */
  memcgCreate(limitPages: number): number;
  memcgSetLimit(memcg: number, limitPages: number): number;
  /** -EBUSY while an mm or a page is charged to the group. */
  memcgDestroy(memcg: number): number;

  // ── address spaces ──
  /** Makes an address space. memcg 0: none. Returns its id. No request. */
  mmCreate(memcg: number): number;
  /** Returns the id of the child. */
  mmFork(mm: number): number;
  mmClose(mm: number): number;
  /** HDR_RESULT: the address. MAP_FIXED replaces what is mapped there; without it addr is a hint. */
  mmap(
    mm: number,
    addr: number,
    length: number,
    prot: number,
    flags: number,
    file: number,
    offset: number,
  ): number;
  munmap(mm: number, addr: number, length: number): number;
  mprotect(mm: number, addr: number, length: number, prot: number): number;
  madvise(mm: number, addr: number, length: number, advice: number): number;
  /** HDR_RESULT: the new address. */
  mremap(
    mm: number,
    addr: number,
    oldLength: number,
    newLength: number,
    flags: number,
    newAddr: number,
  ): number;
  mlock(mm: number, addr: number, length: number): number;
  munlock(mm: number, addr: number, length: number): number;
  /** Writes a byte for each page of the range to out; bit 0: resident. No request. */
  mincore(mm: number, addr: number, length: number, out: number): number;
  /**
   * Registers (on 1) or unregisters (on 0) [addr, addr + length) with userfaultfd, for missing pages, with
   * the SIGBUS feature. -EINVAL over holes and files. No request.
   */
  uffdRegister(mm: number, addr: number, length: number, on: number): number;
  /** Returns the pointer of the vma that holds addr, 0 for none. No request. */
  findVma(mm: number, addr: number): number;
  /** Returns the low word (PTE_*) of the CPU's entry of addr, 0 for none. HDR_RESULT: its pfn. No request. */
  lookupPte(mm: number, addr: number): number;

  // ── CPU accesses ──
  /** Returns the 32-bit word at addr, 4-byte aligned, or -1 if access() is needed. No request. */
  load32(mm: number, addr: number): number;
  /** Returns 1 if it stored the word, 0 if access() is needed. No request. */
  store32(mm: number, addr: number, value: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes between memory and the exchange buffer, faulting pages in as a CPU
   * does. flags: ACCESS_*. Returns the bytes copied, fewer than requested when a page failed (HDR_FAULT_CODE
   * and HDR_FAULT_ADDR say why and where); -EFAULT when the first page failed; -EAGAIN when it met an open
   * migration (HDR_OPEN_MIGRATION).
   */
  access(mm: number, addr: number, length: number, flags: number): number;
  /**
   * Faults the page at addr in, as a CPU access does. Returns VM_FAULT_* bits (0: done); -EAGAIN as access().
   */
  fault(mm: number, addr: number, flags: number): number;
  /**
   * Faults npages pages in, takes a reference on each, and writes their pfns (u32) to out (get_user_pages).
   * Returns how many, or an errno if the first page failed.
   */
  pin(mm: number, addr: number, npages: number, out: number, flags: number): number;
  /**
   * Drops what pin() with these flags took on each of n pfns. -EINVAL if somebody else has dropped it from
   * one of them before, and HDR_FAULT_ADDR is the page; the others are dropped all the same. No request.
   */
  unpin(pfns: number, n: number, flags: number): number;

  // ── files ──
  /**
   * Makes a file of holes. kind: FILE_DISK or FILE_SHMEM. Returns its id, held until fileClose. No request.
   */
  fileCreate(kind: number, bytes: number): number;
  /** Drops the caller's hold: the file goes when nothing maps it any more. No request. */
  fileClose(file: number): number;
  /** Copies min(length, XBUF_SIZE) bytes at offset to the exchange buffer. Returns how many. No request. */
  fileRead(file: number, offset: number, length: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes from the exchange buffer to the file, which grows as needed. New
   * pages are charged to memcg (0: none). Returns how many bytes; -ENOMEM if memory ran out before the first.
   * No request.
   */
  fileWrite(file: number, offset: number, length: number, memcg: number): number;
  /**
   * Sets the size in bytes. What lies beyond is unmapped everywhere, private copies included, and dropped.
   */
  fileTruncate(file: number, bytes: number): number;
  /**
   * Unmaps and drops the whole pages of [offset, offset + length), private copies excepted, and zeroes the
   * parts of pages.
   */
  filePunchHole(file: number, offset: number, length: number): number;
  /**
   * Writes dirty pages of disk files back (MS_SYNC): their entries become clean and write-protected. -ENOMEM
   * over a hole.
   */
  msync(mm: number, addr: number, length: number): number;

  // ── notifiers: no request ──
  /**
   * Subscribes [start, last], both inclusive, of mm. Returns an id; -EOVERFLOW if the range is empty or
   * wraps.
   */
  notifierInsert(mm: number, start: number, last: number): number;
  notifierRemove(id: number): number;
  /**
   * Makes a device table of the subscription's mm follow its events, but for migrations of `owner` (0: none);
   * `watched` 1: an invalidation is requested as well.
   */
  notifierBind(id: number, table: number, owner: number, watched: number): number;
  /**
   * Returns the sequence number for notifierReadRetry (mmu_interval_read_begin); -EAGAIN inside an
   * invalidation that touches the subscription.
   */
  notifierReadBegin(id: number): number;
  /** Returns 1 if an invalidation has touched the subscription since. */
  notifierReadRetry(id: number, seq: number): number;
  /** Stores the sequence number (mmu_interval_set_seq). Called while an invalidation is served. */
  notifierSetSeq(id: number, seq: number): number;

  // ── hmm_range_fault ──
  /**
   * Fills pfns (u32 hmm_pfn words) for [start, end). A slot's request is (slot & mask) | defaultFlags. With a
   * notifier (0: none) the answer is -EBUSY if it was invalidated since seq. Returns 0, -EBUSY, -EFAULT,
   * -EPERM, -ENOMEM, or -EAGAIN when it met an open migration.
   */
  hmmRangeFault(
    mm: number,
    start: number,
    end: number,
    pfns: number,
    defaultFlags: number,
    mask: number,
    owner: number,
    notifier: number,
    seq: number,
  ): number;

  // ── device memory: no request ──
  /** Adds a device's memory. coherent 1: CPUs map its pages. Returns its zone, 1 to 14. */
  devmemAdd(bytes: number, owner: number, coherent: number): number;
  /**
   * Returns how many pages are still in use; 0: it is removed. No page can be allocated from it in either
   * case.
   */
  devmemRemove(devmem: number): number;
  /** Returns a locked page with one reference, not zeroed; 0 when none is left. */
  devmemAllocPage(devmem: number): number;
  /**
   * Fills dst[i] (VALID | pfn) for each candidate of src (MIGRATE) whose dst is 0. Returns how many pages.
   */
  devmemAllocPages(devmem: number, src: number, dst: number, n: number): number;
  /** Moves up to max freed pfns to the exchange buffer; they are free from then on. Returns how many. */
  devmemTakeFreed(devmem: number, max: number): number;

  // ── pages: no request ──
  /**
   * Returns a page of system memory for a migration: locked, with one reference, not zeroed; 0: none is left.
   */
  systemAllocPage(): number;
  /**
   * Fills dst[i] for each page of src (MIGRATE and VALID: holes get none) whose dst is 0. Returns how many.
   */
  systemAllocPages(src: number, dst: number, n: number): number;
  pageGet(pfn: number): number;
  pagePut(pfn: number): number;
  /** Returns 1 if it locked the page, 0 if the page was locked. */
  pageTryLock(pfn: number): number;
  pageUnlock(pfn: number): number;
  /** Returns 1 if it isolated the page, 0 if the page is not on the LRU. */
  pageIsolate(pfn: number): number;
  pagePutback(pfn: number): number;
  /** Copies the pages of src to those of dst, and zero-fills for holes. Returns how many pages it wrote. */
  copyPages(src: number, dst: number, n: number): number;
  /** Returns the address of a frame's bytes; 0 with backing "metadata". */
  pageData(pfn: number): number;
  /** Returns the zone of a pfn: 0 for system memory, else the devmem; -EINVAL outside of memory. */
  pageZone(pfn: number): number;

  // ── migration ──
  /**
   * Begins a migration (migrate_vma_setup). owner 0: none. faultPage: the pfn that a fault callback was
   * given, or 0. Returns the migration's id.
   */
  migrateSetup(
    mm: number,
    start: number,
    end: number,
    select: number,
    owner: number,
    faultPage: number,
  ): number;
  /**
   * Begins a migration of pages [pfn, pfn + n) of device memory, wherever they are mapped
   * (migrate_device_range). Returns the migration's id.
   */
  migrateDeviceSetup(pfn: number, n: number): number;
  /** As migrateDeviceSetup() for the n device pages at `pfns` (u32 each), which must stay as they are. */
  migrateDevicePfns(pfns: number, n: number): number;
  /**
   * Returns how many pages moved. -EINVAL, before any moves, if a word is wrong: HDR_FAULT_CODE is
   * MIGRATION_WRONG_SRC or MIGRATION_WRONG_DST, HDR_FAULT_ADDR the index. -EBUSY if it was called before.
   */
  migratePages(migration: number): number;
  /**
   * The id is free afterwards. -EINVAL as migratePages(), for dst; -EBUSY while migratePages() waits. No
   * request.
   */
  migrateFinalize(migration: number): number;

  // ── device-exclusive access ──
  /**
   * Faults npages pages in for writing, and replaces the CPU's entries by exclusive ones
   * (make_device_exclusive). Writes pfns (u32) to out, each locked and with a reference; 0 for a page that
   * cannot become exclusive (not anonymous, or locked). owner: named in the events, 0 for none. Returns how
   * many pages it reached (the rest could not be faulted in), or the errno of the first.
   */
  makeDeviceExclusive(mm: number, start: number, npages: number, out: number, owner: number): number;

  // ── device tables: no request ──
  /** Makes a device table. mm 0: none. Returns its id. */
  deviceTableCreate(mm: number): number;
  /** Subscriptions that are bound to the table no longer are. */
  deviceTableClose(table: number): number;
  /**
   * Enters the VALID slots of pfns (hmm_pfn) from start on; other entries stay. Returns how many it entered.
   */
  deviceTableMap(table: number, start: number, pfns: number, n: number): number;
  /**
   * Between pages() and finalize(): enters what a migration has moved to a device, and drops the entries of
   * what has left. Returns how many it entered.
   */
  deviceTableMapMigrated(table: number, migration: number): number;
  /** Drops the entries of [start, end). Returns how many there were. */
  /** Returns how many entries of [start, end) name pages of a zone. */
  deviceTableCount(table: number, start: number, end: number, zone: number): number;
  deviceTableClear(table: number, start: number, end: number): number;
  /** Clears the write bit of the entries of [start, end). Returns how many had it. */
  deviceTableProtect(table: number, start: number, end: number): number;
  /** Returns the entry of addr: VALID | WRITE | DEVICE_PFN_DIRTY | pfn, 0 for none. */
  deviceTableLookup(table: number, addr: number): number;
  /** Makes the entries of [start, end) not accessed. Returns how many were. */
  deviceTableClearAccessed(table: number, start: number, end: number): number;
  /** Stores a byte for each of n pages: whether it was accessed. Returns how many were. */
  deviceTableAccessed(table: number, start: number, n: number, out: number): number;
  /**
   * Stores the words of n addresses (f64 each, below 2^48) at `out`. `used`: PTE_* bits that the entries get;
   * with PTE_DIRTY an entry without PTE_WRITE gives 0. Returns how many words are not 0.
   */
  deviceTableTranslate(table: number, addrs: number, n: number, out: number, used: number): number;
  /** Writes the entries of n pages to out (u32 each). Returns how many are not 0. */
  deviceTableSnapshot(table: number, start: number, n: number, out: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes through the table, up to the first missing (or, writing, read-only)
   * entry. Returns how many bytes.
   */
  deviceTableAccess(table: number, addr: number, length: number, write: number): number;

  // ── translation: no request ──
  /**
   * Writes what the CPU's entries of n addresses (f64 each, at addrs) name to out: an hmm_pfn word (u32)
   * each, 0 for nothing. Returns how many words are not 0.
   */
  translate(mm: number, addrs: number, n: number, out: number): number;
  /** Returns how many of the n f64 at addrs, from the first on, are addresses below 2^48. */
  addressesBelow48(addrs: number, n: number): number;

  // ── KSM ──
  /**
   * Looks through mergeable memory `passes` times and merges equal pages. HDR_KSM_SHARED and HDR_KSM_SHARING
   * count what is merged.
   */
  ksmScan(passes: number): number;

  // ── replay: no request ──
  /**
   * Makes the accesses of records [at, n) (RECORD_BYTES each). The exchange buffer has each agent's device
   * table (u32; 0: the mm's page table). Uses of device frames are written to [uses, end) (u32 each; 0:
   * nowhere). HDR_RESULT: the record that stopped it; HDR_FAULT_ADDR: the page that this record needs;
   * HDR_FAULT_CODE: 1 for a write; HDR_USES: uses written. Returns REPLAY_*.
   */
  replay(
    mm: number,
    agents: number,
    records: number,
    at: number,
    n: number,
    uses: number,
    end: number,
  ): number;
  /**
   * replay() of a CPU and one device, whose faults are served by demand paging, at most PAGING_EVENTS_MAX
   * events of it: MOVE_BYTES after `out` lie what came and what left (f64 each, PAGING_*), HDR_USES of them.
   */
  replayPaging(
    mm: number,
    records: number,
    at: number,
    n: number,
    devmem: number,
    table: number,
    room: number,
    out: number,
  ): number;
  /**
   * Counts n records to the exchange buffer (u32 each): loads, stores and modifies of the CPU and 0, then the
   * same of the device.
   */
  replayCount(records: number, at: number, n: number): number;
  /**
   * Counts records [at, n) by agent to the exchange buffer: loads, stores, modifies and fetches (u32 each) of
   * agent 0, of agent 1, and so on to 255.
   */
  replayCountAgents(records: number, at: number, n: number): number;
  /**
   * Adds the devices' accesses of records [at, n) to the counts of their threads: 65,536 words at an address.
   */
  replayCountThreads(records: number, at: number, n: number, counts: number): number;
  /**
   * replayCountPeers(): counts records [at, n) by the device that accesses and the device whose memory it is,
   * by tables and zones in the exchange buffer.
   */
  replayCountPeers(agents: number, records: number, at: number, n: number): number;
  /**
   * Counts records [at, end) by the interval, of the n at `intervals`, that their first byte lies in
   * (assembly/abi/interval.ts). Uses the exchange buffer.
   */
  replayCountRanges(records: number, at: number, end: number, intervals: number, n: number): number;
  /**
   * As replayCountRanges(), the devices' accesses to memory that is not their own, by tables and zones in the
   * exchange buffer.
   */
  replayCountRemote(
    agents: number,
    records: number,
    at: number,
    end: number,
    intervals: number,
    n: number,
  ): number;
  /**
   * Writes up to max pfns of devmem, the least recently used by the device first, to the exchange buffer, as
   * two arrays of max: pfns (u32), addresses in pages (f64). Returns how many; -EINVAL if uses are not kept.
   */
  replayOldest(mm: number, devmem: number, max: number): number;

  // ── housekeeping: no request ──
  /** Allocates zeroed bytes from the arena, 8-byte aligned. Returns their address; 0: the arena is full. */
  arenaAlloc(bytes: number): number;
  /** As arenaAlloc(), in the part of the arena that no driver sees. */
  arenaAllocOwn(bytes: number): number;
  arenaFree(address: number): number;
  /** Returns a checksum of [start, end); both are multiples of 64. */
  /**
   * A whole migration of [start, end), at most MOVE_PAGES_MAX pages: to the devmem, or from it to system
   * memory, where page `first` of the range gets a frame before all others; the device table follows. `out`
   * points to MOVE_BYTES bytes. Returns the pages moved.
   */
  migrateMove(
    mm: number,
    start: number,
    end: number,
    toDevice: number,
    devmem: number,
    table: number,
    first: number,
    faultPage: number,
    out: number,
  ): number;
  checksum(start: number, end: number): number;
  /** Checks every invariant. Returns VERIFY_*; details are in the header. */
  verify(): number;
}
