import { REQUEST } from "../../assembly/abi/request.ts";

export { REQUEST };

/**
 * What the core module exports: numbers in, numbers out. Addresses and byte counts are f64 (48-bit, exact),
 * ids and pointers are u32 (read a pointer with `>>> 0`). Unless a line says otherwise a function returns 0
 * or a count, or a negative errno, or REQUEST: then the request block in the header says what the core wants,
 * and after serving it `resume()` runs the operation on, which again returns one of these. Operations marked
 * "(no request)" never ask.
 *
 * An address that an operation returns is in HDR_RESULT. After -ENOMEM, HDR_EXHAUSTED names what ran out.
 */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  /** Throws once the core has trapped: "this engine is broken since …". Every other function then throws the same. */
  demandWhole(): void;

  // ── boot ──
  /**
   * Bytes of linear memory that the boot configuration (HEADER + BOOT_CONFIG) needs; fills in capacities that
   * are 0 with defaults. -EINVAL/-ENOMEM if it exceeds 4 GiB.
   */
  layoutBytes(): number;
  /** Lays everything out. The memory must have layoutBytes() bytes, all zero beyond the header. Once. */
  boot(): number;

  // ── protocol ──
  /** Runs the topmost operation on after its request was served. */
  resume(): number;
  /**
   * Drops the topmost operation, which has asked for a device fault, and undoes what it holds. What it did
   * before stays done. (no request)
   */
  cancel(): number;

  // ── memory cgroups ──
  memcgCreate(limitPages: number): number; // id. 0xffffffff: no limit (no request)
  memcgSetLimit(memcg: number, limitPages: number): number;
  memcgDestroy(memcg: number): number; // -EBUSY while an mm or page is charged to it (no request)

  // ── address spaces ──
  mmCreate(memcg: number): number; // id; memcg 0: none (no request)
  mmFork(mm: number): number; // id of the child
  mmClose(mm: number): number;
  /** HDR_RESULT: the address. MAP_FIXED replaces what is there; without it addr is a hint. */
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
  /** Writes a byte a page (bit 0: resident) to out. length/PAGE_SIZE bytes. (no request) */
  mincore(mm: number, addr: number, length: number, out: number): number;
  /**
   * userfaultfd, missing pages, SIGBUS feature: registers (on 1) or unregisters [addr, addr + length).
   * -EINVAL over holes and files. (no request)
   */
  uffdRegister(mm: number, addr: number, length: number, on: number): number;
  /** Pointer of the vma that holds addr, 0 none. (no request) */
  findVma(mm: number, addr: number): number;
  /**
   * The CPU's entry for addr: low word (PTE_*); its pfn at HDR_RESULT. 0 where there is none. (no request)
   */
  lookupPte(mm: number, addr: number): number;

  // ── CPU access ──
  /**
   * The 32-bit word at addr (4-byte aligned) if a mapped page holds it, else -1: use access(). (no request)
   */
  load32(mm: number, addr: number): number;
  /** 1 if stored, 0 if the slow way is needed. (no request) */
  store32(mm: number, addr: number, value: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes between memory and the exchange buffer, faulting pages in as a CPU
   * would. flags: ACCESS_*. Returns the bytes copied: less than asked when a page failed (HDR_FAULT_CODE,
   * HDR_FAULT_ADDR say why and where), or -EFAULT when that was the first; -EAGAIN when it met an open
   * migration (HDR_OPEN_MIGRATION).
   */
  access(mm: number, addr: number, length: number, flags: number): number;
  /**
   * Faults the page at addr in, as a CPU access would. Returns VM_FAULT_* bits (0: done); -EAGAIN as
   * access().
   */
  fault(mm: number, addr: number, flags: number): number;
  /**
   * get_user_pages: faults in, takes a reference on each of npages pages, writes their pfns (u32) to out. A
   * count, possibly short; errno if the first failed.
   */
  pin(mm: number, addr: number, npages: number, out: number, flags: number): number;
  /**
   * Drops what pin() with these flags took on each of n pfns. -EINVAL if somebody else has dropped it before:
   * HDR_FAULT_ADDR is the page; the others are dropped. (no request)
   */
  unpin(pfns: number, n: number, flags: number): number;

  // ── files ──
  /**
   * A file in memory. kind: FILE_DISK or FILE_SHMEM; bytes: its size, all holes. Id; the caller holds it
   * until fileClose. (no request)
   */
  fileCreate(kind: number, bytes: number): number;
  /** Drops the caller's hold: the file goes when nothing maps it any more. (no request) */
  fileClose(file: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes at offset to the exchange buffer; less at the end of the file. Bytes.
   * (no request)
   */
  fileRead(file: number, offset: number, length: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes from the exchange buffer to the file, which grows as needed; its new
   * pages are charged to memcg (0: nobody). Bytes, less when memory ran out after some; -ENOMEM. (no request)
   */
  fileWrite(file: number, offset: number, length: number, memcg: number): number;
  /** Sets the size in bytes. What lies beyond is unmapped everywhere, private copies too, and dropped. */
  fileTruncate(file: number, bytes: number): number;
  /**
   * Drops the whole pages of [offset, offset + length), unmapping them (private copies stay), and zeroes the
   * parts of pages.
   */
  filePunchHole(file: number, offset: number, length: number): number;
  /**
   * MS_SYNC: writes dirty pages of disk files back; their entries become clean and write-protected. -ENOMEM
   * over a hole.
   */
  msync(mm: number, addr: number, length: number): number;

  // ── notifiers ──
  /** Subscribes [start, last] (last inclusive) of mm. Id. -EOVERFLOW if empty or wrapping. (no request) */
  notifierInsert(mm: number, start: number, last: number): number;
  notifierRemove(id: number): number; // (no request)
  /**
   * mmu_interval_read_begin: the sequence to pass to notifierReadRetry; -EAGAIN inside an invalidation that
   * touches id. (no request)
   */
  notifierReadBegin(id: number): number;
  /** 1 if an invalidation touched id since. (no request) */
  notifierReadRetry(id: number, seq: number): number;
  /** mmu_interval_set_seq, to be called while an invalidation is served. (no request) */
  notifierSetSeq(id: number, seq: number): number;

  // ── hmm_range_fault ──
  /**
   * Fills pfns (u32 hmm_pfn each) for [start, end). Input request of a slot: (slot & mask) | defaultFlags.
   * notifier 0: none checked; else -EBUSY when it was invalidated since seq.
   * Returns 0, -EBUSY, -EFAULT, -EPERM, -ENOMEM, -EAGAIN (met an open migration).
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

  // ── device memory ──
  /** coherent 1: the CPU maps its pages. (no request) */
  devmemAdd(bytes: number, owner: number, coherent: number): number; // id 1…14
  /**
   * Pages still in use (0: the devmem is gone). No more pages can be allocated from it either way. (no
   * request)
   */
  devmemRemove(devmem: number): number;
  /** A locked page with one reference, zeroed never. 0 when none is left. (no request) */
  devmemAllocPage(devmem: number): number;
  /**
   * Fills dst[i] (VALID | pfn) for each candidate of src (MIGRATE set) whose dst is 0. Count. (no request)
   */
  devmemAllocPages(devmem: number, src: number, dst: number, n: number): number;
  /** Moves up to max freed pfns to the exchange buffer; they are free from then on. Count. (no request) */
  devmemTakeFreed(devmem: number, max: number): number;

  // ── pages (no request, all of them) ──
  /** A RAM page for a migration's destination: locked, one reference, not zeroed. 0 when there is none. */
  systemAllocPage(): number;
  /**
   * Likewise for every page of src (MIGRATE and VALID: holes have nothing to bring) whose dst is 0. Count.
   */
  systemAllocPages(src: number, dst: number, n: number): number;
  pageGet(pfn: number): number;
  pagePut(pfn: number): number;
  pageTryLock(pfn: number): number; // 1 locked now, 0 it was
  pageUnlock(pfn: number): number;
  pageIsolate(pfn: number): number; // 1 isolated now, 0 it is not on the LRU
  pagePutback(pfn: number): number;
  /**
   * Copies src[i]'s page to dst[i]'s (or zero-fills for holes) where both are there. Pages copied or zeroed.
   */
  copyPages(src: number, dst: number, n: number): number;
  /** Address of a frame's bytes; 0 with backing "metadata". */
  pageData(pfn: number): number;
  /** Zone (0 system, else the devmem) of a pfn; -EINVAL outside. */
  pageZone(pfn: number): number;

  // ── migration ──
  /**
   * migrate_vma_setup. Id of the migration. owner 0: none. faultPage: the pfn that a fault callback was
   * given, or 0.
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
   * migrate_device_range: pages [pfn, pfn + n) of device memory, wherever they are mapped. Id of the
   * migration.
   */
  migrateDeviceSetup(pfn: number, n: number): number;
  /**
   * Pages moved. -EINVAL, before any moves, if a word is wrong: HDR_FAULT_CODE is MIGRATION_WRONG_SRC or
   * MIGRATION_WRONG_DST, HDR_FAULT_ADDR the index. -EBUSY if it has been called before.
   */
  migratePages(migration: number): number;
  /**
   * 0; the id is free again. -EINVAL as migratePages(), of dst; -EBUSY while migratePages() waits. (no
   * request)
   */
  migrateFinalize(migration: number): number;

  // ── device-exclusive access ──
  /**
   * make_device_exclusive over npages pages: faults them in for writing, and replaces the CPU's entries by
   * exclusive ones. Writes pfns (u32) to out: each locked, with a reference; 0 for pages that cannot be lent
   * (not anonymous, or locked by somebody). Returns the pages reached (the rest could not be faulted in), or
   * the errno of the first. owner: of the events of the lending, 0 none.
   */
  makeDeviceExclusive(mm: number, start: number, npages: number, out: number, owner: number): number;

  // ── device tables ──
  deviceTableCreate(mm: number): number; // id (no request)
  deviceTableDestroy(table: number): number;
  /**
   * Maps the VALID slots of pfns (hmm_pfn) from start on; others are left alone. Slots mapped. (no request)
   */
  deviceTableMap(table: number, start: number, pfns: number, n: number): number;
  /**
   * After pages(), before finalize(): maps what migrated, drops the entries of what left. Slots mapped. (no
   * request)
   */
  deviceTableMapMigrated(table: number, migration: number): number;
  /** Drops the entries of [start, end). Entries dropped. (no request) */
  deviceTableClear(table: number, start: number, end: number): number;
  /** Takes the write bit from [start, end). Entries changed. (no request) */
  deviceTableProtect(table: number, start: number, end: number): number;
  /** The entry of addr: VALID | WRITE | DEVICE_PFN_DIRTY | pfn, 0 none. (no request) */
  deviceTableLookup(table: number, addr: number): number;
  /** As lookup for n pages, into out (u32 each). Entries found. (no request) */
  deviceTableSnapshot(table: number, start: number, n: number, out: number): number;
  /**
   * Copies min(length, XBUF_SIZE) bytes through the table: stops at the first missing (or, writing,
   * read-only) entry. Bytes. (no request)
   */
  deviceTableAccess(table: number, addr: number, length: number, write: number): number;

  // ── translation ──
  /**
   * For n virtual addresses (f64 each, at addrs): what the CPU's entry names, as an hmm_pfn word (u32 each,
   * at out), 0 where it names nothing. Words that are not 0. (no request)
   */
  translate(mm: number, addrs: number, n: number, out: number): number;

  /** How many of the n f64 at addrs, from the first on, are addresses below 2^48. (no request) */
  addressesBelow48(addrs: number, n: number): number;

  // ── KSM ──
  /**
   * ksmd: looks through mergeable memory `passes` times, merging pages that are alike. HDR_KSM_SHARED and
   * HDR_KSM_SHARING count what is merged then.
   */
  ksmScan(passes: number): number;

  // ── replay ──
  /**
   * Runs records [at, n) (u64 each); table 0: no device. Records done are at HDR_RESULT, the page that
   * stopped it at HDR_FAULT_ADDR, 1 at HDR_FAULT_CODE if by a write; returns REPLAY_*. (no request)
   */
  replay(mm: number, table: number, records: number, at: number, n: number): number;
  /**
   * Counts n records to the exchange buffer (u32 each): loads, stores, modifies, 0 by the CPU; the same by
   * the device. 0.
   */
  replayCount(records: number, n: number): number;
  /**
   * Up to max pfns of devmem, least recently used by the device first, to the exchange buffer: (pfn u32, and
   * its address / PAGE_SIZE as f64) as two arrays of max. Count; -EINVAL where HDR_LRU is 0. (no request)
   */
  replayOldest(mm: number, devmem: number, max: number): number;

  // ── housekeeping (no request) ──
  /** Allocates from the arena for pfn arrays and the like (8-byte aligned, zeroed); 0 when it is full. */
  arenaAlloc(bytes: number): number;
  arenaFree(address: number): number;
  /** A word that any changed byte of [start, end) changes; both are multiples of 64. (no request) */
  checksum(start: number, end: number): number;
  /** Checks every invariant. VERIFY_*; details in the header. */
  verify(): number;
}
