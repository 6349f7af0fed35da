/** An open file of a device. It mirrors one address space and drops exactly what an invalidation names. */
import {
  DeviceTable,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  hmmRangeFault,
  migrateVmaSetup,
  MMU_NOTIFY_MIGRATE,
  MmuIntervalNotifier,
  PAGE_SIZE,
  VM_READ,
  type Hmm,
  type Migration,
  type Mm,
  type MmapGuard,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  type Vma,
} from "../../src/index.ts";
import { patternPages } from "../golden/codec.ts";
import type { Device } from "./device.ts";
import { Legacy } from "./legacy.ts";
import { Lent } from "./lent.ts";
import { answerOf, failure, moved, type Reply } from "./reply.ts";
import { entryKind, eventName, snapshotByte } from "./seen.ts";

/** Restarts of one hmmRangeFault before the driver gives up. Nothing else runs, so a few are enough. */
const RETRIES = 100;
const ADDRESS_SPACE = 2 ** 48;

/**
 * A migration between its two halves. `sem` is null for an eviction, which needs no lock and fills no table.
 */
interface OpenMigration {
  m: Migration;
  sem: MmapGuard | null;
  notifierSeq: number;
  leave: boolean;
}

/** An open file of a device, which mirrors the address space of the process that opened it. */
export class Handle {
  readonly device: Device;
  mm: Mm;
  table: DeviceTable;
  /** Processes that have the file open. */
  references = 1;
  notifier: MmuIntervalNotifier;
  /** The engine's callbacks. */
  readonly ops: MmuIntervalNotifierOps = { invalidate: (range) => this.invalidate(range) };
  readonly lent = new Lent(this);
  readonly legacy = new Legacy(this);
  private migrating = false;
  private events: MmuNotifierRange[] = [];
  /** Open migrations, oldest first. */
  readonly open: OpenMigration[] = [];

  constructor(device: Device, mm: Mm) {
    this.device = device;
    this.mm = mm;
    this.table = new DeviceTable(mm);
    try {
      this.notifier = new MmuIntervalNotifier(mm, 0, ADDRESS_SPACE, this.ops);
    } catch (error) {
      this.table.close();
      throw error;
    }
  }

  /** Continues on an engine restored from a snapshot, which contains no locks. */
  moveTo(hmm: Hmm): void {
    if (this.orphaned) return;
    this.mm = hmm.mms().find(({ id }) => id === this.mm.id)!;
    this.table = hmm.deviceTables().find(({ id }) => id === this.table.id)!;
    this.notifier = hmm.notifiers().find(({ id }) => id === this.notifier.id)!;
    this.legacy.moveTo(hmm);
  }

  /**
   * Continues the open migrations on the restored engine, including those of a file whose process has ended.
   */
  moveMigrations(hmm: Hmm): void {
    for (const open of this.open) {
      open.m = hmm.migrations().find(({ id }) => id === open.m.id)!;
      if (open.sem) open.sem = this.mm.mmapSem.read();
    }
  }

  get orphaned(): boolean {
    return this.mm.closed;
  }

  close(): void {
    this.legacy.close();
    this.notifier.close();
    if (!this.table.closed) this.table.close();
    if (this.device.rules.evictOnClose) this.device.evict();
  }

  /**
   * Returns the events since the last call as [event, start, end, owner]; owner is 0 none, 1 this device, 2
   * another.
   */
  takeEvents(): [event: string, start: number, end: number, owner: number][] {
    const events = this.events;
    this.events = [];
    return events.map(({ event, start, end, owner }) => [
      eventName(event),
      start,
      end,
      owner === null ? 0 : owner === this.device ? 1 : 2,
    ]);
  }

  private invalidate(range: MmuNotifierRange): boolean {
    this.events.push({ ...range });
    if (range.event === MMU_NOTIFY_MIGRATE && range.owner === this.device && this.migrating) return false;
    if (!this.table.closed) this.table.clear(range.start, Math.min(range.end, ADDRESS_SPACE));
    this.lent.drop(range.start, range.end);
    return true;
  }

  // --- commands --------------------------------------------------------------------------------

  read(start: number, n: number): Reply {
    const bytes = new Uint8Array(n * PAGE_SIZE);
    return this.access(start, n, false, bytes, (at, done) => this.table.read(at, bytes.subarray(done)));
  }

  /** Fills page i with the byte value + i. */
  write(start: number, n: number, value: number): Reply {
    const bytes = patternPages(n, value);
    return this.access(start, n, true, undefined, (at, done) => this.table.write(at, bytes.subarray(done)));
  }

  private access(
    start: number,
    n: number,
    write: boolean,
    bytes: Uint8Array | undefined,
    copy: (address: number, done: number) => number,
  ): Reply {
    if (n === 0) return failure(-EINVAL);
    const reply: Reply = { ret: 0, cpages: 0, faults: 0 };
    for (;;) {
      const done = reply.cpages * PAGE_SIZE;
      if (!this.orphaned) reply.cpages += copy(start + done, done) / PAGE_SIZE;
      if (reply.cpages === n) return { ...reply, bytes };
      reply.ret = this.fault(start + reply.cpages * PAGE_SIZE, start + n * PAGE_SIZE, write);
      if (reply.ret !== 0) return reply;
      reply.faults++;
    }
  }

  private fault(start: number, end: number, write: boolean): number {
    if (this.orphaned) return -EFAULT;
    const size = this.device.rules.piece * PAGE_SIZE;
    for (let at = start; at < end; at += size) {
      const answer = this.faultPiece(at, Math.min(at + size, end), write);
      if (answer !== 0) return answer;
    }
    return 0;
  }

  private faultPiece(start: number, end: number, write: boolean): number {
    const { mm, notifier, device } = this;
    using pfns = device.hmm.pfnArray((end - start) / PAGE_SIZE);
    const defaultFlags = (write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT) >>> 0;
    for (let tries = 0; ; tries++) {
      if (tries === RETRIES) throw new Error("hmmRangeFault answers EBUSY again and again");
      const notifierSeq = notifier.readBegin();
      using _sem = mm.mmapSem.read();
      const args = { notifier, notifierSeq, start, end, pfns, defaultFlags, owner: device };
      const answer = answerOf(() => hmmRangeFault(args));
      if (answer === -EBUSY) continue;
      if (answer !== 0) return answer;
      if (!notifier.readRetry(notifierSeq)) break;
    }
    // The engine reports the device's own pages whatever their permission, so the driver checks it here.
    const readOnly = write ? pfns.findIndex((pfn) => (pfn & HMM_PFN_WRITE) === 0) : -1;
    this.table.map(start, pfns, readOnly < 0 ? pfns.length : readOnly);
    return readOnly < 0 ? 0 : -EFAULT;
  }

  /** Migrates n pages to the device, then reads them through the device table. */
  toDevice(start: number, n: number): Reply {
    const { device } = this;
    const reply = this.migrate(start, n, (vma, from, to) => {
      using m = migrateVmaSetup({
        vma,
        start: from,
        end: to,
        owner: device,
        select: device.select(true),
      });
      device.fill(m.src, m.dst);
      device.hmm.copyPages(m.src, m.dst);
      m.pages();
      this.table.mapMigrated(m);
      return 0;
    });
    return reply.ret === 0 ? this.readBack(start, n) : reply;
  }

  /** Makes n pages exclusive to the device, then reads them through the device table. */
  exclusive(start: number, n: number): Reply {
    if (n === 0 || this.orphaned) return failure(-EINVAL);
    const ret = this.lent.lend(start, n);
    return ret === 0 ? this.readBack(start, n) : failure(ret);
  }

  private readBack(start: number, n: number): Reply {
    const bytes = new Uint8Array(n * PAGE_SIZE);
    const cpages = this.table.read(start, bytes) / PAGE_SIZE;
    return cpages < n ? { ret: -ENOENT, cpages, faults: 0 } : { ret: 0, cpages, faults: 0, bytes };
  }

  /** Migrates this device's pages among n pages to system memory. */
  toSystem(start: number, n: number): Reply {
    const { device } = this;
    return this.migrate(start, n, (vma, from, to) => {
      const select = device.select(false);
      using m = migrateVmaSetup({ vma, start: from, end: to, owner: device, select });
      device.fillSystem(m.src, m.dst);
      device.hmm.copyPages(m.src, m.dst);
      m.pages();
      this.table.mapMigrated(m);
      return moved(m);
    });
  }

  /** Migrates another device's pages among n pages to this device. */
  fromPeer(start: number, n: number, peer: Device): Reply {
    const { device } = this;
    return this.migrate(start, n, (vma, from, to) => {
      const select = peer.select(false);
      using m = migrateVmaSetup({ vma, start: from, end: to, owner: peer, select });
      device.fill(m.src, m.dst);
      device.hmm.copyPages(m.src, m.dst);
      const count = m.pages();
      this.table.mapMigrated(m);
      return count;
    });
  }

  /** Runs `piece` over n pages, cut at vmas and pieces. A hole or an unreadable vma ends it with EINVAL. */
  private migrate(start: number, n: number, piece: (vma: Vma, start: number, end: number) => number): Reply {
    if (n === 0 || this.orphaned) return failure(-EINVAL);
    const reply: Reply = { ret: 0, cpages: 0, faults: 0 };
    const end = start + n * PAGE_SIZE;
    using _sem = this.mm.mmapSem.read();
    for (let at = start; at < end;) {
      const vma = this.mm.findVma(at);
      if (vma === null || (vma.flags & VM_READ) === 0 || vma.special) return { ...reply, ret: -EINVAL };
      const next = this.pieceEnd(vma, at, end);
      reply.cpages += this.own(() => piece(vma, at, next));
      at = next;
    }
    return reply;
  }

  private pieceEnd(vma: Vma, start: number, end: number): number {
    return Math.min(end, start + this.device.rules.piece * PAGE_SIZE, vma.end);
  }

  /** Runs `body` as a migration of this device, which ignores its own events. */
  own<T>(body: () => T): T {
    this.migrating = true;
    try {
      return body();
    } finally {
      this.migrating = false;
    }
  }

  // --- migrations whose halves are apart ---------------------------------------------------------

  /** Starts to move one piece of n pages to the device, or with `leave` to system memory, up to the copy. */
  begin(start: number, n: number, leave: boolean): number {
    const { device, mm } = this;
    if (n === 0 || this.orphaned) return -EINVAL;
    const vma = mm.findVma(start);
    if (vma === null || (vma.flags & VM_READ) === 0 || vma.special) return -EINVAL;
    const sem = mm.mmapSem.read();
    const end = this.pieceEnd(vma, start, start + n * PAGE_SIZE);
    const select = device.select(!leave);
    let m;
    try {
      m = migrateVmaSetup({ vma, start, end, owner: device, select });
    } catch (error) {
      sem.close();
      throw error;
    }
    if (leave) device.fillSystem(m.src, m.dst);
    else device.fill(m.src, m.dst);
    device.hmm.copyPages(m.src, m.dst);
    this.open.push({ m, sem, notifierSeq: this.notifier.readBegin(), leave });
    return 0;
  }

  /** Starts to move the device's oldest page to system memory, wherever it is mapped. */
  beginEvict(): number {
    const m = this.device.beginEvict();
    if (m === null) return -ENOENT;
    this.open.push({ m, sem: null, notifierSeq: 0, leave: true });
    return 0;
  }

  /**
   * Ends the oldest open migration. The device table gets the moved pages unless an invalidation came
   * between.
   */
  end(): number {
    const { m, sem, notifierSeq, leave } = this.open.shift()!;
    const unchanged = !leave && !this.notifier.readRetry(notifierSeq);
    const count = unchanged ? this.own(() => m.pages()) : m.pages();
    if (unchanged) this.table.mapMigrated(m);
    m.finalize();
    sem?.close();
    return count;
  }

  // --- what it sees ----------------------------------------------------------------------------

  /** Returns one byte for each page, as in the golden records. */
  snapshot(start: number, n: number): { ret: number; cpages: number; bytes: number[] } {
    if (n === 0 || this.orphaned) return { ret: -EINVAL, cpages: 0, bytes: [] };
    const { mm, notifier, device } = this;
    using pfns = device.hmm.pfnArray(n);
    using _sem = mm.mmapSem.read();
    const notifierSeq = notifier.readBegin();
    const end = start + n * PAGE_SIZE;
    const ret = hmmRangeFault({ notifier, notifierSeq, start, end, pfns, owner: device });
    if (ret !== 0) return { ret, cpages: 0, bytes: [] };
    return { ret, cpages: n, bytes: Array.from(pfns, (pfn) => snapshotByte(device, pfn)) };
  }

  /** The device table: 0 none, 1 read, 3 write, 2 exclusive. */
  entries(start: number, n: number): number[] {
    if (this.table.closed) return new Array<number>(n).fill(0);
    return Array.from(this.table.snapshot(start, n), (entry, i) =>
      entry !== 0 && this.lent.has(start + i * PAGE_SIZE) ? 2 : entryKind(entry),
    );
  }
}
