/**
 * A simulated device: its driver, the units in its memory, and the policies that say what comes and what
 * leaves.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { VM_FAULT_OOM } from "../../assembly/uapi/vm.ts";
import { trackUse } from "../device/replay.ts";
import { roundDown } from "../engine/errors.ts";
import type { DeviceTable, Hmm, HmmDevmem, Mm, Vma } from "../index.ts";
import { clusterOf, runsOf } from "./cluster.ts";
import { coreLru } from "./core-lru.ts";
import type { DeviceCounts, LinkCounts } from "./counts.ts";
import { DeviceBooks, type BooksState } from "./device-books.ts";
import { DeviceDriver, type Callbacks } from "./device-driver.ts";
import { DeviceRoom } from "./device-room.ts";
import type { FollowedDevice } from "./follower.ts";
import { Incoming } from "./incoming.ts";
import { evictorOf, isCoreLru, type PagingSettings } from "./paging-config.ts";
import { runsWhere, type PageRange } from "./page-runs.ts";
import type { Choice } from "./policies/choice.ts";
import type { Arrival, EvictPolicy } from "./policies/evict/evictor.ts";
import type { Future } from "./policies/evict/future.ts";
import type { GrowingSpace, Span } from "./space.ts";
import { Residents, type ResidentsState } from "./policies/residents.ts";

/** The name of a device fault's hold of mmapSem. */
const HOLDER = "a device fault";

/** What a snapshot keeps of the device, beside the engine. */
export interface DeviceState {
  books: BooksState;
  residents: ResidentsState;
  /** Whether memory was full: the second prefetcher has taken over. */
  full: boolean;
}

/** How a device is made. */
interface SimDeviceOptions {
  /** The accesses to come, for a policy that looks ahead. */
  future?: Future | undefined;
  /** Its number among the devices of the engine, from 1 on. Default: 1. */
  number?: number | undefined;
  /** Counts of its links to other devices. Default: it has none. */
  links?: Record<number, LinkCounts> | undefined;
  /** What a snapshot kept, and the owner of the objects in the engine. */
  restored?: { state: DeviceState; owner: Callbacks } | undefined;
}

/** A fault that brings pages. */
interface Coming {
  /** The page that faulted, and how it was accessed. */
  page: number;
  by: Arrival;
  /** The device from which the cluster comes over a link; null: it comes from RAM. */
  from: SimDevice | null;
}

/** The device, for one address space. */
export class SimDevice implements FollowedDevice {
  /** Its number among the devices, from 1 on. */
  readonly number: number;
  #neighbors: readonly SimDevice[] = [];
  /** Those of the neighbors that a link joins to this device. */
  #peers: readonly SimDevice[] = [];
  /** Whether the device accesses the memory of its peers; else what it needs of there moves here. */
  #accesses = false;
  readonly books: DeviceBooks;
  /** Whether the policy hears of uses. */
  readonly hearsUses: boolean;
  readonly #mm: Mm;
  readonly #driver: DeviceDriver;
  /** Bytes of a cluster, the unit of the policies. */
  readonly #cluster: number;
  readonly #residents: Residents;
  readonly #incoming: Incoming;
  /** What makes room in its memory. */
  readonly room: DeviceRoom;
  /** By frame of all devices' memories: its unit's slot, from `first` on. Null: no policy hears of uses. */
  #slots: { all: Int32Array; first: number } | null = null;

  /**
   * Adds the device to `hmm`, which needs room for it (deviceMemoryFor), and mirrors `mm`, whose mappings
   * `space` knows. Throws TypeError for a policy that is not known, or looks ahead without a future.
   */
  constructor(
    hmm: Hmm,
    mm: Mm,
    space: GrowingSpace,
    settings: PagingSettings,
    options: SimDeviceOptions = {},
  ) {
    const { future, number = 1, restored } = options;
    const { deviceMemory, cluster, seed, initial, reserve, freeBuffer } = settings;
    const state = restored?.state;
    this.number = number;
    this.#mm = mm;
    this.#cluster = cluster;
    this.books = new DeviceBooks(initial === "host", state?.books, number, options.links);
    const cpuFault = (vma: Vma, addr: number): number => this.#cpuFault(vma, addr);
    const place = { hmm, mm, number, owner: restored?.owner };
    this.#driver = new DeviceDriver(place, deviceMemory, this.books, cpuFault);
    const { policy, parameter } = this.#policyOf(hmm, settings);
    const capacity = Math.floor(deviceMemory / cluster);
    const written = (slot: number): boolean =>
      this.#driver.marks.isWritten(this.room.rangeOf(this.#residents.unitIn(slot)));
    const device = { capacity, unitPages: cluster / PAGE_SIZE, seed, parameter, future, written, reserve };
    this.#residents = new Residents(policy, device, state?.residents);
    const has = (unit: number): boolean => this.#residents.has(unit);
    this.#incoming = new Incoming(settings, has, state?.full);
    const buffer = Math.floor((capacity * freeBuffer) / 100);
    const [driver, residents, incoming] = [this.#driver, this.#residents, this.#incoming];
    const memory = { driver, residents, incoming, space, books: this.books };
    this.room = new DeviceRoom(memory, cluster, buffer);
    this.hearsUses = policy.uses === "all";
  }

  /** The first frame of the device's memory, and the one after its last. */
  get frames(): readonly [first: number, end: number] {
    return [this.#driver.devmem.pfnFirst, this.#driver.devmem.pfnEnd];
  }

  noteSlots(slots: Int32Array, first: number): void {
    this.#slots = { all: slots, first };
    for (const unit of this.#residents.units()) this.#note(unit);
  }

  slotAt(addr: number): number {
    return this.#residents.slotOf(Math.floor(addr / this.#cluster));
  }

  use(slot: number, times: number): void {
    this.#residents.used(slot, times);
  }

  isOwn(word: number): boolean {
    return this.#driver.isOwn(word);
  }

  /** The device's memory. */
  get devmem(): HmmDevmem {
    return this.#driver.devmem;
  }

  /** What went over its links, by the number of the other device. */
  get links(): Record<number, LinkCounts> {
    return this.books.links;
  }

  /** Notes for named ranges what was used so far. */
  noteUses(): void {
    this.#driver.marks.noteAllUses();
  }

  /** The device's page table. */
  get table(): DeviceTable {
    return this.#driver.table;
  }

  /** Returns what a snapshot keeps beside the engine. */
  state(): DeviceState {
    return { books: this.books.state(), residents: this.#residents.state(), full: this.#incoming.full };
  }

  /** What the device and its driver have counted. */
  get counts(): DeviceCounts {
    return this.books.counts(this.#driver.invalidations);
  }

  /** Tells the observer of invalidations since the last call. */
  publishInvalidations(): void {
    this.#driver.publishInvalidations();
  }

  /** Pages in the device's memory. */
  get pages(): number {
    return this.#driver.devmem.usedPages;
  }

  /** Whether the device can access `addr` now, by its table. */
  reaches(addr: number, write: boolean): boolean {
    return this.#driver.reaches(addr, write);
  }

  /** Says which the other devices of the address space are, and which of them have links to this one. */
  join(neighbors: readonly SimDevice[], peers: readonly SimDevice[], access: boolean): void {
    this.#neighbors = neighbors;
    this.#peers = peers;
    this.#accesses = access;
    this.#driver.neighbors = neighbors.map((other) => other.#driver);
    if (access) this.#driver.marks.accessors = peers.map((other) => other.#driver);
  }

  /**
   * Moves the cluster around `addr` to the device, and what the prefetcher adds, after making room. If the
   * page of `addr` is on another device, that device's driver brings its pages of the cluster back to RAM
   * before, or where a link joins the two, they move over the link. Returns how many pages moved: 0 if there
   * is no room for the cluster, or nothing that can move.
   */
  moveIn(mapping: Span, addr: number, by: Arrival): number {
    const { mmapSem } = this.#mm;
    mmapSem.enterRead(HOLDER);
    try {
      const residents = this.#residents;
      const page = roundDown(addr, PAGE_SIZE);
      const neighbors = this.#neighbors;
      const holder = neighbors.length === 0 ? null : (neighbors.find((other) => other.holds(page)) ?? null);
      const linked = holder !== null && this.#peers.includes(holder);
      if (holder !== null && !linked && this.#driver.faultIn(page, by === "store") !== 0) return 0;
      const unit = Math.floor(addr / this.#cluster);
      if (residents.has(unit)) {
        const cluster = clusterOf(addr, mapping, this.#cluster);
        if (this.#driver.pagesIn(cluster) * PAGE_SIZE === cluster.end - cluster.start) return 0;
      }
      const others = this.#incoming.beside(addr, mapping);
      const from = linked ? holder : null;
      return others.length === 0
        ? this.#moveUnit(unit, mapping, { page, by, from })
        : this.#moveUnits([unit, ...others], mapping, { page, by, from });
    } finally {
      mmapSem.leaveRead(HOLDER);
    }
  }

  /** Moves a unit to the device, after making room. Returns how many pages moved. */
  #moveUnit(unit: number, mapping: Span, { page, by, from }: Coming): number {
    if (!this.room.has(unit)) return 0;
    const range = this.room.rangeOf(unit, unit, mapping);
    let moved = 0;
    try {
      if (from !== null) moved = this.#moveFrom(from, range, page);
      return (moved += this.#driver.moveIn(range, page));
    } finally {
      this.#settle(unit, by, moved > 0);
    }
  }

  /** Moves units to the device, as many as get room, of which the first one faulted. */
  #moveUnits(wanted: readonly number[], mapping: Span, { page, by, from }: Coming): number {
    const units = this.room.make(wanted);
    let moved = 0;
    try {
      if (from !== null && units.length > 0)
        moved += this.#moveFrom(from, this.room.rangeOf(units[0], units[0], mapping), page);
      for (const run of runsOf(units, this.#cluster))
        moved += this.#driver.moveIn(this.room.rangeOf(run[0], run[run.length - 1], mapping), page);
    } finally {
      // Those that came along get their slots first, the one that faulted last.
      for (let i = units.length - 1; i >= 0; i--) this.#settle(units[i], i === 0 ? by : "prefetch");
    }
    return moved;
  }

  /** Moves the pages of a unit over the link from a peer. */
  #moveFrom(peer: SimDevice, range: PageRange, page: number): number {
    try {
      return this.#driver.moveFrom(peer.#driver, range, page);
    } finally {
      peer.room.leave(Math.floor(page / this.#cluster), false);
    }
  }

  /** The peer whose memory has a page that this device accesses where it is; null: there is none. */
  holderOf(page: number): SimDevice | null {
    if (!this.#accesses) return null;
    using _sem = this.#mm.mmapSem.read();
    return this.#peers.find((peer) => peer.holds(page)) ?? null;
  }

  /** Whether a page is in the device's memory, mapped for the device or not. mmapSem is held for read. */
  holds(page: number): boolean {
    return this.#driver.holds(page);
  }

  /** Evicts until the cluster around `addr` has room, as moveIn does. Returns false if that fails. */
  makeRoom(addr: number): boolean {
    using _sem = this.#mm.mmapSem.read();
    return this.room.has(Math.floor(addr / this.#cluster));
  }

  /** Gives a slot to a unit that has come: surely, or if a page of it is there. */
  #settle(unit: number, by: Arrival, came = false): void {
    const residents = this.#residents;
    if (!residents.has(unit)) {
      if (residents.free === 0 || !(came || this.room.isPresent(unit))) return;
      residents.add(unit, by);
    }
    this.#note(unit);
  }

  /** Notes for the follower in which frames the unit lies, which has a slot. */
  #note(unit: number): void {
    if (this.#slots === null) return;
    const { all, first } = this.#slots;
    const slot = first + this.#residents.slotOf(unit);
    for (const frame of this.#driver.framesOf(this.room.rangeOf(unit))) all[first + frame] = slot;
  }

  /**
   * Maps the page of `addr` for the device where the page is, faulting it in, and the pages of its cluster
   * that are in the same memory, RAM or a peer's, as they are. Returns 0, or a negative errno.
   */
  mirror(mapping: Span, addr: number, write: boolean): number {
    const holder = this.holderOf(roundDown(addr, PAGE_SIZE));
    const cluster = clusterOf(addr, mapping, this.#cluster);
    const answer = this.#driver.mirror(cluster, addr, write, holder === null ? null : holder.#driver);
    // A page whose move was interrupted may be on the device without a slot: now the table has it.
    const unit = Math.floor(addr / this.#cluster);
    if (!this.#residents.has(unit) && this.room.isPresent(unit)) {
      using _sem = this.#mm.mmapSem.read();
      if (this.room.has(unit)) this.#settle(unit, write ? "store" : "load");
    }
    return answer;
  }

  /** Forgets where the cluster of `addr` lies in RAM: the next access to it faults. */
  forget(addr: number): void {
    const unit = Math.floor(addr / this.#cluster);
    if (this.#residents.has(unit)) return;
    const isInRam = (page: number): boolean =>
      !this.#peers.some((peer) => peer.isOwn(this.table.lookup(page)));
    for (const { start, end } of runsWhere(this.room.rangeOf(unit), isInRam)) this.table.clear(start, end);
  }

  /** Gives back what outlives the address space, which must be closed before. */
  close(): void {
    this.#driver.close();
  }

  /** A CPU touched a device page: its cluster goes back to RAM. */
  #cpuFault(vma: Vma, addr: number): number {
    const page = roundDown(addr, PAGE_SIZE);
    try {
      this.#driver.moveOut(clusterOf(addr, vma, this.#cluster), page, false);
      return this.#driver.hasMoved ? 0 : VM_FAULT_OOM;
    } finally {
      this.room.leave(Math.floor(addr / this.#cluster), false);
    }
  }

  #policyOf(hmm: Hmm, settings: PagingSettings): Choice<EvictPolicy> {
    if (!isCoreLru(settings)) return evictorOf(settings);
    trackUse(hmm);
    const slotAt = (addr: number): number => this.slotAt(addr);
    return { policy: coreLru(this.#mm, this.#driver.devmem, slotAt), parameter: undefined };
  }
}
