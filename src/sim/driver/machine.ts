/**
 * A CPU and a device over managed memory: makes the accesses of records, in the managed driver's model alone.
 */
import {
  RECORD_AGENT_SHIFT,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_MARK,
  RECORD_SIZE_SHIFT,
} from "../../../assembly/abi/record.ts";
import { AccessCounters } from "../policies/access-counters.ts";
import type { Prefetcher } from "../policies/density.ts";
import { rightsNeeded } from "../policies/rights.ts";
import { Thrashing } from "../policies/thrashing.ts";
import { BLOCK_PAGES, hasBit } from "./bits.ts";
import { ACCESS_NS, Clock, linkTime, TRANSFER_NS } from "./clock.ts";
import { newCounts, type DriverCounts } from "./driver-counts.ts";
import { ManagedDriver } from "./driver.ts";
import { ManagedMemory } from "./managed-memory.ts";
import type { PageMover } from "./mover.ts";
import { DEVICE_DEFAULTS, ParallelDevice, type DeviceOptions, type RemoteCounts } from "./parallel-device.ts";
import { ACCESS_READ, ACCESS_WRITE, CPU, pcie } from "./processor.ts";
import { Transfers } from "./transfers.ts";
import type { VaBlock } from "./va-block.ts";
import { WarpScheduler } from "./warps.ts";

/** 32-bit words of a record. */
const WORDS = 4;
const PAGE_BYTES = 4096;
/** The device's processor number. */
const DEVICE = 1;
/** Records of the device that run together, at most. */
const WINDOW = 1 << 20;

/** What a machine is. */
export interface MachineOptions {
  /** Chunks of 2 MiB of device memory. */
  chunks: number;
  prefetcher: Prefetcher;
  /** Whether thrashing is detected. */
  thrashing: boolean;
  /** Remote accesses at which access counters migrate; null: they do not. */
  counters: number | null;
  device?: Partial<DeviceOptions>;
  mover?: PageMover;
}

/**
 * The machine. Records of the device wait until a record of the CPU, a kernel's begin or end, or `drain`;
 * then the device runs them as its warps do. A CPU access therefore waits for the device's accesses before
 * it.
 */
export class Machine {
  readonly counts: DriverCounts = newCounts();
  readonly transfers = new Transfers();
  readonly clock = new Clock();
  readonly memory: ManagedMemory;
  readonly driver: ManagedDriver;
  readonly #device: ParallelDevice;
  readonly #warps = new WarpScheduler();
  #pending = new Uint32Array(WORDS * 1024);
  #waiting = 0;
  /** The block of the CPU's last access. */
  #block: VaBlock | null = null;

  constructor({ chunks, prefetcher, thrashing, counters, device, mover }: MachineOptions) {
    const topology = pcie(1);
    const { counts, transfers, clock } = this;
    transfers.onTransfer = (bytes, direction) => {
      clock.pass(linkTime(bytes, direction === "toDevice") + (direction === "toDevice" ? TRANSFER_NS : 0));
    };
    const migrates = counters !== null;
    this.memory = new ManagedMemory({
      topology,
      chunks: [chunks],
      transfers,
      counts,
      counters: migrates,
      mover,
    });
    const detection = thrashing ? new Thrashing(topology) : null;
    this.driver = new ManagedDriver({ memory: this.memory, prefetcher, thrashing: detection, clock });
    const counter = migrates ? new AccessCounters(counters) : null;
    this.#device = new ParallelDevice(DEVICE, this.driver, clock, counter, { ...DEVICE_DEFAULTS, ...device });
  }

  /** Accesses of the device to RAM. */
  get remote(): RemoteCounts {
    return this.#device.remote;
  }

  /** Makes the accesses of `n` records, whose words these are. Marks begin and end what runs together. */
  run(words: Uint32Array, n: number): void {
    for (let at = 0; at < WORDS * n; at += WORDS) {
      const how = words[at + 2];
      const kind = how & RECORD_KIND_MASK;
      if (kind >= RECORD_MARK) {
        this.drain();
        this.#warps.restart();
      } else if (kind > RECORD_KIND_MODIFY) continue;
      else if ((how & (0xff << RECORD_AGENT_SHIFT)) !== 0) this.#enqueue(words, at);
      else {
        this.drain();
        this.#cpuAccess(words, at, kind);
      }
    }
  }

  /** Has the device run all records that wait. */
  drain(): void {
    if (this.#waiting === 0) return;
    const n = this.#waiting;
    this.#waiting = 0;
    this.#device.run(this.#warps.schedule(this.#pending, n));
  }

  #enqueue(words: Uint32Array, at: number): void {
    const to = WORDS * this.#waiting;
    if (to === this.#pending.length) {
      const larger = new Uint32Array(2 * to);
      larger.set(this.#pending);
      this.#pending = larger;
    }
    for (let w = 0; w < WORDS; w++) this.#pending[to + w] = words[at + w];
    if (++this.#waiting === WINDOW) this.drain();
  }

  #cpuAccess(words: Uint32Array, at: number, kind: number): void {
    const address = (words[at + 1] & 0xffff) * 2 ** 32 + words[at];
    const size = Math.max(words[at + 1] >>> (RECORD_SIZE_SHIFT - 32), 1);
    const write = kind !== RECORD_KIND_LOAD;
    const right = rightsNeeded(CPU, write ? ACCESS_WRITE : ACCESS_READ);
    const last = Math.floor((address + size - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      const number = Math.floor(page / BLOCK_PAGES);
      if (this.#block?.number !== number) this.#block = this.memory.block(number);
      const block = this.#block;
      this.clock.pass(ACCESS_NS);
      if (!hasBit(block.rights[CPU][right], page % BLOCK_PAGES)) this.driver.cpuFault(page, write);
    }
  }
}
