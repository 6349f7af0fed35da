/**
 * A simulated device: a driver that uses the public API alone. It has memory of its own, a page table, and a
 * mirror of one address space. It moves clusters in and out by the migrate_vma protocol, and reaches RAM by
 * hmm_range_fault.
 */
import { EBUSY } from "../../assembly/uapi/errno.ts";
import { MMU_NOTIFY_MIGRATE, MMU_NOTIFY_PROTECTION_PAGE } from "../../assembly/uapi/event.ts";
import { PAGE_SIZE, TASK_SIZE } from "../../assembly/uapi/page.ts";
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  PFN_MASK,
} from "../../assembly/uapi/pfn.ts";
import { VM_FAULT_OOM } from "../../assembly/uapi/vm.ts";
import { roundDown } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  hmmRangeFault,
  migrateVmaSetup,
  MmuIntervalNotifier,
  type HmmDevmem,
  type Migration,
  type Mm,
  type MmuNotifierRange,
  type PfnArray,
  type Vma,
} from "../index.ts";
import { CLUSTER_PAGES, clusterOf } from "./cluster.ts";
import { oldestPages, trackUse } from "../device/replay.ts";
import { COLLECTED, DeviceBooks, type DeviceState } from "./device-books.ts";

/** The engine hands out device memory in blocks of 2 MiB. */
const BLOCK = 2 << 20;
/** Attempts at mapping a page of RAM; an invalidation may overtake each. */
const RETRIES = 16;

/** A range of pages. */
interface Range {
  start: number;
  end: number;
}

/** Returns the bytes of device memory that the engine needs for a device with `size` bytes. */
export function deviceMemoryFor(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** Returns the name of the objects of device `number` in the engine's snapshots. */
export function deviceId(number: number): string {
  return `device ${number}`;
}

/**
 * What the engine calls, and the owner of the device's memory. It exists before the device does when a
 * snapshot is restored.
 */
export class Callbacks {
  device!: SimDevice;

  fault(_devmem: HmmDevmem, vma: Vma, address: number): number {
    return this.device.cpuFault(vma, address);
  }

  invalidate(range: MmuNotifierRange): boolean {
    return this.device.invalidate(range);
  }
}

/** How a device is made. */
interface SimDeviceOptions {
  /** Its number among the devices of the engine, from 1 on. */
  number?: number | undefined;
  /** Of an engine that was restored and has the device's objects: their owner, and the state. */
  restored?: { owner: Callbacks; state: DeviceState } | undefined;
}

/** What a device asks of hmm_range_fault to access a page. */
function wanted(write: boolean): number {
  return write ? HMM_PFN_REQ_FAULT + HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT;
}

/** The device and its driver, for one address space. */
export class SimDevice {
  /** Its number among the devices, from 1 on. */
  readonly number: number;
  /** The other devices of the address space. */
  neighbors: readonly SimDevice[] = [];
  readonly table: DeviceTable;
  readonly books: DeviceBooks;
  readonly devmem: HmmDevmem;
  readonly #hmm: Hmm;
  readonly #mm: Mm;
  readonly #owner: Callbacks;
  readonly #capacity: number;
  readonly #notifier: MmuIntervalNotifier;
  /** A word for each page of a cluster: what hmmRangeFault fills, and what the device's table has. */
  readonly #pfns: PfnArray;
  readonly #entries: PfnArray;

  /**
   * Adds the device to `hmm`, which needs room for it (deviceMemoryFor), and mirrors `mm`.
   * @param size bytes of device memory that it uses
   */
  constructor(hmm: Hmm, mm: Mm, size: number, { number = 1, restored }: SimDeviceOptions = {}) {
    const owner = restored?.owner ?? new Callbacks();
    this.books = new DeviceBooks(restored?.state);
    owner.device = this;
    this.number = number;
    this.#hmm = hmm;
    this.#mm = mm;
    this.#owner = owner;
    this.#capacity = size / PAGE_SIZE;
    trackUse(hmm);
    const name = { id: deviceId(number) };
    const isOwn = ({ id }: { id: string }): boolean => id === name.id;
    const made = restored !== undefined;
    this.devmem = made
      ? hmm.devmems().find(isOwn)!
      : hmmDevmemAdd(hmm, owner, owner, deviceMemoryFor(size), name);
    this.table = made ? hmm.deviceTables()[number - 1] : new DeviceTable(mm);
    this.#notifier = made
      ? hmm.notifiers().find(isOwn)!
      : new MmuIntervalNotifier(mm, 0, TASK_SIZE, owner, name);
    this.#pfns = hmm.pfnArray(CLUSTER_PAGES);
    this.#entries = hmm.pfnArray(CLUSTER_PAGES);
  }

  /** Pages in the device's memory. */
  get pages(): number {
    return this.devmem.usedPages;
  }

  /** Whether the device can access `addr` now, by its table. */
  reaches(addr: number, write: boolean): boolean {
    const word = this.table.lookup(addr);
    return (word & (write ? HMM_PFN_WRITE : HMM_PFN_VALID)) !== 0;
  }

  /**
   * Moves the cluster around `addr` to the device, after making room for it. If the page of `addr` is on
   * another device, that device's driver brings its pages of the cluster back to RAM before. Returns how many
   * pages moved: 0 if there is no room, or nothing that can move.
   */
  moveIn(vma: Vma, addr: number, write: boolean): number {
    const range = clusterOf(addr, vma);
    const sem = this.#mm.mmapSem.read();
    try {
      const page = roundDown(addr, PAGE_SIZE);
      if (this.neighbors.some((device) => device.holds(page)) && this.#faultIn(page, write) !== 0) return 0;
      const missing = this.#missing(range);
      return missing > 0 && this.#makeRoom(missing, range) ? this.#migrateIn(vma, range) : 0;
    } finally {
      sem.close();
    }
  }

  /** Whether a page is in the device's memory, mapped for the device or not. */
  holds(page: number): boolean {
    if (this.#isOwn(this.table.lookup(page))) return true;
    return this.#rangeFault(page, 0) === 0 && this.#isOwn(this.#wordOf(page)[0]);
  }

  /**
   * Faults a page in for the device as hmm_range_fault does: a page on another device comes back to RAM by
   * that device's callback. Returns 0, or a negative errno.
   */
  #faultIn(page: number, write: boolean): number {
    for (let i = 0; i < RETRIES; i++) {
      const answer = this.#rangeFault(page, wanted(write));
      if (answer !== -EBUSY) return answer;
    }
    return -EBUSY;
  }

  /** hmm_range_fault for one page, whose word is in #wordOf then. */
  #rangeFault(page: number, defaultFlags: number, notifierSeq = this.#notifier.readBegin()): number {
    const call = { notifier: this.#notifier, notifierSeq, owner: this.#owner, defaultFlags };
    return hmmRangeFault({ ...call, start: page, end: page + PAGE_SIZE, pfns: this.#wordOf(page) });
  }

  /** The place of a page's word among those of its cluster. */
  #wordOf(page: number): Uint32Array {
    const at = (page / PAGE_SIZE) % CLUSTER_PAGES;
    return this.#pfns.subarray(at, at + 1);
  }

  #migrateIn(vma: Vma, { start, end }: Range): number {
    const m = migrateVmaSetup({ vma, start, end, owner: this.#owner, select: MIGRATE_VMA_SELECT_SYSTEM });
    try {
      if (m.cpages === 0) return 0;
      this.devmem.allocPages(m.src, m.dst);
      this.#hmm.copyPages(m.src, m.dst);
      const moved = m.pages();
      this.table.mapMigrated(m);
      this.books.pagesIn(start, m.src, moved, this.pages);
      return moved;
    } finally {
      m.finalize();
    }
  }

  /** Evicts pages until the cluster around `addr` has room, as moveIn does. Returns false if that fails. */
  makeRoom(vma: Vma, addr: number): boolean {
    const range = clusterOf(addr, vma);
    using _sem = this.#mm.mmapSem.read();
    return this.#makeRoom(this.#missing(range), range);
  }

  /**
   * Maps the page of `addr` for the device where the page is, faulting it in, and the pages of its cluster
   * that are in RAM as they are. Returns 0, or a negative errno.
   */
  mirror(vma: Vma, addr: number, write: boolean): number {
    const { start, end } = clusterOf(addr, vma);
    const pfns = this.#pfns.subarray(0, (end - start) / PAGE_SIZE);
    const page = roundDown(addr, PAGE_SIZE);
    const notifier = this.#notifier;
    using _sem = this.#mm.mmapSem.read();
    for (let i = 0; i < RETRIES; i++) {
      const notifierSeq = notifier.readBegin();
      // The page alone first: a fault in a hole fills the whole hole, as in Linux.
      let answer = this.#rangeFault(page, wanted(write), notifierSeq);
      if (answer === 0)
        answer = hmmRangeFault({ notifier, notifierSeq, owner: this.#owner, start, end, pfns });
      if (answer !== 0 && answer !== -EBUSY) return answer;
      if (answer !== 0 || notifier.readRetry(notifierSeq)) continue;
      // Entries that exist stay: they remember whether the device wrote.
      const entries = this.#snapshot({ start, end });
      entries.forEach((word, i) => {
        if (word !== 0 && start + i * PAGE_SIZE !== page) pfns[i] = 0;
      });
      this.table.map(start, pfns);
      return 0;
    }
    return -EBUSY;
  }

  /** Gives back what outlives the address space, which must be closed before. */
  close(): void {
    this.#pfns.close();
    this.#entries.close();
    this.devmem.close();
  }

  /** The devmem's fault callback: a CPU touched a device page, and its cluster goes back to RAM. */
  cpuFault(vma: Vma, addr: number): number {
    const page = roundDown(addr, PAGE_SIZE);
    return this.#moveOut(vma, clusterOf(addr, vma), page).includes(page) ? 0 : VM_FAULT_OOM;
  }

  /**
   * Moves the device's pages of the range to RAM; `first` gets a page even if RAM is scarce. Returns the
   * addresses of the pages that moved.
   */
  #moveOut(vma: Vma, range: Range, first: number): number[] {
    const { start, end } = range;
    const entries = this.#snapshot(range); // before setup invalidates them
    const m = migrateVmaSetup({
      vma,
      start,
      end,
      owner: this.#owner,
      select: MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
    });
    try {
      if (m.cpages === 0) return [];
      this.#allocRam(m, (first - start) / PAGE_SIZE);
      this.#hmm.copyPages(m.src, m.dst);
      m.pages();
      this.table.mapMigrated(m);
      return this.books.pagesOut(m.start, m.src, entries);
    } finally {
      m.finalize();
    }
  }

  /**
   * Allocates RAM for each collected page while there is any, for page `first` of the range before all
   * others.
   */
  #allocRam(m: Migration, first: number): void {
    const { src, dst } = m;
    this.#hmm.allocPages(src, dst);
    if (dst[first] !== 0 || (src[first] & COLLECTED) >>> 0 !== COLLECTED) return;
    let last = dst.length - 1;
    while (last >= 0 && dst[last] === 0) last--;
    if (last < 0) return;
    dst[first] = dst[last];
    dst[last] = 0;
  }

  /** Evicts clusters outside `keep` until `wanted` more pages have room. Returns false if that fails. */
  #makeRoom(wanted: number, keep: Range): boolean {
    while (this.#capacity - this.devmem.usedPages < wanted) {
      const victim = this.#oldest(keep);
      const vma = victim === null ? null : this.#mm.findVma(victim);
      if (victim === null || vma === null) return false;
      const moved = this.#moveOut(vma, clusterOf(victim, vma), victim);
      if (moved.length === 0) return false;
      this.books.evicted(moved);
    }
    return true;
  }

  /** The address of the page outside `keep` that the device used longest ago. */
  #oldest(keep: Range): number | null {
    const isVictim = (addr: number): boolean => addr < keep.start || addr >= keep.end;
    // It is nearly always the first.
    const [first] = oldestPages(this.#mm, this.devmem, 1);
    if (first === undefined || isVictim(first)) return first ?? null;
    return oldestPages(this.#mm, this.devmem, CLUSTER_PAGES + 1).find(isVictim) ?? null;
  }

  /** How many pages of the range are not in the device's memory. */
  #missing(range: Range): number {
    let missing = 0;
    const entries = this.#snapshot(range);
    for (let i = 0; i < entries.length; i++) if (!this.#isOwn(entries[i])) missing++;
    return missing;
  }

  /** The entries of the device's table for the pages of the range; the next call overwrites them. */
  #snapshot({ start, end }: Range): Uint32Array {
    const n = (end - start) / PAGE_SIZE;
    const entries = n === CLUSTER_PAGES ? this.#entries : this.#entries.subarray(0, n);
    return this.table.snapshot(start, n, entries);
  }

  #isOwn(word: number): boolean {
    const pfn = word & PFN_MASK;
    return (word & HMM_PFN_VALID) !== 0 && pfn >= this.devmem.pfnFirst && pfn < this.devmem.pfnEnd;
  }

  /** The notifier's callback: drops entries. Migrations of the device itself need none. */
  invalidate({ start, end, event, owner }: MmuNotifierRange): boolean {
    this.books.invalidated(event);
    if (event === MMU_NOTIFY_MIGRATE && owner === this.#owner) return false;
    const from = roundDown(start, PAGE_SIZE);
    const to = Math.ceil(end / PAGE_SIZE) * PAGE_SIZE;
    if (event === MMU_NOTIFY_PROTECTION_PAGE) this.table.protect(from, to);
    else this.table.clear(from, to);
    return true;
  }
}
