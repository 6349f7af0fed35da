/** Makes room in a device's memory: the policy names units, and the driver moves them to RAM. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { runsOf } from "./cluster.ts";
import type { DeviceBooks } from "./device-books.ts";
import type { DeviceDriver } from "./device-driver.ts";
import type { Incoming } from "./incoming.ts";
import type { PageRange } from "./page-runs.ts";
import type { Residents } from "./policies/residents.ts";
import type { GrowingSpace, Span } from "./space.ts";

/** What room is made in. */
export interface DeviceMemory {
  driver: DeviceDriver;
  residents: Residents;
  incoming: Incoming;
  space: GrowingSpace;
  books: DeviceBooks;
}

export class DeviceRoom {
  readonly memory: DeviceMemory;
  /** Bytes of a unit, and units that evictions keep free. */
  readonly #cluster: number;
  readonly #buffer: number;

  constructor(memory: DeviceMemory, cluster: number, buffer: number) {
    this.memory = memory;
    this.#cluster = cluster;
    this.#buffer = buffer;
  }

  /** Evicts until a unit has room that faulted. Returns false if that fails. */
  has(unit: number): boolean {
    const { residents, incoming } = this.memory;
    const wanted = Math.min(1 + this.#buffer, residents.capacity);
    if (residents.free >= wanted || residents.has(unit)) return true;
    incoming.full = true;
    const stays = (other: number): boolean => other === unit;
    while (residents.free < wanted && this.#evict(unit, stays));
    return residents.free > 0;
  }

  /**
   * Evicts until the units have room, of which the first one faulted. Returns those that have: all of them,
   * or as many as there is room for, or none if the first one has none.
   */
  make(units: readonly number[]): readonly number[] {
    const { residents, incoming } = this.memory;
    const fresh = units.length - (residents.has(units[0]) ? 1 : 0);
    const needed = Math.min(fresh, residents.capacity);
    if (fresh > 0 && fresh + this.#buffer > residents.free) incoming.full = true;
    const wanted = fresh > 0 ? Math.min(fresh + this.#buffer, residents.capacity) : 0;
    const stays = (unit: number): boolean => units.includes(unit);
    while (residents.free < wanted && this.#evict(units[0], stays));
    return units.slice(0, units.length - fresh + Math.min(needed, residents.free));
  }

  /** Takes a unit's slot away if it has no page on the device any more. */
  leave(unit: number, evicted: boolean): void {
    if (!this.isPresent(unit)) this.memory.residents.remove(unit, evicted);
  }

  /** Whether a page of the unit is in the device's memory. */
  isPresent(unit: number): boolean {
    return this.memory.driver.pagesIn(this.rangeOf(unit)) > 0;
  }

  /** The pages of the units from one to another, as far as they lie in the mapping. */
  rangeOf(first: number, last = first, mapping?: Span): PageRange {
    const start = first * this.#cluster;
    const end = (last + 1) * this.#cluster;
    if (mapping === undefined) return { start, end };
    return { start: Math.max(start, mapping.start), end: Math.min(end, mapping.end) };
  }

  /** Evicts what the policy names for a unit that comes. Returns false if that fails. */
  #evict(incoming: number, stays: (unit: number) => boolean): boolean {
    const { residents, books } = this.memory;
    const slot = residents.victim(incoming, stays);
    if (slot < 0) return false;
    const unit = residents.unitIn(slot);
    const victims = residents.groupOf(unit, stays);
    let moved = 0;
    try {
      if (victims === null) moved = this.#moveOut(unit, unit);
      else
        for (const run of runsOf(victims, this.#cluster)) moved += this.#moveOut(run[0], run[run.length - 1]);
    } finally {
      // All of the unit has moved: none of its pages needs to be looked for.
      if (moved * PAGE_SIZE === this.#cluster && victims === null) residents.remove(unit, true);
      else if (victims === null) this.leave(unit, true);
      else for (const victim of victims) this.leave(victim, true);
    }
    if (moved > 0) books.evictions += victims === null ? 1 : victims.length;
    return moved > 0;
  }

  /** Moves the units from one to another to RAM. Returns how many pages moved. */
  #moveOut(first: number, last: number): number {
    const { space, driver } = this.memory;
    const start = first * this.#cluster;
    const mapping = space.at(start);
    if (mapping === null) return 0;
    const range = this.rangeOf(first, last, mapping);
    return driver.moveOut(range, Math.max(start, range.start), true);
  }
}
