/**
 * The reference driver, the counterpart of the kernel's HMM test driver (lib/test_hmm.c): a device with
 * memory of its own, and mirrors of address spaces on it. It uses the public API alone.
 */
import { dispose } from "../engine/dispose.ts";
import {
  DeviceTable,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EPERM,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HmmError,
  hmmPfnWritable,
  hmmRangeFault,
  migrateVmaSetup,
  MMU_NOTIFY_MIGRATE,
  MmuIntervalNotifier,
  PAGE_SIZE,
  VM_READ,
  type HmmRangeFaultArgs,
  type Mm,
  type MmuNotifierRange,
  type Vma,
} from "../index.ts";
import { AtomicTags } from "./atomic.ts";
import { badType, checkMirror } from "./check.ts";
import { countPages, DmirrorDevice } from "./device.ts";
import type { DmirrorOptions } from "./options.ts";
import { failure, type DmirrorResult } from "./result.ts";
import { protectionOf } from "./protection.ts";

/** How often a range may change during a command before the command gives up with -EBUSY. */
const RETRIES = 100;
/** One past the highest address. */
const ADDRESS_SPACE = 2 ** 48;

/**
 * A device's mirror of an address space: the device uses the addresses that the process uses.
 *
 * One table and one callback do the work. `#table` holds the pages that the device may use now; `#invalidate`
 * is called before the CPU's page table changes, and drops the entries. What is missing from the table is
 * requested again with hmmRangeFault. There are no threads here, so nothing runs between readRetry and
 * table.map; a driver with threads holds its update lock there, and takes the same lock in the callback.
 *
 * Commands return {@link DmirrorResult}. ret is -EINVAL for addresses that are not page aligned, for no
 * pages, and for ranges that end beyond the address space; -EFAULT when the address space is gone. All
 * commands throw TypeError after close(), and HmmError EAGAIN where an open migration is in the way.
 */
export class Dmirror {
  readonly mm: Mm;
  readonly device: DmirrorDevice;
  readonly faultPages: number;
  readonly migratePages: number;
  readonly #table: DeviceTable;
  readonly #notifier: MmuIntervalNotifier;
  /** The device, if the mirror made it, else null. */
  readonly #own: DmirrorDevice | null;
  readonly #atomic = new AtomicTags();
  #migrating = false;
  #closed = false;

  /**
   * Opens the mirror. The caller closes it. Throws TypeError and RangeError for bad arguments, HmmError
   * ENOMEM when no device table, no notifier or no memory for the new device is left.
   */
  constructor(mm: Mm, options: DmirrorOptions = {}) {
    checkMirror(mm, options);
    this.mm = mm;
    this.faultPages = options.faultPages ?? 32;
    this.migratePages = options.migratePages ?? 512;
    this.#own = options.device ? null : new DmirrorDevice(mm.hmm, { memory: options.deviceMemory });
    this.device = options.device ?? this.#own!;
    const invalidate = (range: MmuNotifierRange): boolean => this.#invalidate(range);
    let table: DeviceTable | undefined;
    try {
      table = new DeviceTable(mm);
      this.#notifier = new MmuIntervalNotifier(mm, 0, ADDRESS_SPACE, { invalidate });
    } catch (error) {
      table?.close();
      this.#own?.close();
      throw error;
    }
    this.#table = table;
  }

  /** How many entries the device's page table holds. */
  get entries(): number {
    return this.#table.closed ? 0 : this.#table.entries;
  }

  /**
   * Makes the next allocation of the device fail, once: a page stays where it is, and the command reports
   * that.
   */
  failNextAlloc(): void {
    this.#open("failNextAlloc");
    this.device.failNextAlloc();
  }

  /** Ends the mirroring. Pages stay on the device, unless the mirror made the device. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#notifier.close();
    this.#table.close();
    this.#own?.close();
  }

  [dispose](): void {
    this.close();
  }

  // ── Reading and writing ─────────────────────────────────────────────────────────────────────────────────

  /**
   * Reads npages pages from addr on as the device. ret: -EFAULT, there is no mapping, or the mapping has no
   * VM_READ.
   */
  read(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("read", addr, npages);
    if (ret !== 0) return failure(ret);
    const data = new Uint8Array(npages * PAGE_SIZE);
    const result = this.#access(addr, npages, false, (at, done) => this.#table.read(at, data.subarray(done)));
    return result.ret === 0 ? { ...result, data } : result;
  }

  /**
   * Writes whole pages from addr on as the device. ret: -EFAULT as for {@link read}; -EPERM, the mapping must
   * not be written. Pages before the one that failed are written.
   */
  write(addr: number, data: Uint8Array): DmirrorResult {
    if (!(data instanceof Uint8Array)) throw badType("dmirror.write", "data", "a Uint8Array", data);
    const npages = data.length / PAGE_SIZE;
    const ret = this.#check("write", addr, npages);
    if (ret !== 0) return failure(ret);
    return this.#access(addr, npages, true, (at, done) => this.#table.write(at, data.subarray(done)));
  }

  /** Copies as far as the table's entries go, faults the rest in, and goes on. */
  #access(
    addr: number,
    npages: number,
    write: boolean,
    copy: (at: number, done: number) => number,
  ): DmirrorResult {
    const end = addr + npages * PAGE_SIZE;
    const result: DmirrorResult = { ret: 0, cpages: 0, faults: 0 };
    for (;;) {
      const done = result.cpages * PAGE_SIZE;
      result.cpages += Math.floor(copy(addr + done, done) / PAGE_SIZE);
      if (result.cpages === npages) return result;
      result.ret =
        result.faults < RETRIES ? this.#faultIn(addr + result.cpages * PAGE_SIZE, end, write) : -EBUSY;
      if (result.ret !== 0) return result;
      result.faults++;
    }
  }

  /** Faults [start, end) in and enters it in the table, a piece at a time. */
  #faultIn(start: number, end: number, write: boolean): number {
    const piece = this.faultPages * PAGE_SIZE;
    for (let at = start; at < end; at += piece) {
      const ret = this.#faultInPiece(at, Math.min(at + piece, end), write);
      if (ret !== 0) return ret;
    }
    return 0;
  }

  #faultInPiece(start: number, end: number, write: boolean): number {
    using pfns = this.mm.hmm.pfnArray((end - start) / PAGE_SIZE);
    const defaultFlags = (write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT) >>> 0;
    for (let i = 0; i < RETRIES; i++) {
      const ret = this.#rangeFault({ start, end, pfns, defaultFlags });
      if (ret !== 0) return ret;
      const readOnly = write ? [...pfns.keys()].filter((slot) => !hmmPfnWritable(pfns[slot])) : [];
      if (readOnly.length === 0) {
        this.#table.map(start, pfns);
        return 0;
      }
      // A page of this device that the CPU's table has read-only, after a fork for example, is reported as it
      // is. It goes back to system memory, where a write fault can make it writable.
      for (const slot of readOnly) {
        const page = start + slot * PAGE_SIZE;
        const { ret: back } = this.#migrate(page, page + PAGE_SIZE, this.device.select);
        if (back !== 0) return back;
      }
    }
    return -EBUSY;
  }

  /**
   * Runs the protocol's retry loop until what was read is true. Nothing else runs before the caller uses it.
   */
  #rangeFault(args: HmmRangeFaultArgs): number {
    const notifier = this.#notifier;
    using _sem = this.mm.mmapSem.read();
    for (let i = 0; i < RETRIES; i++) {
      const notifierSeq = notifier.readBegin();
      const ret = hmmRangeFault({ ...args, notifier, notifierSeq, owner: this.device });
      if (ret === -EBUSY) continue;
      if (ret !== 0 || !notifier.readRetry(notifierSeq)) return ret;
    }
    return -EBUSY;
  }

  // ── Migration ───────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Migrates what it can of npages pages from addr on to the device's memory, and then reads them through the
   * table. ret: -EINVAL, a hole or an unreadable or special mapping (mappings before it have migrated);
   * -ENOENT, a page is not there because it cannot move or memory ran out: cpages pages from addr on are.
   */
  migrateToDevice(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("migrateToDevice", addr, npages);
    if (ret !== 0) return failure(ret);
    const { ret: moved } = this.#migrate(addr, addr + npages * PAGE_SIZE, this.device.toDevice);
    return moved !== 0 ? failure(moved) : this.#readBack(addr, npages);
  }

  /** Reads what the device can read now without a fault. */
  #readBack(addr: number, npages: number): DmirrorResult {
    const data = new Uint8Array(npages * PAGE_SIZE);
    const cpages = Math.floor(this.#table.read(addr, data) / PAGE_SIZE);
    return cpages < npages ? { ret: -ENOENT, cpages, faults: 0 } : { ret: 0, cpages, faults: 0, data };
  }

  /**
   * Migrates this device's pages among npages pages from addr on to system memory: cpages of them, a huge
   * page counting as one. ret: -EINVAL as for {@link migrateToDevice}; -ENOMEM, system memory ran out.
   */
  migrateToSystem(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("migrateToSystem", addr, npages);
    if (ret !== 0) return failure(ret);
    const result = this.#migrate(addr, addr + npages * PAGE_SIZE, this.device.toSystem);
    return { ...result, faults: 0 };
  }

  /** Migrates [start, end), cut at mappings and pieces. A full device is no error; full system memory is. */
  #migrate(start: number, end: number, select: number): { ret: number; cpages: number } {
    using _sem = this.mm.mmapSem.read();
    const result = { ret: 0, cpages: 0 };
    for (let at = start; at < end && result.ret === 0;) {
      const vma = this.mm.findVma(at);
      if (vma === null || (vma.flags & VM_READ) === 0 || vma.special) return { ...result, ret: -EINVAL };
      const next = Math.min(end, vma.end, at + this.migratePages * PAGE_SIZE);
      const piece = this.#migratePiece(vma, at, next, select);
      result.cpages += piece.cpages;
      result.ret = piece.ret;
      at = next;
    }
    return result;
  }

  #migratePiece(vma: Vma, start: number, end: number, select: number): { ret: number; cpages: number } {
    this.#migrating = true;
    try {
      using m = migrateVmaSetup({ vma, start, end, owner: this.device, select });
      let ret = 0;
      if (select === this.device.toDevice) this.device.copyToDevice(m);
      else if (!this.device.copyToSystem(m)) ret = -ENOMEM;
      m.pages();
      this.#table.mapMigrated(m);
      return { ret, cpages: countPages(m) };
    } catch (error) {
      if (error instanceof HmmError) return { ret: -error.errno, cpages: 0 };
      throw error;
    } finally {
      this.#migrating = false;
    }
  }

  /** Evicts all pages of the device, of every address space (HMM_DMIRROR_RELEASE). cpages of them moved. */
  release(): DmirrorResult {
    this.#open("release");
    return { ret: 0, cpages: this.device.evict(), faults: 0 };
  }

  // ── Exclusive access ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes npages pages from addr on exclusive to the device, page by page, for atomic access, and reads them.
   * The CPU's next access takes its page back. Stops at the first page that cannot become exclusive; those
   * before it are. ret: -EFAULT, a hole or a mapping that must not be written; -EOPNOTSUPP, no anonymous
   * memory; -EBUSY, the page is locked (under 6.12; under 7.3 the call
   * would wait for the lock, and throws HmmError EAGAIN).
   */
  exclusive(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("exclusive", addr, npages);
    if (ret !== 0) return failure(ret);
    const failed = this.#atomic.make(this.mm, this.#table, addr, npages, this.device);
    return failed !== 0 ? failure(failed) : this.#readBack(addr, npages);
  }

  /**
   * Checks that the device has none of npages pages from addr on for exclusive access. ret: -EPERM if it has
   * one.
   */
  checkExclusive(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("checkExclusive", addr, npages);
    return failure(ret === 0 && this.#atomic.some(addr, addr + npages * PAGE_SIZE) ? -EPERM : ret);
  }

  // ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Returns the state of npages pages from addr on as a DMIRROR_PROT_* byte each. Faults nothing in. */
  snapshot(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("snapshot", addr, npages);
    if (ret !== 0) return failure(ret);
    const data = new Uint8Array(npages);
    for (let done = 0; done < npages; done += this.faultPages) {
      const n = Math.min(this.faultPages, npages - done);
      const answer = this.#snapshotPiece(addr + done * PAGE_SIZE, data.subarray(done, done + n));
      if (answer !== 0) return { ret: answer, cpages: done, faults: 0 };
    }
    return { ret: 0, cpages: npages, faults: 0, data };
  }

  #snapshotPiece(start: number, out: Uint8Array): number {
    using pfns = this.mm.hmm.pfnArray(out.length);
    const ret = this.#rangeFault({ start, end: start + out.length * PAGE_SIZE, pfns });
    if (ret === 0) pfns.forEach((pfn, i) => (out[i] = protectionOf(this.device, pfn)));
    return ret;
  }

  // ── Common ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Handles an invalidation: the device must not use its entries of the range any more. */
  #invalidate({ event, owner, start, end }: MmuNotifierRange): boolean {
    // Our own migration: mapMigrated() sets the entries right, and what we have just read stays true.
    if (event === MMU_NOTIFY_MIGRATE && owner === this.device && this.#migrating) return false;
    this.#table.clear(start, end);
    this.#atomic.drop(start, end);
    return true;
  }

  #open(command: string): void {
    if (this.#closed) throw new TypeError(`dmirror.${command}: the mirror is closed`);
  }

  #check(command: string, addr: number, npages: number): number {
    this.#open(command);
    const bad = !Number.isInteger(npages) || npages < 1 || !Number.isInteger(addr) || addr < 0;
    if (bad || addr % PAGE_SIZE !== 0 || addr + npages * PAGE_SIZE > ADDRESS_SPACE) return -EINVAL;
    return this.mm.closed ? -EFAULT : 0;
  }
}
