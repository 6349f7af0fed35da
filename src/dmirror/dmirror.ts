/**
 * The reference driver, the counterpart of the kernel's HMM test driver: a device with memory of its own, and
 * mirrors of address spaces on it. It is written on the public API alone; start here to write your own
 * driver.
 *
 * const device = new DmirrorDevice(hmm, { memory: 16 << 20 }); const mirror = new Dmirror(mm, { device });
 * mirror.migrateToDevice(addr, 16); mirror.write(addr, bytes); // the device writes; the CPU reads it with
 * mm.read(addr, …) mirror.close(); device.close();
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
import { countPages, DmirrorDevice, TO_DEVICE } from "./device.ts";
import type { DmirrorOptions } from "./options.ts";
import { failure, type DmirrorResult } from "./result.ts";
import { protectionOf } from "./snapshot.ts";

/** Rounds in which a range changes under our hands before a command gives up with -EBUSY. */
const RETRIES = 100;
const ADDRESS_SPACE = 2 ** 48;

/**
 * A device's mirror of an address space: the device reads and writes memory by the same addresses as the
 * process.
 *
 * Everything turns on one table and one callback. `#table` says which pages the device may use now;
 * `#invalidate` is told before the CPU's table changes, and drops the entries. What is missing from the table
 * is asked for again with hmmRangeFault. There are no threads here, so between readRetry and table.map
 * nothing can come between; a driver that has some holds its update lock there, and takes the same lock in
 * the callback.
 *
 * Commands return {@link DmirrorResult}; ret is -EINVAL for addresses that are not page aligned, for no pages
 * or for ranges that end beyond the address space, and -EFAULT when the address space is gone. All throw
 * TypeError after close(), and HmmError EAGAIN where they would have to wait for an open migration.
 */
export class Dmirror {
  readonly mm: Mm;
  readonly device: DmirrorDevice;
  readonly faultPages: number;
  readonly migratePages: number;
  readonly #table: DeviceTable;
  readonly #notifier: MmuIntervalNotifier;
  /** The device, if it was made with the mirror. */
  readonly #own: DmirrorDevice | null;
  readonly #atomic = new AtomicTags();
  #migrating = false;
  #closed = false;

  /**
   * Opens the mirror. Throws TypeError and RangeError for bad arguments, HmmError ENOMEM when a device table,
   * a notifier or the memory of the new device is not to be had.
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

  /** Entries that the device's table holds. */
  get entries(): number {
    return this.#table.closed ? 0 : this.#table.entries;
  }

  /** The next allocation of the device fails once: a page stays where it is, and the command says so. */
  failNextAlloc(): void {
    this.#open("failNextAlloc");
    this.device.failNextAlloc();
  }

  /**
   * Ends the mirroring. Pages stay on the device, unless the device was made with the mirror. Twice: nothing.
   */
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

  /** The device reads npages pages from addr on. -EFAULT: no mapping, or one without VM_READ. */
  read(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("read", addr, npages);
    if (ret !== 0) return failure(ret);
    const data = new Uint8Array(npages * PAGE_SIZE);
    const result = this.#access(addr, npages, false, (at, done) => this.#table.read(at, data.subarray(done)));
    return result.ret === 0 ? { ...result, data } : result;
  }

  /**
   * The device writes whole pages from addr on. -EFAULT as {@link read}, -EPERM: the mapping may not be
   * written. Pages before the one that failed are written.
   */
  write(addr: number, data: Uint8Array): DmirrorResult {
    if (!(data instanceof Uint8Array)) throw badType("dmirror.write", "data", "a Uint8Array", data);
    const npages = data.length / PAGE_SIZE;
    const ret = this.#check("write", addr, npages);
    if (ret !== 0) return failure(ret);
    return this.#access(addr, npages, true, (at, done) => this.#table.write(at, data.subarray(done)));
  }

  /** Copies as far as the table's entries go, has the rest faulted in, and goes on. */
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

  /** Has [start, end) faulted in and puts it into the table, a piece at a time. */
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
      // A page of our own that the CPU's table has read-only (after fork, say) is reported as it is. It has
      // to go back to system memory, where the write fault that it needs can be had.
      for (const slot of readOnly) {
        const page = start + slot * PAGE_SIZE;
        const { ret: back } = this.#migrate(page, page + PAGE_SIZE, this.device.select);
        if (back !== 0) return back;
      }
    }
    return -EBUSY;
  }

  /**
   * The retry loop of the protocol: until what was read is still true. Then nothing else runs before we use
   * it.
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
   * table. -EINVAL: a hole, an unreadable or a special mapping (earlier mappings have migrated); -ENOENT: a
   * page is not there, because it cannot move or memory ran out; cpages pages from addr on are.
   */
  migrateToDevice(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("migrateToDevice", addr, npages);
    if (ret !== 0) return failure(ret);
    const { ret: moved } = this.#migrate(addr, addr + npages * PAGE_SIZE, TO_DEVICE);
    return moved !== 0 ? failure(moved) : this.#readBack(addr, npages);
  }

  /** What the device can read now without a fault. */
  #readBack(addr: number, npages: number): DmirrorResult {
    const data = new Uint8Array(npages * PAGE_SIZE);
    const cpages = Math.floor(this.#table.read(addr, data) / PAGE_SIZE);
    return cpages < npages ? { ret: -ENOENT, cpages, faults: 0 } : { ret: 0, cpages, faults: 0, data };
  }

  /**
   * Migrates this device's pages among npages pages from addr on to system memory; cpages of them went, a
   * huge page counting as one. -EINVAL as {@link migrateToDevice}; -ENOMEM: no system memory for one.
   */
  migrateToSystem(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("migrateToSystem", addr, npages);
    if (ret !== 0) return failure(ret);
    const result = this.#migrate(addr, addr + npages * PAGE_SIZE, this.device.toSystem);
    return { ...result, faults: 0 };
  }

  /**
   * Migrates [start, end), cut at mappings and pieces. A device that is full is no error, full system memory
   * is.
   */
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
      if (select === TO_DEVICE) this.device.copyToDevice(m);
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

  /** HMM_DMIRROR_RELEASE: evicts all pages of the device, of every address space. cpages of them went. */
  release(): DmirrorResult {
    this.#open("release");
    return { ret: 0, cpages: this.device.evict(), faults: 0 };
  }

  // ── Exclusive access ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Has npages pages from addr on lent to the device for atomic access, page by page, and reads them. The
   * CPU's next access to one takes it back. Fails as soon as one cannot be lent, those before it stay lent:
   * -EFAULT: a hole, or a mapping that may not be written; -EOPNOTSUPP: not anonymous memory; -EBUSY: locked
   * by somebody.
   */
  exclusive(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("exclusive", addr, npages);
    if (ret !== 0) return failure(ret);
    const lent = this.#atomic.lend(this.mm, this.#table, addr, npages, this.device);
    return lent !== 0 ? failure(lent) : this.#readBack(addr, npages);
  }

  /** -EPERM if the device still has one of npages pages from addr on for exclusive access, else 0. */
  checkExclusive(addr: number, npages: number): DmirrorResult {
    const ret = this.#check("checkExclusive", addr, npages);
    return failure(ret === 0 && this.#atomic.some(addr, addr + npages * PAGE_SIZE) ? -EPERM : ret);
  }

  // ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The state of npages pages from addr on, a DMIRROR_PROT_* byte each. Nothing is faulted in. */
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

  /** The CPU's entries of the range are about to change: the device may not use its own any more. */
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
