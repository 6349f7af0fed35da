/** The units in the device's memory: which slot each has, and the policy that is told. */
import { SparseWords } from "../sparse-words.ts";
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
  /** By unit: its slot + 1; 0: it is not there. */
  readonly #slots = new SparseWords();
  #size = 0;
  readonly #units: Float64Array;
  readonly #freed: number[];
  /** Slots from this one on were never taken. */
  #fresh: number;
  /** Which units must stay during the present call of victim(), and which slots. */
  #stays: (unit: number) => boolean = () => false;
  readonly #skip = (slot: number): boolean => this.#stays(this.#units[slot]);

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
    return this.#size;
  }

  /** The slots that are free. */
  get free(): number {
    return this.capacity - this.#size;
  }

  /** The units that are there, by their slots. */
  units(): number[] {
    return [...this.#units.subarray(0, this.#fresh)].filter((unit) => unit !== FREE);
  }

  has(unit: number): boolean {
    return this.#slots.get(unit) !== 0;
  }

  /** The slot of a unit; -1 if it is not there. */
  slotOf(unit: number): number {
    return this.#slots.get(unit) - 1;
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
    const slot = this.slotOf(unit);
    if (slot < 0) return;
    this.#evictor.left(slot, unit, evicted);
    this.#slots.set(unit, 0);
    this.#size--;
    this.#units[slot] = FREE;
    this.#freed.push(slot);
  }

  /**
   * Returns the units that the policy evicts next, in the order of their addresses: what {@link victim} and
   * {@link groupOf} say together. None: no unit can leave.
   */
  victims(incoming: number, stays: (unit: number) => boolean): number[] {
    const slot = this.victim(incoming, stays);
    if (slot < 0) return [];
    const unit = this.#units[slot];
    return this.groupOf(unit, stays) ?? [unit];
  }

  /**
   * Returns the slot of the unit that the policy evicts next, or -1 if no unit can leave. {@link groupOf}
   * says what leaves with it; the caller then calls remove() for those that do leave.
   * @param incoming the unit that needs the room
   * @param stays whether a unit must stay
   */
  victim(incoming: number, stays: (unit: number) => boolean): number {
    this.#stays = stays;
    return this.#evictor.victim(incoming, this.#skip);
  }

  /**
   * Returns the units that leave when the policy evicts one, in the order of their addresses; null: that one
   * alone.
   */
  groupOf(unit: number, stays: (unit: number) => boolean): number[] | null {
    const { group = 1 } = this.#evictor;
    if (group === 1) return null;
    const first = unit - (unit % group);
    const all = Array.from({ length: group }, (_, i) => first + i);
    return all.filter((unit) => this.has(unit) && !stays(unit));
  }

  state(): ResidentsState {
    const units = [...this.#units.subarray(0, this.#fresh)].map((unit) => (unit === FREE ? null : unit));
    return { units, freed: this.#freed, evictor: this.#evictor.state() };
  }

  #place(unit: number, slot: number): void {
    this.#slots.set(unit, slot + 1);
    this.#size++;
    this.#units[slot] = unit;
  }
}
