/** Sides that replay workloads, and sides that are a figure, for the rows of simulations. */
import { Simulation } from "../src/sim.ts";
import { MIB } from "./engine.ts";
import type { Side } from "./harness.ts";

/** Bytes of system memory and of device memory, which hold what the rows replay. */
const MEMORY = 512 * MIB;

/** Returns a side that replays records in a new simulation. The hash is the number of accesses. */
export function replaying(records: BigUint64Array): Side {
  return {
    async run() {
      const config = { backing: "metadata", systemMemory: MEMORY, deviceMemory: MEMORY } as const;
      const simulation = await Simulation.create(config);
      const start = performance.now();
      simulation.feed(records);
      const ns = (performance.now() - start) * 1e6;
      const hash = simulation.replayed;
      simulation.close();
      return { ns, hash };
    },
  };
}

/** Returns a side whose time is given: a rate that is asked for. */
export const figure = (ns: number, hash: number): Side => ({ run: () => ({ ns, hash }) });
