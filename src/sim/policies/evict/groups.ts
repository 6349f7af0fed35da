/** Policies that evict all units of an aligned piece of memory at once, from UVM-Smart. */
import { reserved } from "./reserve.ts";
import type { Arrival, Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";

const PAGE_KIB = 4;

/** The units of a group that are on the device. */
interface Group {
  slots: Set<number>;
  /** The slot of its unit that came or was used last. */
  last: number;
  /** Accesses since its first unit came. */
  accesses: number;
  /** Whether a store brought one of its units. */
  stored: boolean;
}

type State = [group: number, Omit<Group, "slots"> & { slots: number[] }][];

/**
 * Groups in the order of their last use, arrivals included. Only groups that are wholly there are victims.
 */
class ByGroup implements Evictor {
  readonly group: number;
  readonly #written: (slot: number) => boolean;
  readonly #groups: Map<number, Group>;
  readonly #byFrequency: boolean;
  readonly #reserve: number;
  /** The group that was used last. */
  #newest: Group | null = null;

  constructor(options: EvictorOptions, groupKib: number, byFrequency: boolean) {
    const { unitPages, written, state, reserve = 0 } = options;
    this.#reserve = reserve;
    this.group = groupKib / PAGE_KIB / unitPages;
    this.#written = written;
    const groups = ((state as State | undefined) ?? []).map(
      ([number, group]) => [number, { ...group, slots: new Set(group.slots) }] as const,
    );
    this.#groups = new Map(groups);
    this.#byFrequency = byFrequency;
  }

  arrived(slot: number, unit: number, by: Arrival): void {
    const group = this.#touch(slot, unit);
    group.slots.add(slot);
    if (by === "store") group.stored = true;
    if (by !== "prefetch") group.accesses++;
  }

  used(slot: number, unit: number, times: number): void {
    this.#touch(slot, unit).accesses += times;
  }

  left(slot: number, unit: number): void {
    const number = Math.floor(unit / this.group);
    const group = this.#groups.get(number);
    group?.slots.delete(slot);
    if (group?.slots.size !== 0) return;
    this.#groups.delete(number);
    if (group === this.#newest) this.#newest = null;
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    let victim: Group | null = null;
    let skipped: Group | null = null;
    let reserve = reserved(this.#groups.size, this.#reserve);
    for (const group of this.#groups.values()) {
      const isReserved = reserve-- > 0;
      if (group.slots.size < this.group || skip(group.last)) continue;
      if (isReserved) skipped ??= group;
      else if (!this.#byFrequency) return group.last;
      else if (victim === null || this.#isBefore(group, victim)) victim = group;
    }
    return (victim ?? skipped)?.last ?? -1;
  }

  state(): State {
    return [...this.#groups].map(([number, group]) => [number, { ...group, slots: [...group.slots] }]);
  }

  /** Returns the group of a unit, which becomes the one that was used last. */
  #touch(slot: number, unit: number): Group {
    const number = Math.floor(unit / this.group);
    const group = this.#groups.get(number) ?? { slots: new Set(), last: slot, accesses: 0, stored: false };
    group.last = slot;
    if (group === this.#newest) return group;
    this.#groups.delete(number);
    this.#groups.set(number, group);
    this.#newest = group;
    return group;
  }

  /** Whether a group leaves before one that was used longer ago. */
  #isBefore(group: Group, other: Group): boolean {
    if (group.accesses !== other.accesses) return group.accesses < other.accesses;
    return !this.#isWritten(group) && this.#isWritten(other);
  }

  #isWritten({ stored, slots }: Group): boolean {
    return stored || [...slots].some((slot) => this.#written(slot));
  }
}

/** UVM-Smart's eviction policy 0 (ISCA 2019): the 2 MiB that were used longest ago, of those wholly there. */
export const lru2M: EvictPolicy = {
  about: "the 2 MiB that were used longest ago, if they are wholly on the device",
  uses: "all",
  reserves: true,
  create: (options) => new ByGroup(options, 2048, false),
};

/** The same by 64 KiB. */
export const lru64K: EvictPolicy = {
  about: "the 64 KiB that were used longest ago, if they are wholly on the device",
  uses: "all",
  reserves: true,
  create: (options) => new ByGroup(options, 64, false),
};

/**
 * UVM-Smart's eviction policy 4 (ISCA 2020): the 2 MiB with the fewest accesses since they came, of those
 * wholly there; of equal ones those without stores first, then those that were used longest ago.
 */
export const lfu2M: EvictPolicy = {
  about: "the 2 MiB with the fewest accesses, if they are wholly on the device",
  uses: "all",
  create: (options) => new ByGroup(options, 2048, true),
};
