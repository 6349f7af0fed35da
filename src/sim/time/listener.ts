/** What the timeline tells: the events of a simulation with their times, in picoseconds. */
import type { FaultGroup, Place } from "../events.ts";
import type { Cause } from "../driver/transfers.ts";
import type { Direction } from "../paging-counts.ts";
import type { TimeCause } from "./causes.ts";

/**
 * Hears timed events: pictures and trace writers. Where there is no time model, a "time" is the number of
 * accesses so far. Events come in the order in which they begin, but for copies in the background.
 */
export interface TimeListener {
  /** Something takes from `start` to `end`: a part of a batch, work of the CPU or a device, a wait. */
  span(cause: TimeCause, start: number, end: number): void;
  /** A copy is on the link from `start` to `end`. */
  transfer(copy: TimedTransfer): void;
  /** The CPU faulted on an address. */
  cpuFaultBegin(at: number, address: number): void;
  cpuFaultEnd(at: number): void;
  groupBegin(at: number, group: FaultGroup): void;
  groupEnd(at: number): void;
  deviceFault(at: number, address: number): void;
  /** Warps of SMs 2 × group and the next, which share a µTLB, begin to wait for faults, … */
  warpsWait(at: number, group: number): void;
  /** … or none of them waits any more. */
  warpsGoOn(at: number, group: number): void;
  /** Pages came to a memory, or left it. */
  resident(at: number, address: number, pages: number, where: Place, came: boolean): void;
  kernelBegin(at: number, name: string): void;
  kernelEnd(at: number): void;
}

/** A copy, and when it was on the link. */
export interface TimedTransfer {
  address: number;
  bytes: number;
  direction: Direction;
  cause: Cause;
  start: number;
  end: number;
}

/** Returns a listener that tells several. */
export function fanOut(listeners: readonly TimeListener[]): TimeListener {
  if (listeners.length === 1) return listeners[0];
  return {
    span: (...event) => listeners.forEach((one) => one.span(...event)),
    transfer: (copy) => listeners.forEach((one) => one.transfer(copy)),
    cpuFaultBegin: (...event) => listeners.forEach((one) => one.cpuFaultBegin(...event)),
    cpuFaultEnd: (at) => listeners.forEach((one) => one.cpuFaultEnd(at)),
    groupBegin: (...event) => listeners.forEach((one) => one.groupBegin(...event)),
    groupEnd: (at) => listeners.forEach((one) => one.groupEnd(at)),
    deviceFault: (...event) => listeners.forEach((one) => one.deviceFault(...event)),
    warpsWait: (...event) => listeners.forEach((one) => one.warpsWait(...event)),
    warpsGoOn: (...event) => listeners.forEach((one) => one.warpsGoOn(...event)),
    resident: (...event) => listeners.forEach((one) => one.resident(...event)),
    kernelBegin: (...event) => listeners.forEach((one) => one.kernelBegin(...event)),
    kernelEnd: (at) => listeners.forEach((one) => one.kernelEnd(at)),
  };
}
