/** Sides that replay workloads, and sides that are a figure, for the rows of simulations. */
import { Simulation } from "../src/sim.ts";
import { openWorkload } from "../src/sim/workload/index.ts";
import { MIB } from "./engine.ts";
import type { Side } from "./harness.ts";

/** Bytes of system memory and of device memory, which hold what the rows replay. */
const MEMORY = 512 * MIB;

/** Returns all records of a workload in one array. */
export function recordsOf(spec: string): BigUint64Array {
  const blocks = Array.from(openWorkload(spec).blocks(), (block) => block.slice());
  const all = new BigUint64Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}

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
