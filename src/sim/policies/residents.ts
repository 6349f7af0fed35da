/** The units in the device's memory: which slot each has, and the policy that is told. */
import type { Arrival, Evictor, EvictorOptions, EvictPolicy } from "./evict/evictor.ts";

/** What a snapshot keeps. */
export interface ResidentsState {
  /** The units by their slots; null: the slot is free. */
  units: (number | null)[];
  /** The free slots that were taken before, the one freed last at the end. */
  freed: number[];
  evictor: unknown;
}

const FREE = -1;

export class Residents {
  readonly capacity: number;
  readonly #evictor: Evictor;
  readonly #slots = new Map<number, number>();
  readonly #units: Float64Array;
  readonly #freed: number[];
  /** Slots from this one on were never taken. */
  #fresh: number;

  constructor(policy: EvictPolicy, options: Omit<EvictorOptions, "state">, state?: ResidentsState) {
    const { units, freed, evictor } = state ?? { units: [], freed: [], evictor: undefined };
    this.capacity = options.capacity;
    this.#evictor = policy.create({ ...options, state: evictor });
    this.#units = new Float64Array(options.capacity).fill(FREE);
    this.#freed = [...freed];
    this.#fresh = units.length;
    units.forEach((unit, slot) => {
      if (unit !== null) this.#place(unit, slot);
    });
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The slots that are free. */
  get free(): number {
    return this.capacity - this.#slots.size;
  }

  /** The units that are there. */
  units(): IterableIterator<number> {
    return this.#slots.keys();
  }

  has(unit: number): boolean {
    return this.#slots.has(unit);
  }

  /** The slot of a unit; undefined if it is not there. */
  slotOf(unit: number): number | undefined {
    return this.#slots.get(unit);
  }

  /** The unit in a slot; -1: none. */
  unitIn(slot: number): number {
    return this.#units[slot];
  }

  /** Gives a slot to a unit that is not there. There is one that is free. Returns it. */
  add(unit: number, by: Arrival): number {
    const slot = this.#freed.pop() ?? this.#fresh++;
    this.#place(unit, slot);
    this.#evictor.arrived(slot, unit, by);
    return slot;
  }

  /** Notes accesses of the device to the unit in a slot. */
  used(slot: number, times: number): void {
    this.#evictor.used(slot, this.#units[slot], times);
  }

  /** Takes a unit's slot away, if it has one. */
  remove(unit: number, evicted: boolean): void {
    const slot = this.#slots.get(unit);
    if (slot === undefined) return;
    this.#evictor.left(slot, unit, evicted);
    this.#slots.delete(unit);
    this.#units[slot] = FREE;
    this.#freed.push(slot);
  }

  /**
   * Returns the units that the policy evicts next, in the order of their addresses: one, or a group. None: no
   * unit can leave. The caller then calls remove() for those that do leave.
   * @param incoming the unit that needs the room
   * @param stays whether a unit must stay
   */
  victims(incoming: number, stays: (unit: number) => boolean): number[] {
    const evictor = this.#evictor;
    const slot = evictor.victim(incoming, (slot) => stays(this.#units[slot]));
    if (slot < 0) return [];
    const unit = this.#units[slot];
    const { group = 1 } = evictor;
    if (group === 1) return [unit];
    const first = unit - (unit % group);
    const all = Array.from({ length: group }, (_, i) => first + i);
    return all.filter((unit) => this.#slots.has(unit) && !stays(unit));
  }

  state(): ResidentsState {
    const units = [...this.#units.subarray(0, this.#fresh)].map((unit) => (unit === FREE ? null : unit));
    return { units, freed: this.#freed, evictor: this.#evictor.state() };
  }

  #place(unit: number, slot: number): void {
    this.#slots.set(unit, slot);
    this.#units[slot] = unit;
  }
}
