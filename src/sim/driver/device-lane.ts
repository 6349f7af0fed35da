/** A device of a machine with the records that it has not made yet. */
import { RECORD_THREAD_SHIFT } from "../../../assembly/abi/record.ts";
import { LoopSplit, type LoopState } from "./loop-split.ts";
import type { MachineOptions } from "./machine-options.ts";
import type { DeviceState, ParallelDevice } from "./parallel-device.ts";
import { PendingRecords } from "./pending-records.ts";
import { WarpScheduler } from "./warp-scheduler.ts";

/** What a snapshot keeps of a device and its records. */
export interface LaneState {
  device: DeviceState;
  warps: [thread: number, next: number][];
  pending: number[];
  loop: LoopState | null;
}

/** A device, and its records that wait. */
export class DeviceLane {
  readonly device: ParallelDevice;
  /** Deals the device's accesses to threads; null: they have threads. */
  readonly loop: LoopSplit | null;
  readonly warps = new WarpScheduler();
  readonly pending = new PendingRecords();

  readonly #oneThread: boolean;

  constructor(device: ParallelDevice, { oneThread, iterations }: MachineOptions) {
    this.device = device;
    this.#oneThread = oneThread ?? false;
    this.loop = iterations === undefined ? null : new LoopSplit(iterations);
  }

  /** The thread that makes the record at word `at`. */
  threadOf(words: Uint32Array, at: number): number {
    if (this.#oneThread) return 0;
    return this.loop === null ? words[at + 2] >>> RECORD_THREAD_SHIFT : this.loop.thread(words, at);
  }

  /** The record at word `at` was made elsewhere. */
  skip(words: Uint32Array, at: number): void {
    this.warps.skip(this.threadOf(words, at));
  }

  /** A kernel begins or ends. */
  restart(): void {
    this.warps.restart();
    this.loop?.restart();
  }

  /** The CPU goes on: a loop that was split is done. */
  endLoop(): void {
    if (this.loop?.runs === true) this.restart();
  }

  /** The device begins to run what waits. */
  begin(): void {
    const { words, n } = this.pending.take();
    this.device.begin(this.warps.schedule(words, n));
  }

  state(): LaneState {
    const [device, warps, pending] = [this.device.state(), this.warps.state(), this.pending.state()];
    return { device, warps, pending, loop: this.loop && this.loop.state() };
  }

  /** Makes it what state() has returned. */
  restore({ device, warps, pending, loop }: LaneState): void {
    this.device.restore(device);
    this.warps.restore(warps);
    this.pending.restore(pending);
    if (loop !== null) this.loop?.restore(loop);
  }
}
