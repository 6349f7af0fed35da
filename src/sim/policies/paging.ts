/** Demand paging without an engine: what a policy brings in, of a sequence of accesses. */
import type { EvictPolicy } from "./evict/evictor.ts";
import type { Future } from "./evict/future.ts";
import { Residents } from "./residents.ts";

/** What is paged, and how. */
export interface PagingOptions {
  /** How many units have room, at least 1. */
  capacity: number;
  /** Pages of 4 KiB in a unit. Default: 1. */
  unitPages?: number | undefined;
  /** Default: 1. */
  seed?: number | undefined;
  parameter?: number | undefined;
  future?: Future | undefined;
}

const noneStays = (): boolean => false;

/** A memory that units come to one by one, when they are accessed. */
export class Paging {
  /**
   * Units that came in, first accesses included, and of those that were evicted, units with and without
   * stores.
   */
  readonly counts = { in: 0, outDirty: 0, outClean: 0 };
  readonly #residents: Residents;
  readonly #written = new Set<number>();

  constructor(policy: EvictPolicy, { capacity, unitPages = 1, seed = 1, parameter, future }: PagingOptions) {
    const written = (slot: number): boolean => this.#written.has(this.#residents.unitIn(slot));
    this.#residents = new Residents(policy, { capacity, unitPages, seed, parameter, future, written });
  }

  /**
   * Accesses a unit as often as `times` says. Returns whether it was there. Throws Error if it was not, and
   * the policy names none to leave.
   */
  access(unit: number, write = false, times = 1): boolean {
    const residents = this.#residents;
    const slot = residents.slotOf(unit);
    const isThere = slot >= 0;
    if (!isThere) this.#bring(unit, write);
    const hits = isThere ? times : times - 1;
    if (hits > 0) residents.used(residents.slotOf(unit), hits);
    if (write) this.#written.add(unit);
    return isThere;
  }

  #bring(unit: number, write: boolean): void {
    const residents = this.#residents;
    while (residents.free === 0) {
      const victims = residents.victims(unit, noneStays);
      if (victims.length === 0) throw new Error(`no unit can leave for unit ${unit}`);
      for (const victim of victims) {
        residents.remove(victim, true);
        this.counts[this.#written.delete(victim) ? "outDirty" : "outClean"]++;
      }
    }
    this.counts.in++;
    residents.add(unit, write ? "store" : "load");
  }
}
