/**
 * A simulated device: its driver, the units in its memory, and the policies that say what comes and what
 * leaves.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { VM_FAULT_OOM } from "../../assembly/uapi/vm.ts";
import { trackUse } from "../device/replay.ts";
import { roundDown } from "../engine/errors.ts";
import type { DeviceTable, Hmm, Mm, Vma } from "../index.ts";
import { clusterOf, runsOf } from "./cluster.ts";
import { coreLru } from "./core-lru.ts";
import type { DeviceCounts } from "./counts.ts";
import { DeviceBooks, type BooksState, type PageRange } from "./device-books.ts";
import { DeviceDriver, type Callbacks } from "./device-driver.ts";
import type { FollowedDevice } from "./follower.ts";
import { Incoming } from "./incoming.ts";
import { evictorOf, isCoreLru, type PagingSettings } from "./paging-config.ts";
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
  /** What a snapshot kept, and the owner of the objects in the engine. */
  restored?: { state: DeviceState; owner: Callbacks } | undefined;
}

/** The device, for one address space. */
export class SimDevice implements FollowedDevice {
  /** Its number among the devices, from 1 on. */
  readonly number: number;
  /** The other devices of the address space. */
  neighbors: readonly SimDevice[] = [];
  readonly books: DeviceBooks;
  /** Whether the policy hears of uses. */
  readonly hearsUses: boolean;
  readonly #mm: Mm;
  readonly #space: GrowingSpace;
  readonly #driver: DeviceDriver;
  /** Bytes of a cluster, the unit of the policies. */
  readonly #cluster: number;
  readonly #residents: Residents;
  /** Units that evictions keep free. */
  readonly #buffer: number;
  readonly #incoming: Incoming;
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
    this.#space = space;
    this.#cluster = cluster;
    this.books = new DeviceBooks(initial === "host", state?.books, number);
    const cpuFault = (vma: Vma, addr: number): number => this.#cpuFault(vma, addr);
    const place = { hmm, mm, number, owner: restored?.owner };
    this.#driver = new DeviceDriver(place, deviceMemory, this.books, cpuFault);
    const { policy, parameter } = this.#policyOf(hmm, settings);
    const capacity = Math.floor(deviceMemory / cluster);
    const written = (slot: number): boolean =>
      this.#driver.isWritten(this.#rangeOf(this.#residents.unitIn(slot)));
    const device = { capacity, unitPages: cluster / PAGE_SIZE, seed, parameter, future, written, reserve };
    this.#buffer = Math.floor((capacity * freeBuffer) / 100);
    this.#residents = new Residents(policy, device, state?.residents);
    const has = (unit: number): boolean => this.#residents.has(unit);
    this.#incoming = new Incoming(settings, has, state?.full);
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

  /**
   * Moves the cluster around `addr` to the device, and what the prefetcher adds, after making room. If the
   * page of `addr` is on another device, that device's driver brings its pages of the cluster back to RAM
   * before. Returns how many pages moved: 0 if there is no room for the cluster, or nothing that can move.
   */
  moveIn(mapping: Span, addr: number, by: Arrival): number {
    const { mmapSem } = this.#mm;
    mmapSem.enterRead(HOLDER);
    try {
      const residents = this.#residents;
      const page = roundDown(addr, PAGE_SIZE);
      const write = by === "store";
      if (this.neighbors.length > 0 && this.neighbors.some((device) => device.holds(page)))
        if (this.#driver.faultIn(page, write) !== 0) return 0;
      const unit = Math.floor(addr / this.#cluster);
      if (residents.has(unit)) {
        const cluster = clusterOf(addr, mapping, this.#cluster);
        if (this.#driver.pagesIn(cluster) * PAGE_SIZE === cluster.end - cluster.start) return 0;
      }
      const others = this.#incoming.beside(addr, mapping);
      return others.length === 0
        ? this.#moveUnit(unit, mapping, by)
        : this.#moveUnits([unit, ...others], mapping, by);
    } finally {
      mmapSem.leaveRead(HOLDER);
    }
  }

  /** Moves a unit to the device, after making room. Returns how many pages moved. */
  #moveUnit(unit: number, mapping: Span, by: Arrival): number {
    if (!this.#hasRoom(unit)) return 0;
    try {
      return this.#driver.moveIn(this.#rangeOf(unit, unit, mapping));
    } finally {
      this.#settle(unit, by);
    }
  }

  /** Moves units to the device, as many as get room, of which the first one faulted. */
  #moveUnits(wanted: readonly number[], mapping: Span, by: Arrival): number {
    const units = this.#makeRoom(wanted);
    let moved = 0;
    try {
      for (const run of runsOf(units, this.#cluster))
        moved += this.#driver.moveIn(this.#rangeOf(run[0], run[run.length - 1], mapping));
    } finally {
      // Those that came along get their slots first, the one that faulted last.
      for (let i = units.length - 1; i >= 0; i--) this.#settle(units[i], i === 0 ? by : "prefetch");
    }
    return moved;
  }

  /** Whether a page is in the device's memory, mapped for the device or not. mmapSem is held for read. */
  holds(page: number): boolean {
    return this.#driver.holds(page);
  }

  /** Evicts until the cluster around `addr` has room, as moveIn does. Returns false if that fails. */
  makeRoom(addr: number): boolean {
    using _sem = this.#mm.mmapSem.read();
    return this.#hasRoom(Math.floor(addr / this.#cluster));
  }

  /** Gives a slot to a unit that has come. */
  #settle(unit: number, by: Arrival): void {
    const residents = this.#residents;
    if (!residents.has(unit)) {
      if (residents.free === 0 || !this.#isPresent(unit)) return;
      residents.add(unit, by);
    }
    this.#note(unit);
  }

  /** Notes for the follower in which frames the unit lies, which has a slot. */
  #note(unit: number): void {
    if (this.#slots === null) return;
    const { all, first } = this.#slots;
    const slot = first + this.#residents.slotOf(unit);
    for (const frame of this.#driver.framesOf(this.#rangeOf(unit))) all[first + frame] = slot;
  }

  /**
   * Maps the page of `addr` for the device where the page is, faulting it in, and the pages of its cluster
   * that are in RAM as they are. Returns 0, or a negative errno.
   */
  mirror(mapping: Span, addr: number, write: boolean): number {
    const answer = this.#driver.mirror(clusterOf(addr, mapping, this.#cluster), addr, write);
    // A page whose move was interrupted may be on the device without a slot: now the table has it.
    const unit = Math.floor(addr / this.#cluster);
    if (!this.#residents.has(unit) && this.#isPresent(unit)) {
      using _sem = this.#mm.mmapSem.read();
      if (this.#hasRoom(unit)) this.#settle(unit, write ? "store" : "load");
    }
    return answer;
  }

  /** Forgets where the cluster of `addr` lies in RAM: the next access to it faults. */
  forget(addr: number): void {
    const unit = Math.floor(addr / this.#cluster);
    const { start, end } = this.#rangeOf(unit);
    if (!this.#residents.has(unit)) this.table.clear(start, end);
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
      return this.#driver.hasMoved(page) ? 0 : VM_FAULT_OOM;
    } finally {
      this.#leave(Math.floor(addr / this.#cluster), false);
    }
  }

  /** Evicts until a unit has room that faulted. Returns false if that fails. */
  #hasRoom(unit: number): boolean {
    const residents = this.#residents;
    const wanted = Math.min(1 + this.#buffer, residents.capacity);
    if (residents.free >= wanted || residents.has(unit)) return true;
    this.#incoming.full = true;
    const stays = (other: number): boolean => other === unit;
    while (residents.free < wanted && this.#evict(unit, stays));
    return residents.free > 0;
  }

  /**
   * Evicts until the units have room, of which the first one faulted. Returns those that have: all of them,
   * or as many as there is room for, or none if the first one has none.
   */
  #makeRoom(units: readonly number[]): readonly number[] {
    const residents = this.#residents;
    const fresh = units.length - (residents.has(units[0]) ? 1 : 0);
    const needed = Math.min(fresh, residents.capacity);
    if (fresh > 0 && fresh + this.#buffer > residents.free) this.#incoming.full = true;
    const wanted = fresh > 0 ? Math.min(fresh + this.#buffer, residents.capacity) : 0;
    const stays = (unit: number): boolean => units.includes(unit);
    while (residents.free < wanted && this.#evict(units[0], stays));
    return units.slice(0, units.length - fresh + Math.min(needed, residents.free));
  }

  /** Evicts what the policy names for a unit that comes. Returns false if that fails. */
  #evict(incoming: number, stays: (unit: number) => boolean): boolean {
    const slot = this.#residents.victim(incoming, stays);
    if (slot < 0) return false;
    const unit = this.#residents.unitIn(slot);
    const victims = this.#residents.groupOf(unit, stays);
    let moved = 0;
    try {
      if (victims === null) moved = this.#moveOut(unit, unit);
      else
        for (const run of runsOf(victims, this.#cluster)) moved += this.#moveOut(run[0], run[run.length - 1]);
    } finally {
      if (victims === null) this.#leave(unit, true);
      else for (const victim of victims) this.#leave(victim, true);
    }
    if (moved > 0) this.books.evictions += victims === null ? 1 : victims.length;
    return moved > 0;
  }

  /** Moves the units from one to another to RAM. Returns how many pages moved. */
  #moveOut(first: number, last: number): number {
    const start = first * this.#cluster;
    const mapping = this.#space.at(start);
    if (mapping === null) return 0;
    const range = this.#rangeOf(first, last, mapping);
    return this.#driver.moveOut(range, Math.max(start, range.start), true);
  }

  /** Takes a unit's slot away if it has no page on the device any more. */
  #leave(unit: number, evicted: boolean): void {
    if (!this.#isPresent(unit)) this.#residents.remove(unit, evicted);
  }

  #policyOf(hmm: Hmm, settings: PagingSettings): Choice<EvictPolicy> {
    if (!isCoreLru(settings)) return evictorOf(settings);
    trackUse(hmm);
    const slotAt = (addr: number): number => this.slotAt(addr);
    return { policy: coreLru(this.#mm, this.#driver.devmem, slotAt), parameter: undefined };
  }

  /** The pages of the units from one to another, as far as they lie in the mapping. */
  #rangeOf(first: number, last = first, mapping?: Span): PageRange {
    const start = first * this.#cluster;
    const end = (last + 1) * this.#cluster;
    if (mapping === undefined) return { start, end };
    return { start: Math.max(start, mapping.start), end: Math.min(end, mapping.end) };
  }

  /** Whether a page of the unit is in the device's memory. */
  #isPresent(unit: number): boolean {
    return this.#driver.pagesIn(this.#rangeOf(unit)) > 0;
  }
}
