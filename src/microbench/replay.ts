/** Programs of simulations: accesses that hit, and accesses that thrash. */
import { openWorkload, Simulation, type SimulationConfig } from "../sim.ts";
import { expect, MIB, type Microbenchmark, type Work } from "./program.ts";

/** Returns all records of a workload in one array, two words each. */
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

/** Replays a workload again and again in one simulation, whose memory is warm. */
async function replaying(spec: string, config: SimulationConfig): Promise<Work> {
  const records = recordsOf(spec);
  const simulation = await Simulation.create(config);
  simulation.feed(records);
  const accesses = simulation.replayed; // the other records are phases
  let before = simulation.replayed;
  return {
    units: accesses,
    bytes: 0,
    prepare: () => void (before = simulation.replayed),
    run: () => simulation.feed(records),
    check: () => expect("accesses replayed", simulation.replayed - before, accesses),
    close: () => simulation.close(),
  };
}

function program(name: string, about: string, spec: string, config: SimulationConfig): Microbenchmark {
  return {
    name: `replay/${name}`,
    about,
    unit: "access",
    open: () => replaying(spec, config),
  };
}

const WARM = { backing: "metadata", systemMemory: 64 * MIB, deviceMemory: 32 * MIB } as const;

export const REPLAY: readonly Microbenchmark[] = [
  program("hits", "a stencil that fits device memory", "stencil2d:size=4MiB,grain=8", WARM),
  program("random", "random updates that fit device memory", "gups:size=16MiB,updates=256K,seed=1", WARM),
  program(
    "thrashing",
    "a stencil on a device of half its size: LRU, 64 KiB a fault",
    "stencil2d:size=4MiB,grain=64",
    {
      ...WARM,
      deviceMemory: 2 * MIB,
    },
  ),
];
