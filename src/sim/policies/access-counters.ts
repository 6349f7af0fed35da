/**
 * The device's access counters (uvm_gpu_access_counters.c): one for each 2 MiB of remote
 * memory that the device reaches. At the threshold it notifies the driver of the 64 KiB parts that were
 * touched, and begins again.
 */

/** Parts of 64 KiB in a counter's 2 MiB. */
const PARTS = 32;
const PAGES_OF_PART = 16;
/** Pages of 4 KiB in a counter's 2 MiB. */
const PAGES = PARTS * PAGES_OF_PART;

/** The driver's default threshold: uvm_perf_access_counter_threshold. */
export const COUNTER_THRESHOLD = 256;

/** What a counter reports. */
export interface Notification {
  /** The number of the 2 MiB block: the address divided by 2 MiB. */
  block: number;
  /** The parts that were touched, a bit each. */
  parts: number;
}

/** What a snapshot keeps of the counters. */
export type CountersState = [block: number, count: number, parts: number][];

/** The counters of one device. */
export class AccessCounters {
  readonly #threshold: number;
  /** By block: its accesses since the counter was cleared, and the parts that they touched. */
  readonly #counters = new Map<number, { count: number; parts: number }>();
  readonly #notifications: Notification[] = [];

  /** @param threshold remote accesses that make a notification, 1 to 65,535 */
  constructor(threshold = COUNTER_THRESHOLD) {
    this.#threshold = threshold;
  }

  /**
   * Counts a remote access: one (warp instruction, page). A counter that has notified counts no more until it
   * is cleared.
   */
  count(page: number): void {
    const block = Math.floor(page / PAGES);
    const counter = this.#counters.get(block) ?? { count: 0, parts: 0 };
    if (counter.count === this.#threshold) return;
    counter.parts |= 1 << Math.floor((page % PAGES) / PAGES_OF_PART);
    if (counter.count++ === 0) this.#counters.set(block, counter);
    if (counter.count === this.#threshold) this.#notifications.push({ block, parts: counter.parts >>> 0 });
  }

  /** Returns what a snapshot keeps, while no notification waits. */
  state(): CountersState {
    return [...this.#counters].map(([block, { count, parts }]) => [block, count, parts]);
  }

  /** Makes the counters what state() has returned. */
  restore(state: CountersState): void {
    for (const [block, count, parts] of state) this.#counters.set(block, { count, parts });
  }

  /** Whether notifications wait for the driver. */
  get pending(): boolean {
    return this.#notifications.length > 0;
  }

  /** Returns the notifications since the last call, in order, and clears their counters. */
  take(): Notification[] {
    const taken = this.#notifications.splice(0);
    for (const { block } of taken) this.#counters.delete(block);
    return taken;
  }
}
