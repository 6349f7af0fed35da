import type { Evictor, EvictPolicy } from "./evictor.ts";

/**
 * Returns a policy that is one of two at any time. Both follow what comes and is used.
 * @param second tells whether the second one chooses the next victim
 */
export function either(one: EvictPolicy, other: EvictPolicy, second: () => boolean): EvictPolicy {
  return {
    about: `${one.about}; or ${other.about}`,
    uses: "all",
    reserves: one.reserves === true && other.reserves === true,
    create({ state, ...options }) {
      const [first, last] = (state as [unknown, unknown] | undefined) ?? [undefined, undefined];
      const evictors = [one.create({ ...options, state: first }), other.create({ ...options, state: last })];
      let chosen: Evictor = evictors[0];
      return {
        arrived(slot, unit, by) {
          for (const evictor of evictors) evictor.arrived(slot, unit, by);
        },
        used(slot, unit, times) {
          for (const evictor of evictors) evictor.used(slot, unit, times);
        },
        left(slot, unit, evicted) {
          for (const evictor of evictors) evictor.left(slot, unit, evicted);
        },
        victim(incoming, skip) {
          chosen = evictors[second() ? 1 : 0];
          return chosen.victim(incoming, skip);
        },
        get group() {
          return chosen.group ?? 1;
        },
        state: () => evictors.map((evictor) => evictor.state()),
      };
    },
  };
}
