/**
 * S1: replay of hits: a stencil whose pages are all on the device after the first sweep. The rival is the
 * rate that is asked for, 60 million accesses a second, as the time of one access. Faults of the first sweep
 * count.
 */
import { Simulation } from "../../src/sim.ts";
import { openWorkload } from "../../src/sim/workload/index.ts";
import { MIB } from "../engine.ts";
import type { Row, Side } from "../harness.ts";

const SPEC = "stencil2d:size=64MiB,grain=8,iterations=2";
const SMOKE = "stencil2d:size=256KiB";
const LEAST = 60;

/** All records of a workload in one array. */
function recordsOf(spec: string): BigUint64Array {
  const blocks = Array.from(openWorkload(spec).blocks(), (block) => block.slice());
  const all = new BigUint64Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}

/** Replays records in a new simulation. The hash is the number of accesses. */
function replaying(records: BigUint64Array): Side {
  return {
    async run() {
      const memory = 256 * MIB;
      const config = { backing: "metadata", systemMemory: memory, deviceMemory: memory } as const;
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

const row: Row = {
  title: "replay of hits: a stencil that fits device memory",
  unit: "access",
  async run(context) {
    const ours = replaying(recordsOf(context.smoke ? SMOKE : SPEC));
    const { hash } = await ours.run();
    const asked: Side = { run: () => ({ ns: (hash * 1e3) / LEAST, hash }) };
    return context.compare({
      ours,
      units: hash,
      rivals: [{ name: `${LEAST} M/s`, target: 1, sides: [asked] }],
    });
  },
};
export default row;
