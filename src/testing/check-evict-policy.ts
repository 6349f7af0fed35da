/** A contract test for replacement policies: what a simulated device relies on. */
import { badType, checkInteger, checkOptions } from "../engine/errors.ts";
import { Random } from "../engine/random.ts";
import type { Evictor, EvictPolicy } from "../sim/policies/evict/evictor.ts";

export interface CheckEvictPolicyOptions {
  /** The number after the policy's name. Default: none. */
  parameter?: number | undefined;
  /** Seeds 0 to this number − 1 are tried. Default: 50. */
  seeds?: number | undefined;
  /** Steps for each seed. Default: 300. */
  steps?: number | undefined;
}

/** What the policy was told, and the units that are there, by their slots. */
class Memory {
  readonly units: (number | null)[];
  readonly #free: number[];
  readonly #written: boolean[] = [];
  #evictor: Evictor;
  readonly #make: (state?: unknown) => Evictor;

  constructor(policy: EvictPolicy, capacity: number, seed: number, parameter: number | undefined) {
    this.units = Array.from({ length: capacity }, () => null);
    this.#free = this.units.map((_, slot) => capacity - 1 - slot);
    const written = (slot: number): boolean => this.#written[slot] ?? false;
    this.#make = (state) => policy.create({ capacity, unitPages: 1, seed, parameter, written, state });
    this.#evictor = this.#make();
  }

  access(unit: number, write: boolean): void {
    const slot = this.units.indexOf(unit);
    if (slot >= 0) this.#evictor.used(slot, unit, 1);
    else this.#arrive(unit, write);
    this.#written[this.units.indexOf(unit)] ||= write;
  }

  /** Takes a unit away for another reason than room. */
  take(slot: number): void {
    const unit = this.units[slot];
    if (unit !== null) this.#leave(slot, unit, false);
  }

  /** Goes on from a state as JSON keeps it. */
  restore(): void {
    const text = JSON.stringify({ state: this.#evictor.state() });
    this.#evictor = this.#make((JSON.parse(text) as { state?: unknown }).state);
  }

  /** Evicts for a unit until there is room. Returns what left, as text. */
  makeRoom(unit: number, stays: (slot: number) => boolean): string {
    const left: number[] = [];
    while (this.#free.length === 0) {
      const slot = this.#evictor.victim(unit, stays);
      const group = this.#evictor.group ?? 1;
      demand(Number.isInteger(slot) && slot >= -1 && slot < this.units.length, `victim() returned ${slot}`);
      demand(Number.isInteger(Math.log2(group)), `group is ${group}, which is no power of two`);
      if (slot < 0) {
        demand(
          group > 1 || this.units.every((_, slot) => stays(slot)),
          "no victim, though one unit may leave",
        );
        return left.join();
      }
      const named = this.units[slot];
      demand(named !== null && !stays(slot), `victim() named slot ${slot}, which is empty or must stay`);
      const first = named! - (named! % group);
      this.units.forEach((other, slot) => {
        if (other === null || other < first || other >= first + group || stays(slot)) return;
        this.#leave(slot, other, true);
        left.push(other);
      });
    }
    return left.join();
  }

  #arrive(unit: number, write: boolean): void {
    this.makeRoom(unit, () => false);
    const slot = this.#free.pop();
    if (slot === undefined) return;
    this.units[slot] = unit;
    this.#written[slot] = false;
    this.#evictor.arrived(slot, unit, write ? "store" : "load");
  }

  #leave(slot: number, unit: number, evicted: boolean): void {
    this.#evictor.left(slot, unit, evicted);
    this.units[slot] = null;
    this.#free.push(slot);
  }
}

function demand(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

/**
 * Makes random accesses. Returns what left. `restoring`: the policy's state goes through JSON at each step.
 */
function trial(
  policy: EvictPolicy,
  seed: number,
  restoring: boolean,
  options: CheckEvictPolicyOptions,
): string[] {
  const random = new Random(seed);
  const capacity = 1 + random.below(40);
  const memory = new Memory(policy, capacity, seed, options.parameter);
  const units = 1 + random.below(3 * capacity);
  const log: string[] = [];
  for (let step = options.steps ?? 300; step > 0; step--) {
    const unit = random.below(units);
    const kind = random.below(20);
    if (kind === 0) memory.take(random.below(capacity));
    else if (kind === 1) {
      const stays = memory.units.map((held) => held === null || random.below(2) === 0);
      if (!memory.units.includes(unit)) log.push(memory.makeRoom(unit, (slot) => stays[slot]));
    } else memory.access(unit, random.below(4) === 0);
    if (restoring) memory.restore();
    log.push(memory.units.join());
  }
  return log;
}

/**
 * Checks that a policy keeps what a simulated device relies on, on random accesses: victim() names a unit
 * that is there and may leave, or none if none may (a policy of groups, whose `group` is above 1, may name
 * none); the same calls give the same victims; and a policy that goes on from its state, as JSON keeps it,
 * does so too. Throws TypeError and RangeError for wrong arguments, and Error with the seed for a rule that
 * is broken.
 */
export function checkEvictPolicy(policy: EvictPolicy, options: CheckEvictPolicyOptions = {}): void {
  const op = "checkEvictPolicy";
  if (typeof policy !== "object" || policy === null) throw badType(op, "policy", "an object", policy);
  if (typeof policy.create !== "function") throw badType(op, "policy.create", "a function", policy.create);
  checkOptions(op, "options", options);
  const { seeds = 50, steps = 300, parameter } = options;
  if (parameter !== undefined) checkInteger(op, "options.parameter", parameter, 0, 2 ** 31);
  checkInteger(op, "options.seeds", seeds, 1, 2 ** 31);
  checkInteger(op, "options.steps", steps, 1, 2 ** 31);
  for (let seed = 0; seed < seeds; seed++) {
    try {
      const log = trial(policy, seed, false, options);
      const says = "gave other victims: it keeps something outside the state";
      demand(trial(policy, seed, false, options).join() === log.join(), `the same calls ${says}`);
      demand(trial(policy, seed, true, options).join() === log.join(), `a policy from its own state ${says}`);
    } catch (error) {
      throw new Error(`${op}: seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}
