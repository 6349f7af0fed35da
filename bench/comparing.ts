/** Rows that compare one simulation with another where nothing faults. */
import { Simulation, type SimulationConfig } from "../src/sim.ts";
import { RECORD_AGENT_SHIFT, RECORD_KIND_MASK, RECORD_MARK } from "../assembly/abi/record.ts";
import { MIB } from "./engine.ts";
import type { Row, Side } from "./harness.ts";
import { recordsOf } from "../src/microbench/replay.ts";

const SPEC = "stencil2d:size=64MiB,grain=8,iterations=2";
const SMOKE = "stencil2d:size=256KiB";
const MEMORY = 256 * MIB;

/** Returns the device's records and the marks of kernels. */
function ofDevice(records: BigUint64Array): BigUint64Array {
  const halves = new Uint32Array(records.buffer, records.byteOffset, 2 * records.length);
  const kept = new BigUint64Array(records.length);
  let n = 0;
  for (let i = 0; i < records.length; i += 2) {
    const how = halves[2 * i + 2];
    if ((how & RECORD_KIND_MASK) < RECORD_MARK && ((how >>> RECORD_AGENT_SHIFT) & 0xff) === 0) continue;
    kept.set(records.subarray(i, i + 2), n);
    n += 2;
  }
  return kept.subarray(0, n);
}

/**
 * Replays the device's records twice. In the second run, which is measured, all pages are on the device, so
 * nothing faults.
 */
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
      const { device } = simulation.report().faults;
      const start = performance.now();
      simulation.feed(records);
      const ns = (performance.now() - start) * 1e6;
      const hash = simulation.replayed;
      if (simulation.report().faults.device !== device) throw new Error("the second run had faults");
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
      const records = ofDevice(recordsOf(context.smoke ? SMOKE : SPEC));
      return context.compare({
        ours: simulating(records, ours),
        units: records.length / 2,
        rivals: [{ name: rival, target, sides: [simulating(records, theirs)] }],
      });
    },
  };
}
