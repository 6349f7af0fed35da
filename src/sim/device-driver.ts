/**
 * The driver of a simulated device, which uses the public API alone. It has the device's memory and page
 * table, and mirrors one address space. It moves pages in and out by migrate_vma, and reaches
 * RAM by hmm_range_fault. What moves and when, its caller says.
 */
import { EBUSY } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE, TASK_SIZE } from "../../assembly/uapi/page.ts";
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  PFN_MASK,
} from "../../assembly/uapi/pfn.ts";
import { RangeMover } from "../device/range-mover.ts";
import { roundDown } from "../engine/errors.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  hmmRangeFault,
  MmuIntervalNotifier,
  type Hmm,
  type HmmDevmem,
  type Mm,
  type PfnArray,
  type Vma,
} from "../index.ts";
import { sum, type Invalidations } from "./counts.ts";
import { AccessMarks } from "./access-marks.ts";
import type { DeviceBooks } from "./device-books.ts";
import { bitsIn, hasPage, runsWhere, type PageRange } from "./page-runs.ts";
import { moveAcross } from "./peer-move.ts";
import { invalidationsOf } from "./invalidations.ts";

/** The engine hands out device memory in blocks of 2 MiB; a migration moves at most that much. */
const BLOCK = 2 << 20;
/** Attempts at mapping a page of RAM; an invalidation may overtake each. */
const RETRIES = 16;

/** Returns the bytes of device memory that the engine needs for a device with `size` bytes. */
export function deviceMemoryFor(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** Returns the name of the objects of device `number` in the engine's snapshots. */
export function deviceId(number: number): string {
  return `device ${number}`;
}

/** What a CPU fault on the device's memory asks for: 0, or VM_FAULT_* bits. */
type CpuFault = (vma: Vma, addr: number) => number;

/**
 * What the engine calls, and the owner of the device's memory. It exists before the driver does when a
 * snapshot is restored.
 */
export class Callbacks {
  cpuFault!: CpuFault;

  fault(_devmem: HmmDevmem, vma: Vma, address: number): number {
    return this.cpuFault(vma, address);
  }
}

/** Where a driver works. */
interface Place {
  hmm: Hmm;
  mm: Mm;
  /** The device's number, from 1 on. */
  number: number;
  /** The owner of the objects, if the engine was restored and has them. */
  owner?: Callbacks | undefined;
}

/** What a device asks of hmm_range_fault to access a page. */
function wanted(write: boolean): number {
  return write ? HMM_PFN_REQ_FAULT + HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT;
}

/** The driver of a device, for one address space. */
export class DeviceDriver {
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
  /** The drivers of the other devices of the address space. */
  neighbors: readonly DeviceDriver[] = [];
  /** What is known of uses of the device's pages. */
  readonly marks: AccessMarks;
  readonly #number: number;
  /** Whether the last call of moveOut() moved its first page. */
  #movedFirst = false;
  readonly #books: DeviceBooks;
  readonly #owner: Callbacks;
  readonly #notifier: MmuIntervalNotifier;
  readonly #mm: Mm;
  readonly #mover: RangeMover;
  /** Invalidations that the observer has heard of, or that came before it. */
  #published: number;
  /** A word for each page of a migration: what hmmRangeFault fills, and what the device's table has. */
  readonly #pfns: PfnArray;
  readonly #entries: PfnArray;
  /** Views of #entries by their length: making one takes longer than a snapshot of a page. */
  readonly #views = new Map<number, Uint32Array>();

  /**
   * Adds the device to `hmm`, which needs room for it (deviceMemoryFor), and mirrors `mm`.
   * @param size bytes of device memory
   * @param cpuFault moves the page to RAM that a CPU has touched; mmapSem is held for read
   */
  constructor(
    { hmm, mm, number, owner: restored }: Place,
    size: number,
    books: DeviceBooks,
    cpuFault: CpuFault,
  ) {
    const owner = restored ?? new Callbacks();
    owner.cpuFault = cpuFault;
    this.#mm = mm;
    this.#number = number;
    this.#books = books;
    this.#owner = owner;
    const name = { id: deviceId(number) };
    const isOwn = ({ id }: { id: string }): boolean => id === name.id;
    const made = restored !== undefined;
    this.devmem = made
      ? hmm.devmems().find(isOwn)!
      : hmmDevmemAdd(hmm, owner, owner, deviceMemoryFor(size), name);
    this.table = made ? hmm.deviceTables()[number - 1] : new DeviceTable(mm);
    this.#notifier = made
      ? hmm.notifiers().find(isOwn)!
      : new MmuIntervalNotifier(mm, 0, TASK_SIZE, null, { ...name, table: this.table, owner });
    this.#published = sum(this.invalidations);
    this.marks = new AccessMarks(this, books);
    this.#mover = new RangeMover(mm, this.devmem, this.table);
    this.#pfns = hmm.pfnArray(BLOCK / PAGE_SIZE);
    this.#entries = hmm.pfnArray(BLOCK / PAGE_SIZE);
  }

  /**
   * Moves the pages of a range of at most 2 MiB to the device, as many as the engine has room for and can
   * move. Pages on other devices stay. mmapSem is held for read. Returns how many moved.
   * @param faulted the page that faulted
   */
  moveIn(range: PageRange, faulted: number): number {
    const runs = this.#runs(range);
    if (runs === null) return this.#moveIn(range, faulted);
    return runs.reduce((moved, run) => moved + this.#moveIn(run, faulted), 0);
  }

  #moveIn(range: PageRange, faulted: number): number {
    const moved = this.#mover.toDevice(range.start, range.end);
    this.publishInvalidations();
    this.#books.pagesIn(range, this.#mover, moved, { all: this.devmem.usedPages, faulted });
    return moved;
  }

  /**
   * Moves the pages of a range of at most 2 MiB that are on another device to this one, as many as it has
   * room for. mmapSem is held for read. Returns how many moved.
   * @param faulted the page that faulted
   */
  moveFrom(peer: DeviceDriver, range: PageRange, faulted: number): number {
    let all = 0;
    for (const run of runsWhere(range, (page) => peer.isOwn(peer.table.lookup(page)))) {
      peer.marks.noteUses(run);
      const written = peer.marks.writtenIn(run);
      const pages = moveAcross(this.#mm, run, peer, this);
      peer.publishInvalidations();
      this.publishInvalidations();
      const moved = (base: number): number => bitsIn(base, pages);
      const answers = { moved, copied: moved, written, used: () => 0 };
      peer.#books.pagesOut(run, answers, pages.length, { evicted: false, to: this.#number });
      const { usedPages } = this.devmem;
      this.#books.pagesIn(run, answers, pages.length, { all: usedPages, faulted, from: peer.#number });
      all += pages.length;
    }
    return all;
  }

  /**
   * The parts of a range without pages in other devices' memory, as a migration of those would drop entries
   * of the other devices' tables; null: no other device has a page of it.
   */
  #runs(range: PageRange): PageRange[] | null {
    if (this.neighbors.length === 0) return null;
    const others = this.neighbors.filter((other) => other.pagesIn(range) > 0);
    if (others.length === 0) return null;
    return runsWhere(range, (page) => !others.some((other) => other.isOwn(other.table.lookup(page))));
  }

  /** Whether the device can access `addr` now, by its table. */
  reaches(addr: number, write: boolean): boolean {
    const word = this.table.lookup(addr);
    return (word & (write ? HMM_PFN_WRITE : HMM_PFN_VALID)) !== 0;
  }

  /** Whether a page is in the device's memory, mapped for the device or not. mmapSem is held for read. */
  holds(page: number): boolean {
    if (this.isOwn(this.table.lookup(page))) return true;
    const pfns = this.#pfns.subarray(0, 1);
    return this.#rangeFault({ start: page, end: page + PAGE_SIZE }, pfns, 0) === 0 && this.isOwn(pfns[0]);
  }

  /**
   * Faults a page in for the device as hmm_range_fault does: a page on another device comes back to RAM by
   * that device's callback. mmapSem is held for read. Returns 0, or a negative errno.
   */
  faultIn(page: number, write: boolean): number {
    const range = { start: page, end: page + PAGE_SIZE };
    for (let i = 0; i < RETRIES; i++) {
      const answer = this.#rangeFault(range, this.#pfns.subarray(0, 1), wanted(write));
      if (answer !== -EBUSY) return answer;
    }
    return -EBUSY;
  }

  /** hmm_range_fault of a range of at most 2 MiB, into pfns: RAM, and the memory of a device. */
  #rangeFault(
    range: PageRange,
    pfns: Uint32Array,
    defaultFlags: number,
    notifierSeq = this.#notifier.readBegin(),
    holder: DeviceDriver = this,
  ): number {
    const notifier = this.#notifier;
    return hmmRangeFault({ ...range, notifier, notifierSeq, owner: holder.#owner, pfns, defaultFlags });
  }

  /**
   * Maps the page of `addr` for the device where the page is, faulting it in, and the pages of the range
   * around it that are in RAM as they are. Returns 0, or a negative errno.
   * @param holder the device that has the page, which this one accesses: pages of the range in its memory are
   * mapped, and none of RAM; null: the page is in RAM, nowhere, or here
   */
  mirror({ start, end }: PageRange, addr: number, write: boolean, holder: DeviceDriver | null): number {
    const pfns = this.#pfns.subarray(0, (end - start) / PAGE_SIZE);
    const page = roundDown(addr, PAGE_SIZE);
    const index = (page - start) / PAGE_SIZE;
    const only = { start: page, end: page + PAGE_SIZE };
    const notifier = this.#notifier;
    using _sem = this.#mm.mmapSem.read();
    for (let i = 0; i < RETRIES; i++) {
      const notifierSeq = notifier.readBegin();
      // The page alone first: a fault in a hole fills the whole hole, as in Linux.
      const of = holder ?? this;
      let answer = this.#rangeFault(only, pfns.subarray(index, index + 1), wanted(write), notifierSeq, of);
      if (answer === 0) answer = this.#rangeFault({ start, end }, pfns, 0, notifierSeq, of);
      if (answer !== 0 && answer !== -EBUSY) return answer;
      if (answer !== 0 || notifier.readRetry(notifierSeq)) continue;
      // Entries that exist stay: they remember whether the device wrote.
      const entries = this.#snapshot({ start, end });
      entries.forEach((word, i) => {
        const stays = holder !== null && !holder.isOwn(pfns[i]);
        if ((word !== 0 || stays) && i !== index) pfns[i] = 0;
      });
      this.table.map(start, pfns);
      return 0;
    }
    return -EBUSY;
  }

  /**
   * Moves the device's pages of a range of at most 2 MiB to RAM; the page at `first` gets a frame even if
   * RAM is scarce. mmapSem is held for read. Returns how many moved.
   * @param evicted whether they make room for others
   */
  moveOut(range: PageRange, first: number, evicted: boolean): number {
    const runs = this.#runs(range);
    this.#movedFirst = false;
    if (runs === null) return this.#moveOut(range, first, evicted);
    return runs.reduce((moved, run) => moved + this.#moveOut(run, first, evicted), 0);
  }

  #moveOut(range: PageRange, first: number, evicted: boolean): number {
    // What other devices have used is known before the move; what this one has, the mover notes.
    if (this.marks.accessors.length > 0) this.marks.noteUses(range);
    const answers = this.marks.answersFor(range, this.#mover);
    const has = first >= range.start && first < range.end;
    const moved = this.#mover.toSystem(range.start, range.end, has ? first : range.start);
    this.publishInvalidations();
    this.#books.pagesOut(range, answers, moved, { evicted });
    if (has) this.#movedFirst = hasPage(this.#mover.moved(first), first);
    return moved;
  }

  /** Whether the last call of moveOut() moved its first page. */
  get hasMoved(): boolean {
    return this.#movedFirst;
  }

  /** How many pages of a range of at most 2 MiB are in the device's memory. */
  pagesIn({ start, end }: PageRange): number {
    return this.#mover.count(start, end);
  }

  /** The frames of the device's pages of a range of at most 2 MiB, counted from its first one. */
  framesOf(range: PageRange): number[] {
    const frames: number[] = [];
    for (const word of this.#snapshot(range))
      if (this.isOwn(word)) frames.push((word & PFN_MASK) - this.devmem.pfnFirst);
    return frames;
  }

  /** The entries of the device's table for the pages of the range; the next call overwrites them. */
  #snapshot({ start, end }: PageRange): Uint32Array {
    const n = (end - start) / PAGE_SIZE;
    let view = this.#views.get(n);
    if (view === undefined) this.#views.set(n, (view = this.#entries.subarray(0, n)));
    return this.table.snapshot(start, n, view);
  }

  /** Whether an entry of the table names the device's own memory. */
  isOwn(word: number): boolean {
    return this.marks.isOwn(word);
  }

  /** How often the device's table was told of changes so far. */
  get invalidations(): Invalidations {
    return invalidationsOf((event) => this.#notifier.told(event));
  }

  /** Tells the observer of the books of invalidations since the last call. */
  publishInvalidations(): void {
    const { events } = this.#books;
    if (events === null || !events.countsInvalidations) return;
    for (const all = sum(this.invalidations); this.#published < all; this.#published++) events.invalidated();
  }

  /** Gives back what outlives the address space, which must be closed before. */
  close(): void {
    this.#mover.close();
    this.#pfns.close();
    this.#entries.close();
    this.devmem.close();
  }
}
