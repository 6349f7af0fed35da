/**
 * A CPU and a device over managed memory: makes the accesses of records, in the managed driver's model alone.
 */
import {
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_MARK,
  RECORD_MARK_KERNEL_BEGIN,
  RECORD_MARK_KERNEL_END,
} from "../../../assembly/abi/record.ts";
import { AccessCounters } from "../policies/access-counters.ts";
import { rightsNeeded } from "../policies/rights.ts";
import { Thrashing, thrashingOf } from "../policies/thrashing.ts";
import { Baseline, type BaselineState } from "./baseline.ts";
import { BLOCK_PAGES, hasBit, setBit } from "./bits.ts";
import { ACCESS_NS, Clock, linkTime, TRANSFER_NS } from "./clock.ts";
import type { SimulationEvents } from "../events.ts";
import { agentOf, bytesOf, instructionsOf, pagesOf, WORDS } from "../record-words.ts";
import { together } from "../counts.ts";
import { newLinks } from "../peers.ts";
import { newCounts, totalOf, type DriverCounts } from "./driver-counts.ts";
import { ManagedDriver, type DriverState } from "./driver.ts";
import { ManagedMemory } from "./managed-memory.ts";
import type { Links } from "./memory-options.ts";
import { PLACEMENT_ADVICE, type MachineOptions } from "./machine-options.ts";
import { PageRoom } from "./page-room.ts";
import { DEVICE_DEFAULTS, ParallelDevice, type RemoteCounts } from "./parallel-device.ts";
import { DeviceLane, type LaneState } from "./device-lane.ts";
import { ACCESS_READ, ACCESS_WRITE, CPU, linked } from "./processor.ts";
import { ChunkRoom, type Room, type RoomPlace } from "./room.ts";
import { Transfers, type TransferState } from "./transfers.ts";
import { UvmSmart, type UvmSmartState } from "./uvm-smart.ts";
import type { VaBlock } from "./va-block.ts";
import { RECORD_ATOMIC } from "./warps.ts";

/** The first device, which the baselines and UVM-Smart are about. */
const DEVICE = 1;
/** Records of the device that run together, at most. */
const WINDOW = 1 << 20;

/** What a snapshot keeps of a machine. */
export interface MachineState {
  counts: DriverCounts[];
  transfers: TransferState;
  links: Links[];
  now: number;
  driver: DriverState;
  baseline: BaselineState | null;
  smart: UvmSmartState | null;
  devices: LaneState[];
}

/**
 * The machine. A record of the device that cannot be made at once waits, and all that follow it, until a
 * record of the CPU, a kernel's begin or end, or `drain`; then the device runs them as its warps do. A CPU
 * access therefore waits for the device's accesses before it. With one thread, the device runs them when it
 * comes to a store: nothing that follows a store can be made before it.
 */
export class Machine {
  /** By processor. */
  readonly each: readonly DriverCounts[];
  readonly transfers: Transfers;
  readonly clock: Clock;
  readonly #addressTranslation: boolean;
  #events: SimulationEvents | null = null;
  readonly memory: ManagedMemory;
  readonly driver: ManagedDriver;
  /** Copies arrays as the program would; null: the driver serves faults. */
  readonly baseline: Baseline | null;
  readonly #smart: UvmSmart | null;
  readonly #oneThread: boolean;
  /** The devices with their records, the first one at 0. */
  readonly #lanes: readonly DeviceLane[];
  /** The block of the last access of the CPU, or of the device without waiting. */
  #block: VaBlock | null = null;

  constructor(options: MachineOptions) {
    const { chunks, placement = "migrate", thrashing, counters, device, hostFirst, mover } = options;
    const { devices = 1, links = [], prefetcher, prefetcherFull } = options;
    const topology = linked(devices, links);
    this.each = Array.from({ length: devices + 1 }, newCounts);
    this.transfers = new Transfers(devices);
    this.clock = options.clock ?? new Clock();
    this.#addressTranslation = options.addressTranslation ?? false;
    const { each: counts, transfers, clock } = this;
    transfers.onTransfer = (bytes, direction, cause, address) => {
      mover?.transfer(address, bytes, direction);
      this.#events?.transfer(address, bytes, direction, cause);
      clock.pass(linkTime(bytes, direction === "toDevice") + (direction === "toDevice" ? TRANSFER_NS : 0));
    };
    const migrates = counters !== null;
    const smart = placement === "adaptive" || placement === "smart";
    this.#smart = smart ? new UvmSmart(options.remoteReads ?? null) : null;
    this.memory = new ManagedMemory({
      topology,
      rooms: Array.from({ length: devices }, () => (place) => this.#room(options, place)),
      links: counts.map((_, p) => newLinks({ peers: links }, p)),
      listener: this.#smart ?? undefined,
      transfers,
      counts,
      counters: migrates,
      defaults: PLACEMENT_ADVICE[placement],
      hostFirst,
      mover,
    });
    const copied = placement === "explicit" || placement === "resident";
    this.baseline = copied ? new Baseline(this.memory, placement, DEVICE, chunks) : null;
    const detection = thrashing ? new Thrashing(topology, thrashingOf(options.thrashingTimes)) : null;
    this.driver = new ManagedDriver({
      memory: this.memory,
      prefetcher,
      prefetcherFull,
      thrashing: detection,
      clock,
      peerAccess: options.peerAccess ?? false,
    });
    this.#oneThread = options.oneThread ?? false;
    const hardware = { ...DEVICE_DEFAULTS, addressTranslation: this.#addressTranslation, ...device };
    this.#lanes = Array.from({ length: devices }, (_, i) => {
      const remote = { counters: migrates ? new AccessCounters(counters) : null, smart: this.#smart };
      return new DeviceLane(new ParallelDevice(i + 1, this.driver, clock, remote, hardware), options);
    });
  }

  /** What was counted of all processors together. */
  get counts(): DriverCounts {
    return { ...totalOf(this.each), pagesPeak: this.memory.peak };
  }

  /** Notes an array of `bytes` from `start`, which a baseline copies and UVM-Smart classifies as a whole. */
  array(start: number, bytes: number): void {
    this.baseline?.array(start, bytes);
    this.#smart?.array(start, bytes);
  }

  #room({ chunks, room }: MachineOptions, place: RoomPlace): Room {
    if (room === undefined) return new ChunkRoom(chunks, place);
    const { policy, parameter } = room.evict;
    const evict = { policy: this.#smart?.policy(policy) ?? policy, parameter };
    return new PageRoom({ ...room, evict, block: (number) => this.memory.block(number) }, place);
  }

  /** Returns what a snapshot keeps; JSON can hold it. */
  state(): MachineState {
    return {
      counts: [...this.each],
      transfers: this.transfers.state(),
      links: [...this.memory.links],
      now: this.clock.now,
      driver: this.driver.state(),
      baseline: this.baseline && this.baseline.state(),
      smart: this.#smart && this.#smart.state(),
      devices: this.#lanes.map((lane) => lane.state()),
    };
  }

  /** Makes the machine, which has done nothing yet, what state() has returned. */
  restore(state: MachineState): void {
    state.counts.forEach((counts, p) => Object.assign(this.each[p], counts));
    this.transfers.restore(state.transfers);
    state.links.forEach((links, p) => Object.assign(this.memory.links[p], structuredClone(links)));
    this.clock.until(state.now);
    this.driver.restore(state.driver);
    if (state.baseline !== null) this.baseline?.restore(state.baseline);
    if (state.smart !== null) this.#smart?.restore(state.smart);
    state.devices.forEach((lane, i) => this.#lanes[i].restore(lane));
  }

  /** Accesses of all devices to RAM. */
  get remote(): RemoteCounts {
    return this.#lanes.map(({ device }) => device.remote).reduce((sum, one) => together(sum, one));
  }

  /** Says who is told what happens. */
  observe(events: SimulationEvents): void {
    this.#events = this.driver.events = events;
    for (const { device } of this.#lanes) device.events = events;
  }

  /** Whether each access of a device must be made here, for a policy that hears of uses. */
  get hearsUses(): boolean {
    return this.#smart !== null || this.memory.roomOf(DEVICE)!.hearsUses;
  }

  /** Whether records of a device wait. */
  get waiting(): boolean {
    return this.#lanes.some(({ pending }) => pending.length > 0);
  }

  /** Makes the accesses of `n` records, whose words these are. Marks begin and end what runs together. */
  run(words: Uint32Array, n: number): void {
    for (let record = 0; record < n; record++) this.step(words, record);
  }

  /** Makes the access of one record, or lets it wait; a mark begins or ends a kernel. */
  step(words: Uint32Array, record: number): void {
    const at = WORDS * record;
    const how = words[at + 2];
    const kind = how & RECORD_KIND_MASK;
    if (kind >= RECORD_MARK) this.#mark(kind);
    else if (kind > RECORD_KIND_MODIFY)
      this.#events?.instructions(agentOf(how) === 0 ? "cpu" : "device", instructionsOf(how, words[at + 1]));
    else if (agentOf(how) === 0) {
      this.drain();
      for (const lane of this.#lanes) lane.endLoop();
      this.#cpuAccess(words, at, kind);
    } else if (this.baseline !== null) this.#copiedAccess(this.baseline, words, at, kind);
    else {
      const lane = this.#laneOf(how);
      const thread = lane.threadOf(words, at);
      if (lane.pending.length > 0 || !this.#hits(lane, words, at, kind))
        this.#enqueue(lane, words, at, kind, thread);
      else lane.warps.skip(thread);
    }
  }

  /** The device that makes a record: with one device, all agents but the CPU are it. */
  #laneOf(how: number): DeviceLane {
    return this.#lanes[Math.min(agentOf(how), this.#lanes.length) - 1];
  }

  /** Whether records are numbered by the threads that they name alone, which numberIn() then is about. */
  get numbersThreads(): boolean {
    return !this.#oneThread && this.#lanes.length === 1 && this.#lanes[0].loop === null;
  }

  /** Numbers the records of threads in another array: who makes records elsewhere counts them there. */
  numberIn(next: Uint32Array<ArrayBuffer>): void {
    this.#lanes[0].warps.numberIn(next);
  }

  /** Notes that records [from, to) were made elsewhere: all of them found their pages. */
  skip(words: Uint32Array, from: number, to: number): void {
    this.clock.pass((to - from) * ACCESS_NS);
    this.memory.uses?.records(words, from, to);
    this.#events?.records(words, from, to, 0, 0);
    if (this.#oneThread || this.numbersThreads) return;
    for (let at = WORDS * from; at < WORDS * to; at += WORDS) {
      const how = words[at + 2];
      if ((how & RECORD_KIND_MASK) === RECORD_KIND_FETCH) continue;
      if (agentOf(how) !== 0) this.#laneOf(how).skip(words, at);
      else for (const lane of this.#lanes) lane.endLoop();
    }
  }

  /**
   * Has the devices run all records that wait, at the same time: each runs until none of its warps can go on,
   * then the driver serves a batch of each, in the order of their numbers, and so on.
   */
  drain(): void {
    let running = this.#lanes.filter(({ pending }) => pending.length > 0);
    for (const lane of running) lane.begin();
    while (running.length > 0) {
      running = running.filter(({ device }) => device.goOn());
      for (const { device } of running) device.serve();
    }
  }

  #mark(kind: number): void {
    if (kind !== RECORD_MARK_KERNEL_BEGIN && kind !== RECORD_MARK_KERNEL_END) return;
    this.drain();
    for (const lane of this.#lanes) lane.restart();
    this.baseline?.kernel(kind === RECORD_MARK_KERNEL_BEGIN);
    if (kind === RECORD_MARK_KERNEL_BEGIN) this.#smart?.kernel();
  }

  /** Makes an access of the device to memory that the program copies. */
  #copiedAccess(baseline: Baseline, words: Uint32Array, at: number, kind: number): void {
    const { first, last } = pagesOf(words, at);
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(DEVICE, write ? ACCESS_WRITE : ACCESS_READ);
    this.clock.pass(ACCESS_NS);
    this.#events?.access("device", bytesOf(words, at), write);
    for (let page = first; page <= last; page++) {
      const block = this.#blockOf(page);
      const i = page % BLOCK_PAGES;
      if (!hasBit(block.rights[DEVICE][right], i)) baseline.access(DEVICE, page, write);
      this.memory.use(block, i, DEVICE);
      if (write) setBit(block.dirty[DEVICE], i);
    }
  }

  /** Makes an access of a device if all of its pages are in the device's memory and mapped. */
  #hits({ device }: DeviceLane, words: Uint32Array, at: number, kind: number): boolean {
    const p = device.processor;
    const { first: page, last } = pagesOf(words, at);
    if (last !== page || (words[at + 2] & RECORD_ATOMIC) !== 0) return false;
    const block = this.#blockOf(page);
    const i = page % BLOCK_PAGES;
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(p, write ? ACCESS_WRITE : ACCESS_READ);
    if (!hasBit(block.rights[p][right], i) || !hasBit(block.resident[p], i)) return false;
    this.clock.pass(ACCESS_NS);
    this.#smart?.access(page);
    this.#events?.access("device", bytesOf(words, at), write);
    this.memory.use(block, i, p);
    if (write) setBit(block.dirty[p], i);
    return true;
  }

  #enqueue({ pending }: DeviceLane, words: Uint32Array, at: number, kind: number, thread: number): void {
    pending.push(words, at, thread);
    const ends = this.#oneThread && kind !== RECORD_KIND_LOAD;
    if (pending.length === WINDOW || ends) this.drain();
  }

  #cpuAccess(words: Uint32Array, at: number, kind: number): void {
    const { first, last } = pagesOf(words, at);
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(CPU, write ? ACCESS_WRITE : ACCESS_READ);
    this.clock.pass(ACCESS_NS);
    this.#events?.access("cpu", bytesOf(words, at), write);
    for (let page = first; page <= last; page++) {
      const block = this.#blockOf(page);
      if (hasBit(block.rights[CPU][right], page % BLOCK_PAGES)) continue;
      if (this.#addressTranslation && block.holders(page % BLOCK_PAGES) !== 0) continue;
      if (this.baseline === null) this.driver.cpuFault(page, write);
      else this.baseline.access(CPU, page, write);
    }
  }

  #blockOf(page: number): VaBlock {
    const number = Math.floor(page / BLOCK_PAGES);
    if (this.#block?.number !== number) this.#block = this.memory.block(number);
    return this.#block;
  }
}
