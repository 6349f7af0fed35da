/**
 * A simulation of managed memory: the driver's model decides, and an engine follows it. Accesses that find
 * their pages are replayed in the engine; the model makes all others. Further models, without an engine, run
 * other orders of the device's warps.
 */
import {
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_MARK,
  RECORD_MARK_ADVISE,
  RECORD_MARK_PREFETCH,
  RECORD_MARK_RANGE,
  RECORD_SIZE_SHIFT,
} from "../../assembly/abi/record.ts";
import type { RecordArray } from "../device/replay.ts";
import { ThreadCounts, THREADS } from "../device/thread-counts.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { DeviceTable, Hmm, Mm } from "../index.ts";
import type { Settings } from "./config.ts";
import type { DeviceCounts, ManagedCounts } from "./counts.ts";
import type { SimulationEvents } from "./events.ts";
import { deviceMemoryFor } from "./device-driver.ts";
import type { CountedDevices, Ledger } from "./ledger.ts";
import { BLOCK_BYTES, countBits } from "./driver/bits.ts";
import { EventMover } from "./event-mover.ts";
import { EngineMover, type RestoredEngine } from "./driver/engine-mover.ts";
import { Machine, type MachineState } from "./driver/machine.ts";
import { Movers } from "./driver/mover.ts";
import type { MachineOptions } from "./driver/machine-options.ts";
import { CPU } from "./driver/processor.ts";
import { ModelClock } from "./time/model-clock.ts";
import { nanoseconds } from "./time/quantity.ts";
import type { Timeline } from "./time/timeline.ts";
import { managedCounts, ManagedBooks, type Told } from "./managed-books.ts";
import { iterationsOf, prefetcherOf, type ManagedSettings } from "./managed-config.ts";
import { managedReport } from "./managed-report.ts";
import { evictorOf } from "./paging-config.ts";
import { UsedUnits } from "./driver/used-units.ts";
import type { References } from "./policies/references.ts";
import type { RangeCounts } from "./range-counts.ts";
import { RangeMover } from "./range-mover.ts";
import type { ManagedReport } from "./report.ts";
import type { RecordBlock, TraceEvent } from "./source.ts";
import { mappable } from "./space.ts";

/** 32-bit words of a record. */
const WORDS = 4;
const NS_PER_US = 1000;
/** The device's number in traces that stands for the CPU. */
const NO_DEVICE = 65535;

/** Returns the machine's options of checked settings, for one order of its warps. */
function machineOptions(settings: Settings, managed: ManagedSettings, seed: number): MachineOptions {
  const { sms, outstanding, thrashing, prefetch, prefetchFull, deviceThreads, counterThreshold } = managed;
  const { deviceMemory, freeBuffer } = settings;
  const chunks = Math.floor(deviceMemory / BLOCK_BYTES);
  const times = settings.time?.thrashing ?? {};
  return {
    devices: settings.devices,
    links: settings.peers,
    peerAccess: settings.peerFault === "access" && settings.peers.length > 0,
    chunks: chunks - Math.floor((chunks * freeBuffer) / 100),
    room: pageRoom(settings, managed),
    placement: settings.placement,
    prefetcher: prefetcherOf(prefetch),
    prefetcherFull: prefetcherOf(prefetchFull),
    remoteReads:
      settings.placement === "adaptive"
        ? { reads: managed.remoteReads, threshold: counterThreshold, penalty: managed.remotePenalty }
        : undefined,
    hostFirst: settings.initial === "host",
    thrashing,
    thrashingTimes: {
      lapse: managed.thrashingLapse * NS_PER_US,
      ...(times.throttle && { nap: nanoseconds(times.throttle) }),
      ...(times.pin && { pin: nanoseconds(times.pin) }),
    },
    counters: settings.placement === "counters" ? counterThreshold : null,
    oneThread: deviceThreads === "one",
    iterations: iterationsOf(deviceThreads),
    device: { sms, outstanding, replay: managed.replay, timed: managed.fetch === "timed", seed },
    addressTranslation: settings.time?.machine?.addressTranslation ?? false,
  };
}

/** Returns what makes room by pages; undefined: the driver's chunks do. */
function pageRoom(settings: Settings, { evict }: ManagedSettings): MachineOptions["room"] {
  if (evict === "lrm") return undefined;
  const { custom, deviceMemory, seed, reserve, freeBuffer } = settings;
  const policy = evictorOf({ evict, custom });
  return { pages: deviceMemory / PAGE_SIZE, evict: policy, seed, reserve, freeBuffer };
}

/** What a snapshot keeps. */
export interface ManagedState {
  /** The model, and those of other orders. */
  machines: MachineState[];
  told: Told;
  growths: number;
}

/** The model, the engine that follows it, and models of other orders. */
export class ManagedRun implements CountedDevices {
  readonly books: ManagedBooks;
  /** The record that run() made last by the model: where it threw, if it did. */
  at = 0;
  readonly #devices: number;
  readonly #mm: Mm;
  readonly #mover: EngineMover;
  readonly #eventMover = new EventMover();
  readonly #rangeMover = new RangeMover();
  readonly tables: readonly DeviceTable[];
  readonly #machine: Machine;
  readonly #others: readonly Machine[];
  readonly #advise: ManagedSettings["advise"];
  /** Where records are numbered by thread; null: they are not, or a snapshot is made. */
  #threads: ThreadCounts | null = null;

  /**
   * @param engine an engine with room for the device's memory, and its address space
   * @param timeline the time model's clock; null: the driver's own, with fixed times
   * @param state what a snapshot kept beside the engine, which was restored then
   */
  constructor(
    engine: { hmm: Hmm; mm: Mm } | RestoredEngine,
    settings: Settings,
    managed: ManagedSettings,
    timeline: Timeline | null,
    state?: ManagedState,
  ) {
    this.#mm = engine.mm;
    this.#advise = managed.advise;
    this.#devices = settings.devices;
    const memory = { devices: settings.devices, size: deviceMemoryFor(settings.deviceMemory) };
    this.#mover = new EngineMover(engine, memory, (event) => this.books.invalidated(event));
    this.tables = this.#mover.tables;
    this.#machine = new Machine({
      ...machineOptions(settings, managed, 0),
      mover: new Movers([this.#mover, this.#rangeMover, this.#eventMover]),
      ...(timeline === null ? {} : { clock: new ModelClock(timeline) }),
    });
    this.#others = Array.from(
      { length: managed.schedules - 1 },
      (_, i) => new Machine(machineOptions(settings, managed, i + 1)),
    );
    this.books = new ManagedBooks(this.#machine, state?.told);
    if (state === undefined) {
      for (const { name, start, end } of settings.ranges) this.nameRange(name, start, end - start, false);
      return;
    }
    this.#mover.growths = state.growths;
    [this.#machine, ...this.#others].forEach((machine, i) => machine.restore(state.machines[i]));
  }

  /** Takes memory of the engine that a snapshot must not have. Throws HmmError ENOMEM. */
  openArrays(): void {
    if (!this.#machine.numbersThreads) return;
    this.#threads = new ThreadCounts(this.#mm.hmm);
    this.#machine.numberIn(this.#threads);
  }

  /** Gives it back. */
  closeArrays(): void {
    if (this.#threads === null) return;
    this.#machine.numberIn(new Uint32Array(THREADS));
    this.#threads.close();
    this.#threads = null;
  }

  /** Returns what a snapshot keeps beside the engine. */
  state(): ManagedState {
    const machines = [this.#machine, ...this.#others].map((machine) => machine.state());
    return { machines, told: this.books.state(), growths: this.growths };
  }

  /** Says who is told what happens in the first order of warps. */
  observe(events: SimulationEvents): void {
    this.#eventMover.events = events;
    this.#machine.observe(events);
  }

  /** Says where the device's uses of its memory are kept, by units of so many bytes; null: they are not. */
  follow(references: References | null, unitBytes: number): void {
    if (references !== null) this.#machine.memory.uses = new UsedUnits(references, unitBytes);
  }

  /** Pages in the device's memory. */
  get pages(): number {
    return this.#machine.counts.pagesNow;
  }

  /** Each device. */
  get all(): CountedDevices["all"] {
    return this.books.all;
  }

  get peak(): number {
    return this.#machine.memory.peak;
  }

  get counts(): DeviceCounts {
    return this.books.counts();
  }

  get managed(): ManagedCounts {
    return managedCounts(this.#machine);
  }

  restartPeaks(): void {
    this.books.restartPeaks();
  }

  countIn(ranges: RangeCounts): void {
    this.#rangeMover.ranges = ranges;
  }

  /** Pages in RAM. */
  get ramPages(): number {
    let pages = 0;
    for (const { resident } of this.#machine.memory.blocks) pages += countBits(resident[CPU]);
    return pages;
  }

  /** How often the address space grew. */
  get growths(): number {
    return this.#mover.growths;
  }

  /**
   * Notes a named range: an allocation, if `bytes` from a multiple of 2 MiB are one. Advice by name holds for
   * it.
   */
  nameRange(name: string, start: number, bytes: number, isAllocation: boolean): void {
    for (const machine of [this.#machine, ...this.#others]) {
      if (isAllocation && start % BLOCK_BYTES === 0) machine.memory.allocate(start, bytes);
      machine.array(start, bytes);
      for (const one of this.#advise)
        if (one.name === name) machine.driver.advise(start, bytes, one.advice, one.p);
    }
  }

  /**
   * Makes the accesses of records [from, end) of the array, whose words these are, up to a mark. Returns
   * where it stopped. Records whose address cannot be mapped are left out: their indices are added to `left`.
   * Throws HmmError ENOMEM if memory is too small.
   */
  run(records: RecordArray, words: Uint32Array, from: number, end: number, left: number[]): number {
    const at = this.#runMain(records, words, from, end, left);
    for (const machine of this.#others)
      for (let i = from; i < at; i++) if (isAccess(words, i) && isMappable(words, i)) machine.step(words, i);
    return at;
  }

  #runMain(records: RecordArray, words: Uint32Array, from: number, end: number, left: number[]): number {
    const machine = this.#machine;
    for (let at = from; ;) {
      if (at < end && !machine.waiting && !machine.hearsUses) {
        const stop = records.replay(this.#mm, this.tables, at, end);
        machine.skip(words, at, stop.at);
        this.#threads?.count(records, at, stop.at);
        at = stop.at;
      }
      if (at === end || (words[WORDS * at + 2] & 0xff) >= RECORD_MARK) return at;
      this.at = at;
      if (isFetch(words, at) || isMappable(words, at)) machine.step(words, at);
      else left.push(at);
      at++;
    }
  }

  /** Notes the mark at an index of a block's records. */
  mark(words: Uint32Array, at: number, { events }: RecordBlock, ledger: Ledger): void {
    const event: Partial<TraceEvent> | undefined = events?.[words[WORDS * at + 3]];
    const kind = words[WORDS * at + 2] & 0xff;
    if (kind === RECORD_MARK_RANGE && event?.name !== undefined)
      this.nameRange(event.name, event.address ?? 0, event.bytes ?? 0, false);
    for (const machine of [this.#machine, ...this.#others]) {
      machine.step(words, at);
      if (event === undefined || (kind !== RECORD_MARK_ADVISE && kind !== RECORD_MARK_PREFETCH)) continue;
      const { address = 0, bytes = 0, advice = 0, device = 0 } = event;
      const p = device === NO_DEVICE ? CPU : Math.min(device + 1, this.#devices);
      machine.drain();
      if (kind === RECORD_MARK_ADVISE) machine.driver.advise(address, bytes, advice, p);
      else machine.driver.migrate(address, bytes, p);
    }
    this.count(ledger);
  }

  /** Has the devices make all accesses that wait, and counts. */
  finish(ledger: Ledger): void {
    for (const machine of [this.#machine, ...this.#others]) machine.drain();
    this.count(ledger);
  }

  /** Writes what was counted so far into the ledger's counts. */
  count({ cpuFaults: cpu, devices, accesses }: Ledger): void {
    const { each, counts, remote, memory } = this.#machine;
    const { ram, peer } = accesses.device;
    cpu.anon = counts.cpuFaultsMade;
    cpu.device = counts.cpuFaultsMoved;
    cpu.other = counts.cpuFaults - counts.cpuFaultsMade - counts.cpuFaultsMoved;
    devices.forEach(({ faults }, i) => {
      const { devicePages, devicePagesMapped } = each[i + 1];
      faults.mirror = devicePagesMapped;
      faults.migrate = devicePages - devicePagesMapped;
    });
    ram.loads = remote.loads;
    ram.stores = remote.stores;
    const links = memory.links.flatMap((one) => Object.values(one));
    peer.loads = links.reduce((sum, { loads }) => sum + loads, 0);
    peer.stores = links.reduce((sum, { stores }) => sum + stores, 0);
  }

  /** Returns what only managed memory has to report. */
  report(): ManagedReport {
    return managedReport(this.#machine, this.#others);
  }

  /** Closes what outlives the address space, which must be closed before. */
  close(): void {
    this.#mover.close();
  }
}

function isAccess(words: Uint32Array, record: number): boolean {
  return (words[WORDS * record + 2] & RECORD_KIND_MASK) < RECORD_MARK;
}

/** Whether a record is of instructions, which access no memory here. */
function isFetch(words: Uint32Array, record: number): boolean {
  return (words[WORDS * record + 2] & RECORD_KIND_MASK) === RECORD_KIND_FETCH;
}

/** Whether the bytes of an access can be mapped. */
function isMappable(words: Uint32Array, record: number): boolean {
  const high = words[WORDS * record + 1];
  const address = (high & 0xffff) * 2 ** 32 + words[WORDS * record];
  return mappable(address) && mappable(address + Math.max(high >>> (RECORD_SIZE_SHIFT - 32), 1) - 1);
}
