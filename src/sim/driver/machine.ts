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
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../../../assembly/abi/record.ts";
import { AccessCounters } from "../policies/access-counters.ts";
import { rightsNeeded } from "../policies/rights.ts";
import { Thrashing, thrashingOf } from "../policies/thrashing.ts";
import { Baseline, type BaselineState } from "./baseline.ts";
import { BLOCK_PAGES, hasBit, setBit } from "./bits.ts";
import { ACCESS_NS, Clock, linkTime, TRANSFER_NS } from "./clock.ts";
import type { SimulationEvents } from "../events.ts";
import { agentOf, instructionsOf, WORDS } from "../record-words.ts";
import { newCounts, type DriverCounts } from "./driver-counts.ts";
import { ManagedDriver, type DriverState } from "./driver.ts";
import { LoopSplit, type LoopState } from "./loop-split.ts";
import { ManagedMemory } from "./managed-memory.ts";
import { PLACEMENT_ADVICE, type MachineOptions } from "./machine-options.ts";
import { PageRoom } from "./page-room.ts";
import { DEVICE_DEFAULTS, ParallelDevice, type DeviceState, type RemoteCounts } from "./parallel-device.ts";
import { PendingRecords } from "./pending-records.ts";
import { ACCESS_READ, ACCESS_WRITE, CPU, pcie } from "./processor.ts";
import { ChunkRoom, type Room, type RoomPlace } from "./room.ts";
import { Transfers, type TransferCounts } from "./transfers.ts";
import { UvmSmart, type UvmSmartState } from "./uvm-smart.ts";
import type { VaBlock } from "./va-block.ts";
import { WarpScheduler } from "./warp-scheduler.ts";
import { RECORD_ATOMIC } from "./warps.ts";

const PAGE_BYTES = 4096;
/** The device's processor number. */
const DEVICE = 1;
/** Records of the device that run together, at most. */
const WINDOW = 1 << 20;

/** The bytes of an access. */
function sizeOf(words: Uint32Array, at: number): number {
  return Math.max(words[at + 1] >>> (RECORD_SIZE_SHIFT - 32), 1);
}

/** The numbers of the first and the last page that the record at word `at` touches. */
function pagesOf(words: Uint32Array, at: number): { first: number; last: number } {
  const address = (words[at + 1] & 0xffff) * 2 ** 32 + words[at];
  const size = sizeOf(words, at);
  return { first: Math.floor(address / PAGE_BYTES), last: Math.floor((address + size - 1) / PAGE_BYTES) };
}

/** What a snapshot keeps of a machine. */
export interface MachineState {
  counts: DriverCounts;
  transfers: TransferCounts;
  now: number;
  driver: DriverState;
  baseline: BaselineState | null;
  smart: UvmSmartState | null;
  device: DeviceState;
  warps: [thread: number, next: number][];
  pending: number[];
  loop: LoopState | null;
}

/**
 * The machine. A record of the device that cannot be made at once waits, and all that follow it, until a
 * record of the CPU, a kernel's begin or end, or `drain`; then the device runs them as its warps do. A CPU
 * access therefore waits for the device's accesses before it. With one thread, the device runs them when it
 * comes to a store: nothing that follows a store can be made before it.
 */
export class Machine {
  readonly counts: DriverCounts = newCounts();
  readonly transfers = new Transfers();
  readonly clock: Clock;
  readonly #addressTranslation: boolean;
  #events: SimulationEvents | null = null;
  readonly memory: ManagedMemory;
  readonly driver: ManagedDriver;
  /** Copies arrays as the program would; null: the driver serves faults. */
  readonly baseline: Baseline | null;
  readonly #smart: UvmSmart | null;
  readonly #oneThread: boolean;
  /** Deals the device's accesses to threads; null: they have threads. */
  readonly #loop: LoopSplit | null;
  readonly #device: ParallelDevice;
  readonly #warps = new WarpScheduler();
  readonly #pending = new PendingRecords();
  /** The block of the last access of the CPU, or of the device without waiting. */
  #block: VaBlock | null = null;

  constructor(options: MachineOptions) {
    const { chunks, placement = "migrate", thrashing, counters, device, hostFirst, mover } = options;
    const { prefetcher, prefetcherFull } = options;
    const topology = pcie(1);
    this.clock = options.clock ?? new Clock();
    this.#addressTranslation = options.addressTranslation ?? false;
    const { counts, transfers, clock } = this;
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
      rooms: [(place) => this.#room(options, place)],
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
    });
    const counter = migrates ? new AccessCounters(counters) : null;
    const remote = { counters: counter, smart: this.#smart };
    this.#oneThread = options.oneThread ?? false;
    this.#loop = options.iterations === undefined ? null : new LoopSplit(options.iterations);
    const hardware = { ...DEVICE_DEFAULTS, addressTranslation: this.#addressTranslation, ...device };
    this.#device = new ParallelDevice(DEVICE, this.driver, clock, remote, hardware);
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
      counts: this.counts,
      transfers: this.transfers.counts,
      now: this.clock.now,
      driver: this.driver.state(),
      baseline: this.baseline && this.baseline.state(),
      smart: this.#smart && this.#smart.state(),
      device: this.#device.state(),
      warps: this.#warps.state(),
      pending: this.#pending.state(),
      loop: this.#loop && this.#loop.state(),
    };
  }

  /** Makes the machine, which has done nothing yet, what state() has returned. */
  restore(state: MachineState): void {
    Object.assign(this.counts, state.counts);
    this.transfers.restore(state.transfers);
    this.clock.until(state.now);
    this.driver.restore(state.driver);
    if (state.baseline !== null) this.baseline?.restore(state.baseline);
    if (state.smart !== null) this.#smart?.restore(state.smart);
    this.#device.restore(state.device);
    this.#warps.restore(state.warps);
    this.#pending.restore(state.pending);
    if (state.loop !== null) this.#loop?.restore(state.loop);
  }

  /** Accesses of the device to RAM. */
  get remote(): RemoteCounts {
    return this.#device.remote;
  }

  /** Says who is told what happens. */
  observe(events: SimulationEvents): void {
    this.#events = this.#device.events = this.driver.events = events;
  }

  /** Whether each access of the device must be made here, for a policy that hears of uses. */
  get hearsUses(): boolean {
    return this.#smart !== null || this.memory.roomOf(DEVICE)!.hearsUses;
  }

  /** Whether records of the device wait. */
  get waiting(): boolean {
    return this.#pending.length > 0;
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
      this.#endLoop();
      this.#cpuAccess(words, at, kind);
    } else if (this.baseline !== null) this.#copiedAccess(this.baseline, words, at, kind);
    else {
      const thread = this.#threadOf(words, at);
      if (this.waiting || !this.#hits(words, at, kind)) this.#enqueue(words, at, kind, thread);
      else this.#warps.skip(thread);
    }
  }

  /** The thread that makes a record of the device. */
  #threadOf(words: Uint32Array, at: number): number {
    if (this.#oneThread) return 0;
    return this.#loop === null ? words[at + 2] >>> RECORD_THREAD_SHIFT : this.#loop.thread(words, at);
  }

  /** The CPU goes on after a loop that was split. */
  #endLoop(): void {
    if (this.#loop === null || !this.#loop.runs) return;
    this.#loop.restart();
    this.#warps.restart();
  }

  /** Whether records are numbered by the threads that they name, which numberIn() then is about. */
  get numbersThreads(): boolean {
    return !this.#oneThread && this.#loop === null;
  }

  /** Numbers the records of threads in another array: who makes records elsewhere counts them there. */
  numberIn(next: Uint32Array<ArrayBuffer>): void {
    this.#warps.numberIn(next);
  }

  /** Notes that records [from, to) were made elsewhere: all of them found their pages. */
  skip(words: Uint32Array, from: number, to: number): void {
    this.clock.pass((to - from) * ACCESS_NS);
    this.#events?.records(words, from, to, 0, 0);
    if (this.#oneThread || this.#loop === null) return;
    for (let at = WORDS * from; at < WORDS * to; at += WORDS)
      if ((words[at + 2] & RECORD_KIND_MASK) === RECORD_KIND_FETCH) continue;
      else if (agentOf(words[at + 2]) === 0) this.#endLoop();
      else this.#warps.skip(this.#threadOf(words, at));
  }

  /** Has the device run all records that wait. */
  drain(): void {
    if (!this.waiting) return;
    const { words, n } = this.#pending.take();
    this.#device.run(this.#warps.schedule(words, n));
  }

  #mark(kind: number): void {
    if (kind !== RECORD_MARK_KERNEL_BEGIN && kind !== RECORD_MARK_KERNEL_END) return;
    this.drain();
    this.#warps.restart();
    this.#loop?.restart();
    this.baseline?.kernel(kind === RECORD_MARK_KERNEL_BEGIN);
    if (kind === RECORD_MARK_KERNEL_BEGIN) this.#smart?.kernel();
  }

  /** Makes an access of the device to memory that the program copies. */
  #copiedAccess(baseline: Baseline, words: Uint32Array, at: number, kind: number): void {
    const { first, last } = pagesOf(words, at);
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(DEVICE, write ? ACCESS_WRITE : ACCESS_READ);
    this.clock.pass(ACCESS_NS);
    this.#events?.access("device", sizeOf(words, at), write);
    for (let page = first; page <= last; page++) {
      const block = this.#blockOf(page);
      const i = page % BLOCK_PAGES;
      if (!hasBit(block.rights[DEVICE][right], i)) baseline.access(DEVICE, page, write);
      this.memory.use(block, i, DEVICE);
      if (write) setBit(block.dirty, i);
    }
  }

  /** Makes an access of the device if all of its pages are in the device's memory and mapped. */
  #hits(words: Uint32Array, at: number, kind: number): boolean {
    const { first: page, last } = pagesOf(words, at);
    if (last !== page || (words[at + 2] & RECORD_ATOMIC) !== 0) return false;
    const block = this.#blockOf(page);
    const i = page % BLOCK_PAGES;
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(DEVICE, write ? ACCESS_WRITE : ACCESS_READ);
    if (!hasBit(block.rights[DEVICE][right], i) || !hasBit(block.resident[DEVICE], i)) return false;
    this.clock.pass(ACCESS_NS);
    this.#smart?.access(page);
    this.#events?.access("device", sizeOf(words, at), write);
    this.memory.use(block, i, DEVICE);
    if (write) setBit(block.dirty, i);
    return true;
  }

  #enqueue(words: Uint32Array, at: number, kind: number, thread: number): void {
    this.#pending.push(words, at, thread);
    const ends = this.#oneThread && kind !== RECORD_KIND_LOAD;
    if (this.#pending.length === WINDOW || ends) this.drain();
  }

  #cpuAccess(words: Uint32Array, at: number, kind: number): void {
    const { first, last } = pagesOf(words, at);
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(CPU, write ? ACCESS_WRITE : ACCESS_READ);
    this.clock.pass(ACCESS_NS);
    this.#events?.access("cpu", sizeOf(words, at), write);
    for (let page = first; page <= last; page++) {
      const block = this.#blockOf(page);
      if (hasBit(block.rights[CPU][right], page % BLOCK_PAGES)) continue;
      if (this.#addressTranslation && hasBit(block.resident[DEVICE], page % BLOCK_PAGES)) continue;
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
