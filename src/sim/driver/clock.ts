/**
 * A deterministic clock, for rules that need time (thrashing): each event takes a fixed time. The figures are
 * those fitted to a GTX 1080 Ti on PCIe 3.0, measured with nvprof: a group takes 99.6 µs, and each of its
 * transfers 5.55 µs and its time on the link. Times are whole nanoseconds.
 */

/** Nanoseconds that each event takes. */
export const ACCESS_NS = 1;
export const GROUP_NS = 99_600;
export const TRANSFER_NS = 5_550;
/** A CPU fault, beside its transfers (an MI300A's: arXiv 2508.12743, IISWC'25). */
export const CPU_FAULT_NS = 9_000;

/** Time on the link: of each transfer, and bytes a nanosecond. */
const TO_DEVICE = { each: 826, bytes: 11.72 };
const TO_HOST = { each: 737, bytes: 13.16 };

/** Returns the nanoseconds that a transfer takes on the link. */
export function linkTime(bytes: number, toDevice: boolean): number {
  const { each, bytes: rate } = toDevice ? TO_DEVICE : TO_HOST;
  return each + Math.round(bytes / rate);
}

/** The time of a simulation. */
export class Clock {
  #now = 0;

  /** Nanoseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Lets `ns` nanoseconds pass, of an event that takes a fixed time. */
  pass(ns: number): void {
    this.#now += ns;
  }

  /** Waits until a time, unless it is past. */
  until(time: number): void {
    this.#now = Math.max(this.#now, time);
  }
}
