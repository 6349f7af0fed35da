/**
 * The interface of replacement policies. A policy works on *units*, the pieces of memory that move together
 * (a page, or a cluster of 64 KiB), numbered by their address: unit n begins at byte n × the unit's size.
 * Units in the device's memory lie in *slots* 0 to capacity − 1, one unit a slot; a unit keeps its slot
 * until it leaves.
 */

import type { Future } from "./future.ts";

/** What brought a unit to the device. */
export type Arrival = "load" | "store" | "prefetch";

/** Follows the units in the device's memory, and names the next one to leave. */
export interface Evictor {
  /**
   * A unit has come to lie in a slot that was free. The access that brought it is no use of its own. A unit
   * that comes takes the slot that was freed last, and before any was freed, the lowest slot that was never
   * taken.
   * @param by the access that brought it; "prefetch": none, it came along
   */
  arrived(slot: number, unit: number, by: Arrival): void;
  /**
   * The device has accessed a unit in its memory. Called in the order of the accesses, if the policy's
   * `uses` is "all".
   * @param times how many accesses to the unit followed each other, at least 1
   */
  used(slot: number, unit: number, times: number): void;
  /**
   * A unit has left its slot.
   * @param evicted true: victim() named it, alone or with its group; false: it left for another reason
   */
  left(slot: number, unit: number, evicted: boolean): void;
  /**
   * Returns the slot of the unit that leaves next, or -1 if none can. The unit leaves before the next call,
   * unless memory for it has run out.
   * @param incoming the unit that needs the room
   * @param skip whether a slot's unit must stay
   */
  victim(incoming: number, skip: (slot: number) => boolean): number;
  /**
   * How many units leave with the last victim: all that are on the device and need not stay, of the aligned
   * group of this many units around it. A power of two; absent: the victim alone.
   */
  readonly group?: number;
  /** Returns what `create` needs to go on from here; JSON can hold it. */
  state(): unknown;
}

/** What a policy is made with. */
export interface EvictorOptions {
  /** How many slots there are, at least 1. */
  capacity: number;
  /** Pages of 4 KiB in a unit: 1 or 16. */
  unitPages: number;
  /** For policies that draw random numbers: an integer from 0 to 2^32 − 1. */
  seed: number;
  /** The number after the policy's name, as in segfifo:30; undefined if there is none. */
  parameter?: number | undefined;
  /**
   * For policies that keep an order of use: the percent of it, from its oldest end on, that is skipped while
   * there are other victims; 0 to 99. Default: 0.
   */
  reserve?: number | undefined;
  /** Tells whether the device has stored to the unit in a slot since it came. */
  written: (slot: number) => boolean;
  /** The accesses to come, for a policy that looks ahead. */
  future?: Future | undefined;
  /** What state() of a policy of the same kind and capacity returned; undefined: the device is empty. */
  state?: unknown;
}

/** A replacement policy. */
export interface EvictPolicy {
  /** What leaves, in one clause. */
  readonly about: string;
  /** Whether used() is called. A policy that does not need it leaves the replay at full speed. */
  readonly uses: "none" | "all";
  /** Whether the policy keeps an order of use, of which it heeds a reserve. Default: it does not. */
  readonly reserves?: boolean;
  /** The number that may follow the policy's name after a colon: what it says, and its bounds. */
  readonly parameter?: { readonly about: string; readonly min: number; readonly max: number };
  /** Makes the policy's state for an empty device, or from a state. */
  readonly create: (options: EvictorOptions) => Evictor;
}
