/** Rows that compare one simulation with another where nothing faults. */
import { Simulation, type SimulationConfig } from "../src/sim.ts";
import { MIB } from "./engine.ts";
import type { Row, Side } from "./harness.ts";
import { recordsOf } from "../src/microbench/replay.ts";

const SPEC = "stencil2d:size=64MiB,grain=8,iterations=2";
const SMOKE = "stencil2d:size=256KiB";
const MEMORY = 256 * MIB;

/** Replays the records twice, so that in the second run, which is measured, all pages are on the device. */
function simulating(records: BigUint64Array, config: SimulationConfig): Side {
  return {
    async run() {
      const simulation = await Simulation.create({
        backing: "metadata",
        systemMemory: MEMORY,
        deviceMemory: MEMORY,
        ...config,
      });
      simulation.feed(records);
      const start = performance.now();
      simulation.feed(records);
      const ns = (performance.now() - start) * 1e6;
      const hash = simulation.replayed;
      simulation.close();
      return { ns, hash };
    },
  };
}

/** Two simulations of the same stencil, and the largest ratio of their times that is allowed. */
export interface Compared {
  title: string;
  rival: string;
  target: number;
  ours: SimulationConfig;
  theirs: SimulationConfig;
}

/** Returns a row that compares two configs. */
export function comparing({ title, rival, target, ours, theirs }: Compared): Row {
  return {
    title,
    unit: "access",
    async run(context) {
      const records = recordsOf(context.smoke ? SMOKE : SPEC);
      return context.compare({
        ours: simulating(records, ours),
        units: records.length / 2,
        rivals: [{ name: rival, target, sides: [simulating(records, theirs)] }],
      });
    },
  };
}
