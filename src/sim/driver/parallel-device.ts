/**
 * A device that runs warps in parallel, and what it does when accesses fault. Records of a warp are in order.
 * Loads since the warp's last store are independent: the warp goes on past those that fault. A store waits
 * for them, and what follows it waits for the store. The device runs until no warp can go on; then the driver
 * fetches one batch of faults, serves it and replays (docs/policies.md).
 */
import { Random } from "../../engine/random.ts";
import type { SimulationEvents } from "../events.ts";
import type { AccessCounters, CountersState } from "../policies/access-counters.ts";
import { rightsNeeded } from "../policies/rights.ts";
import { BLOCK_PAGES, hasBit, setBit } from "./bits.ts";
import { ACCESS_NS, GROUP_NS, type Clock } from "./clock.ts";
import type { ManagedDriver } from "./driver.ts";
import { FaultBuffer } from "./fault-buffer.ts";
import { ACCESS_ATOMIC_WEAK, ACCESS_READ, CPU, nearestCopy, type Processor } from "./processor.ts";
import type { UvmSmart } from "./uvm-smart.ts";
import type { VaBlock } from "./va-block.ts";
import type { WarpSchedule } from "./warps.ts";

/** Bytes that the device's memory moves at once. */
const SECTOR_BYTES = 32;

/**
 * When the driver replays (uvm_perf_fault_replay_policy): after each block; after each batch; after each
 * batch, and other entries are discarded; once after as many batches as there are, 20 at most.
 */
export type ReplayPolicy = "block" | "batch" | "batch-flush" | "once";
/** Batches before a replay, at most: uvm_perf_fault_max_batches_per_service. */
const BATCHES_MAX = 20;

/** What the hardware is like. */
export interface DeviceOptions {
  /** Streaming multiprocessors; two neighbors share a µTLB. */
  sms: number;
  /** Faults that a µTLB has outstanding, at most. */
  outstanding: number;
  /** When the driver replays. */
  replay: ReplayPolicy;
  /**
   * Whether the driver fetches as soon as something has faulted, and the device goes on during the service;
   * else it fetches when no warp can go on.
   */
  timed: boolean;
  /** Seed of the order in which warps take turns; 0: ascending. */
  seed: number;
  /** Whether the device translates by the CPU's page tables: a page in RAM takes no fault. Default: no. */
  addressTranslation?: boolean;
}

/** The defaults: a Titan V has 80 SMs, and its fault logs show 56 outstanding faults a µTLB. */
export const DEVICE_DEFAULTS: DeviceOptions = {
  sms: 80,
  outstanding: 56,
  replay: "batch-flush",
  timed: false,
  seed: 0,
};

/** A warp that runs. */
interface Warp {
  utlb: number;
  /** Its next instruction's first record in the schedule, and the end of its records. */
  at: number;
  end: number;
  /** The next instruction's loads have been issued, and its stores have not. */
  loaded: boolean;
  /** Accesses that wait, and whether they are of a store. */
  waiting: number;
  storing: boolean;
}

/** An access that waits: of a page, by the lanes of an instruction [from, to) that load, or store. */
interface Waiting {
  warp: Warp;
  from: number;
  to: number;
  store: boolean;
  page: number;
  access: number;
}

/**
 * Remote accesses: (instruction, page) pairs that load and that store, and their distinct 32-byte sectors.
 */
export interface RemoteCounts {
  loads: number;
  stores: number;
  sectors: number;
}

/** What a snapshot keeps of a device. */
export interface DeviceState {
  remote: RemoteCounts;
  seed: number;
  counters: CountersState | null;
}

/** One device. */
export class ParallelDevice {
  readonly remote: RemoteCounts = { loads: 0, stores: 0, sectors: 0 };
  /** Is told what happens. */
  events: SimulationEvents | null = null;
  readonly processor: Processor;
  readonly #driver: ManagedDriver;
  readonly #clock: Clock;
  readonly #counters: AccessCounters | null;
  readonly #smart: UvmSmart | null;
  readonly #options: DeviceOptions;
  #random: Random;
  readonly #buffer = new FaultBuffer();
  readonly #outstanding: Uint16Array;
  /** By µTLB: accesses that wait. */
  readonly #waits: Uint32Array;
  /** In order of first arrival. */
  #waiting: Waiting[] = [];
  /** The block of the last access. */
  #block: VaBlock | null = null;
  #schedule: WarpSchedule | null = null;
  /** The warps that run. */
  #warps: readonly Warp[] = [];

  constructor(
    processor: Processor,
    driver: ManagedDriver,
    clock: Clock,
    { counters, smart }: { counters: AccessCounters | null; smart: UvmSmart | null },
    options: DeviceOptions,
  ) {
    this.#smart = smart;
    this.processor = processor;
    this.#driver = driver;
    this.#clock = clock;
    this.#counters = counters;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#outstanding = new Uint16Array(Math.ceil(options.sms / 2));
    this.#waits = new Uint32Array(this.#outstanding.length);
  }

  /** Returns what a snapshot keeps, between two schedules. */
  state(): DeviceState {
    const { remote } = this;
    return { remote: { ...remote }, seed: this.#random.seed, counters: this.#counters?.state() ?? null };
  }

  /** Makes the device what state() has returned. */
  restore({ remote, seed, counters }: DeviceState): void {
    Object.assign(this.remote, remote);
    this.#random = new Random(seed);
    if (counters !== null) this.#counters?.restore(counters);
  }

  /** Begins to run the warps of a schedule: the caller goes on with goOn() and serve(). */
  begin(schedule: WarpSchedule): void {
    this.#schedule = schedule;
    this.#warps = this.#shuffled(schedule.warps.map(([number, at, end]) => this.#warp(number, at, end)));
  }

  /** Runs the warps until none can go on. Returns whether the driver has to serve something. */
  goOn(): boolean {
    this.#replay(this.#warps);
    return this.#counters?.pending === true || this.#buffer.length > 0;
  }

  /** Has the driver serve what waits: a batch of faults, or those of one replay; then notifications. */
  serve(): void {
    const batches = this.#options.replay === "once" ? BATCHES_MAX : 1;
    for (let n = 0; n < batches && this.#buffer.length > 0; n++) this.#serveBatch(this.#warps);
    if (this.#counters !== null) this.#driver.serveCounters(this.processor, this.#counters.take());
  }

  /** Accesses that wait come again, and warps go on. */
  #replay(warps: readonly Warp[]): void {
    this.#outstanding.fill(0);
    this.#retry();
    this.#issue(warps, Infinity);
  }

  /** Has the driver fetch and serve a batch. */
  #serveBatch(warps: readonly Warp[]): void {
    const { replay, timed } = this.#options;
    const buffer = this.#buffer;
    const batch = buffer.fetch();
    const cached = buffer.length;
    if (timed) this.#issue(warps, GROUP_NS / ACCESS_NS);
    const afterBlock = replay === "block" ? (): void => this.#replay(warps) : null;
    this.#driver.serveBatch(this.processor, batch, afterBlock);
    if (replay === "batch-flush") buffer.discard(batch.flush === "put" ? buffer.length : cached);
  }

  #warp(number: number, at: number, end: number): Warp {
    const utlb = Math.floor((number % this.#options.sms) / 2);
    return { utlb, at, end, loaded: false, waiting: 0, storing: false };
  }

  /** The order in which warps take turns. */
  #shuffled(warps: Warp[]): Warp[] {
    if (this.#options.seed === 0) return warps;
    for (let i = warps.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [warps[i], warps[j]] = [warps[j], warps[i]];
    }
    return warps;
  }

  /** After a replay: accesses that waited come again, in order of their first arrival. */
  #retry(): void {
    const waiting = this.#waiting;
    let kept = 0;
    for (const one of waiting) {
      if (this.#reaches(one.page, one.access, one.from, one.to, one.store)) this.#goOn(one.warp);
      else {
        waiting[kept++] = one;
        this.#fault(one);
      }
    }
    waiting.length = kept;
  }

  /**
   * Warps issue instructions in turn, one each, until none can go on or an access counter has notified. With
   * timed fetches they issue `most` at most, or without that bound until a turn ends with a fault.
   */
  #issue(warps: readonly Warp[], most: number): void {
    let running = warps;
    let issued = 0;
    while (running.length > 0) {
      const next: Warp[] = [];
      for (const warp of running) {
        if (this.#counters?.pending === true || issued === most) return;
        if (!this.#step(warp)) continue;
        issued++;
        next.push(warp);
      }
      running = next;
      if (this.#options.timed && most === Infinity && this.#buffer.length > 0) return;
    }
  }

  /** Issues the next loads or stores of a warp. Returns false if it has none, or has to wait. */
  #step(warp: Warp): boolean {
    if (warp.at === warp.end) return false;
    const schedule = this.#schedule!;
    const from = warp.at;
    const to = schedule.instruction(from, warp.end);
    const store = warp.loaded || !schedule.loads;
    if (warp.waiting > 0 && (store || warp.storing)) return false;
    schedule.gather(from, to, store);
    const { pages, accesses } = schedule;
    for (let i = 0; i < pages.length; i++) {
      this.#smart?.access(pages[i]);
      if (this.#reaches(pages[i], accesses[i], from, to, store)) continue;
      const one = { warp, from, to, store, page: pages[i], access: accesses[i] };
      this.#wait(warp);
      this.#waiting.push(one);
      this.#fault(one);
    }
    warp.storing = store;
    warp.loaded = !store && schedule.stores;
    if (!warp.loaded) warp.at = to;
    return true;
  }

  /** One more access of a warp waits. */
  #wait(warp: Warp): void {
    warp.waiting++;
    if (this.#waits[warp.utlb]++ === 0) this.events?.warpsWait(warp.utlb);
  }

  /** One access fewer of a warp waits. */
  #goOn(warp: Warp): void {
    warp.waiting--;
    if (--this.#waits[warp.utlb] === 0) this.events?.warpsGoOn(warp.utlb);
  }

  /** Reports a fault, if the µTLB of its warp has room; else the access waits in the µTLB. */
  #fault({ warp: { utlb }, page, access }: Waiting): void {
    if (this.#outstanding[utlb] >= this.#options.outstanding) return;
    this.#outstanding[utlb]++;
    this.#buffer.push(page, access, utlb);
  }

  /** Whether an access without a mapping is made in RAM all the same. */
  #staysRemote(block: VaBlock, i: number, access: number): boolean {
    if (!hasBit(block.resident[CPU], i)) return false;
    if (this.#options.addressTranslation === true) return true;
    if (this.#smart === null) return false;
    const room = this.#driver.memory.roomOf(this.processor)!;
    return !this.#smart.brings(block.number * BLOCK_PAGES + i, access > ACCESS_READ, room);
  }

  /** Makes an access of an instruction [from, to) to a page, if the device may. */
  #reaches(page: number, access: number, from: number, to: number, store: boolean): boolean {
    const number = Math.floor(page / BLOCK_PAGES);
    if (this.#block?.number !== number) this.#block = this.#driver.memory.block(number);
    const block = this.#block;
    const p = this.processor;
    const i = page % BLOCK_PAGES;
    const mapped = hasBit(block.rights[p][rightsNeeded(p, access)], i);
    if (!mapped && !this.#staysRemote(block, i, access)) return false;
    this.#clock.pass(ACCESS_NS);
    if (!hasBit(block.resident[p], i)) {
      this.#remotely(block, i, access, this.#schedule!.sectors(from, to, store, page), store);
      return true;
    }
    if (this.events !== null)
      this.events.access("device", SECTOR_BYTES * this.#schedule!.sectors(from, to, store, page), store);
    this.#driver.memory.use(block, i, p);
    if (access > ACCESS_READ) setBit(block.dirty[p], i);
    return true;
  }

  /** Counts an access to a page, the i-th of a block, in RAM or in the memory of the device that has it. */
  #remotely(block: VaBlock, i: number, access: number, sectors: number, store: boolean): void {
    const { memory } = this.#driver;
    const holder = nearestCopy(memory.topology, this.processor, block.holders(i));
    this.#counters?.count(block.number * BLOCK_PAGES + i);
    memory.mover.remote(block, i, holder === CPU ? "ram" : "peer", store);
    if (holder === CPU) {
      if (store) this.remote.stores++;
      else this.remote.loads++;
      this.remote.sectors += sectors;
      this.events?.remoteAccess(sectors, store, access >= ACCESS_ATOMIC_WEAK);
      return;
    }
    const link = memory.links[this.processor][holder];
    const bytes = sectors * SECTOR_BYTES;
    link[store ? "stores" : "loads"]++;
    link[store ? "bytesStored" : "bytesLoaded"] += bytes;
    this.events?.peerAccess(bytes, store);
    memory.use(block, i, holder);
    if (store) setBit(block.dirty[holder], i);
  }
}
