/**
 * The counterpart of the kernel's test driver with its quirks, which the records show and which are not part
 * of HMM. README.md lists them; heteromem/dmirror is the driver without them.
 */
import {
  DeviceTable,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmDevmemAdd,
  HmmError,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migrateDeviceRange,
  migrateVmaSetup,
  MMU_NOTIFY_MIGRATE,
  MmuIntervalNotifier,
  PAGE_SIZE,
  VM_FAULT_OOM,
  VM_READ,
  type Hmm,
  type HmmDevmem,
  type Mm,
  type MmuNotifierRange,
  type Page,
  type Vma,
} from "../../src/index.ts";
import { patternPages } from "./codec.ts";
import { failure, type CommandResult, type DriverRules } from "./command.ts";
import { eventRecord, snapshotByte } from "./encode.ts";
import { ExclusiveTags } from "./exclusive.ts";
import { copyToSystem, isCandidatePage, migrateToDevice } from "./migrate.ts";
import type { EventRecord } from "./records.ts";

const ADDRESS_SPACE = 2 ** 48;

/** A device with memory of its own, which handles open. */
export class GoldenDevice {
  readonly hmm: Hmm;
  readonly devmem: HmmDevmem;
  /** The handle that migrated each page here, whose entry goes when the page goes. */
  readonly owners = new Map<Page, GoldenHandle>();

  /** @param memory bytes of device memory */
  constructor(
    hmm: Hmm,
    memory: number,
    readonly coherent: boolean,
  ) {
    this.hmm = hmm;
    const ops = {
      fault: (_devmem: HmmDevmem, vma: Vma, address: number, page: Page, _flags: number, order: number) =>
        this.bringBack(vma, address, page, order),
      free: (_devmem: HmmDevmem, page: Page): void => void this.owners.delete(page),
    };
    this.devmem = hmmDevmemAdd(hmm, ops, this, memory, { coherent });
  }

  /** Number of pages in use. */
  get used(): number {
    return this.devmem.usedPages;
  }

  /** The kind of pages that migrations of this device's own pages select. */
  get select(): number {
    return this.coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  }

  /**
   * Serves a fault of a CPU or another device: the faulting page goes back, or the huge page that its entry
   * maps. Returns VM_FAULT_* bits. /
   */
  private bringBack(vma: Vma, address: number, page: Page, order: number): number {
    const handle = this.owners.get(page);
    if (handle === undefined) throw new Error(`page ${page} faults, which nobody migrated`);
    const size = PAGE_SIZE << order;
    const start = address - (address % size);
    const select = this.select | (order > 0 ? MIGRATE_VMA_SELECT_COMPOUND : 0);
    using m = migrateVmaSetup({ vma, start, end: start + size, owner: this, select, faultPage: page });
    if (!copyToSystem(handle, m)) return VM_FAULT_OOM;
    m.pages();
    return 0;
  }

  /** Migrates every page of the device's memory to system memory, wherever it is mapped. */
  evict(): void {
    const { hmm, devmem } = this;
    using m = migrateDeviceRange(devmem, devmem.pfnFirst, devmem.npages);
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
  }

  close(): void {
    this.devmem.close();
  }
}

/** An open file of a device, which mirrors the address space of the process that opened it. */
export class GoldenHandle {
  readonly device: GoldenDevice;
  readonly mm: Mm;
  readonly table: DeviceTable;
  readonly notifier: MmuIntervalNotifier;
  readonly exclusiveTags = new ExclusiveTags();
  /** Processes that have the file open. */
  references = 1;
  /** Events since the last {@link takeEvents}. */
  private events: MmuNotifierRange[] = [];

  /** Whether the next allocation for this handle fails. */
  failNext = false;

  constructor(
    device: GoldenDevice,
    mm: Mm,
    readonly rules: DriverRules,
  ) {
    this.device = device;
    this.mm = mm;
    this.table = new DeviceTable(mm);
    const invalidate = (range: MmuNotifierRange): boolean => this.invalidate(range);
    this.notifier = new MmuIntervalNotifier(mm, 0, ADDRESS_SPACE, { invalidate });
  }

  /** Whether the mirrored address space has ended. */
  get orphaned(): boolean {
    return this.mm.closed;
  }

  /** Runs after the last reference is gone: stops mirroring and evicts every page of the device. */
  close(): void {
    this.notifier.close();
    if (!this.table.closed) this.table.close();
    this.device.evict();
  }

  /** Returns the invalidations since the last call that touch `npages` pages from `base`. */
  takeEvents(base: number, npages: number): EventRecord[] {
    const events = this.events.filter(({ start, end }) => start < base + npages * PAGE_SIZE && end > base);
    this.events = [];
    return events.map((event) => eventRecord(event, this.device, base));
  }

  private invalidate(range: MmuNotifierRange): boolean {
    this.events.push({ ...range });
    if (range.event === MMU_NOTIFY_MIGRATE && range.owner === this.device) return false;
    // The kernel's driver treats the end as inclusive, so it drops one page more.
    this.drop(range.start, Math.min(range.end + PAGE_SIZE, ADDRESS_SPACE));
    return true;
  }

  /** Drops the entries of [start, end). */
  drop(start: number, end: number): void {
    if (!this.table.closed) this.table.clear(start, end);
    this.exclusiveTags.drop(start, end);
  }

  // ── Commands ────────────────────────────────────────────────────────────────────────────────────────────

  /** Copies n pages from `start` to a buffer through the device table, and faults missing pages in. */
  read(start: number, n: number): CommandResult {
    const bytes = new Uint8Array(n * PAGE_SIZE);
    return this.access(start, n, false, bytes, (address, done) =>
      this.table.read(address, bytes.subarray(done)),
    );
  }

  /** Writes the pattern to n pages from `start`. */
  write(start: number, n: number, value: number): CommandResult {
    const bytes = patternPages(n, value);
    return this.access(start, n, true, undefined, (address, done) =>
      this.table.write(address, bytes.subarray(done)),
    );
  }

  private access(
    start: number,
    n: number,
    write: boolean,
    bytes: Uint8Array | undefined,
    copy: (address: number, done: number) => number,
  ): CommandResult {
    if (n === 0) return failure(-EINVAL);
    if (this.orphaned) return failure(-EFAULT);
    const result: CommandResult = { ret: 0, cpages: 0, faults: 0 };
    for (;;) {
      const done = result.cpages * PAGE_SIZE;
      result.cpages += copy(start + done, done) / PAGE_SIZE;
      if (result.cpages === n) return { ...result, bytes };
      result.ret = this.fault(start + result.cpages * PAGE_SIZE, start + n * PAGE_SIZE, write);
      if (result.ret !== 0) return result;
      result.faults++;
    }
  }

  /** Faults [start, end) in, one piece at a time, and maps it in the device table. */
  private fault(start: number, end: number, write: boolean): number {
    for (let at = start; at < end; at += this.rules.piece * PAGE_SIZE) {
      const answer = this.faultPiece(at, Math.min(at + this.rules.piece * PAGE_SIZE, end), write);
      if (answer !== 0) return answer;
    }
    return 0;
  }

  private faultPiece(start: number, end: number, write: boolean): number {
    const { mm, notifier, device } = this;
    using pfns = device.hmm.pfnArray((end - start) / PAGE_SIZE);
    const defaultFlags = (write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT) >>> 0;
    for (;;) {
      const notifierSeq = notifier.readBegin();
      using _sem = mm.mmapSem.read();
      const answer = hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags, owner: device });
      if (answer === -EBUSY) continue;
      if (answer !== 0) return answer;
      if (!notifier.readRetry(notifierSeq)) break;
    }
    // The engine reports the device's own pages whatever their permission, so the driver checks it here.
    const readOnly = write ? pfns.findIndex((pfn) => (pfn & HMM_PFN_WRITE) === 0) : -1;
    this.table.map(start, pfns, readOnly < 0 ? pfns.length : readOnly);
    return readOnly < 0 ? 0 : -EFAULT;
  }

  /** Migrates n pages to the device; then reads them through the device table. */
  migrateToDevice(start: number, n: number): CommandResult {
    if (n === 0 || this.orphaned) return failure(-EINVAL);
    const end = start + n * PAGE_SIZE;
    const answer = this.migratePieces(start, end, (vma, from, to) => migrateToDevice(this, vma, from, to));
    return answer !== 0 ? failure(answer) : this.readBack(start, n);
  }

  private readBack(start: number, n: number): CommandResult {
    const bytes = new Uint8Array(n * PAGE_SIZE);
    const cpages = this.table.read(start, bytes) / PAGE_SIZE;
    return cpages < n ? { ret: -ENOENT, cpages, faults: 0 } : { ret: 0, cpages, faults: 0, bytes };
  }

  /** Makes n pages exclusive to the device; then reads them through the device table. */
  exclusive(start: number, n: number): CommandResult {
    if (n === 0 || this.orphaned) return failure(-EINVAL);
    const answer = this.exclusiveTags.lend(this.mm, this.table, start, n, this.rules);
    return answer !== 0 ? failure(answer) : this.readBack(start, n);
  }

  /** Migrates this device's pages among n pages to system memory. */
  migrateToSystem(start: number, n: number): CommandResult {
    if (n === 0 || this.orphaned) return failure(-EINVAL);
    let cpages = 0;
    const ret = this.migratePieces(start, start + n * PAGE_SIZE, (vma, from, to) => {
      const select = this.device.select | this.compound;
      using m = migrateVmaSetup({ vma, start: from, end: to, owner: this.device, select });
      if (!copyToSystem(this, m)) throw new HmmError(ENOMEM, "dsys", "no page");
      m.pages();
      cpages += m.src.filter(isCandidatePage).length;
    });
    return { ret, cpages, faults: 0 };
  }

  /** MIGRATE_VMA_SELECT_COMPOUND, if the driver asks for huge pages. */
  get compound(): number {
    return this.rules.huge ? MIGRATE_VMA_SELECT_COMPOUND : 0;
  }

  /** Tells whether the next allocation for this handle is to fail, which `dfail` asked for. */
  takeFailure(): boolean {
    const fails = this.failNext;
    this.failNext = false;
    return fails;
  }

  /**
   * Runs `migrate` over [start, end), cut at vmas and pieces. A hole or an unreadable vma ends it with
   * EINVAL.
   */
  private migratePieces(
    start: number,
    end: number,
    migrate: (vma: Vma, start: number, end: number) => void,
  ): number {
    using _sem = this.mm.mmapSem.read();
    for (let at = start; at < end;) {
      const vma = this.mm.findVma(at);
      if (vma === null || (vma.flags & VM_READ) === 0) return -EINVAL;
      const next = Math.min(end, at + this.rules.migratePiece * PAGE_SIZE, vma.end);
      try {
        migrate(vma, at, next);
      } catch (error) {
        if (error instanceof HmmError) return -error.errno;
        throw error;
      }
      at = next;
    }
    return 0;
  }

  /** Returns the state of n pages from `start` as this device sees them, one byte each. */
  snapshot(start: number, n: number): { ret: number; cpages: number; bytes: number[] } {
    if (n === 0 || this.orphaned) return { ret: -EINVAL, cpages: 0, bytes: [] };
    const { mm, notifier, device } = this;
    const bytes: number[] = [];
    while (bytes.length < n) {
      const from = start + bytes.length * PAGE_SIZE;
      using pfns = device.hmm.pfnArray(Math.min(this.rules.piece, n - bytes.length));
      using _sem = mm.mmapSem.read();
      const notifierSeq = notifier.readBegin();
      const end = from + pfns.length * PAGE_SIZE;
      const ret = hmmRangeFault({ notifier, notifierSeq, start: from, end, pfns, owner: device });
      if (ret !== 0) return { ret, cpages: bytes.length, bytes };
      for (const pfn of pfns) bytes.push(snapshotByte(device, pfn));
    }
    return { ret: 0, cpages: n, bytes };
  }

  /** Evicts the device's whole memory. */
  release(): CommandResult {
    this.device.evict();
    return { ret: 0, cpages: 0, faults: 0 };
  }

  /** Returns the device table's n entries from `start`: 0 none, 1 read-only, 3 writable, 2 exclusive. */
  entries(start: number, n: number): number[] {
    return Array.from(this.table.snapshot(start, n), (entry, i) => {
      if ((entry & HMM_PFN_VALID) === 0) return 0;
      if (this.exclusiveTags.has(start + i * PAGE_SIZE)) return 2;
      return (entry & HMM_PFN_WRITE) !== 0 ? 3 : 1;
    });
  }
}
