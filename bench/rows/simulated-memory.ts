/**
 * S6: 100 GiB of simulated memory: 200 million zipf accesses of a device, from an empty engine, in one run.
 * The rivals are the limits that are asked for: 60 seconds, and 4 GiB of real memory (the peak of this
 * process).
 */
import { Simulation } from "../../src/sim.ts";
import { openWorkload } from "../../src/sim/workload/index.ts";
import type { Context, Result, Row } from "../harness.ts";

const GIB = 2 ** 30;

/** A figure of one run beside its limit. */
function limited(rival: string, ours: number, limit: number, context: Context): Result {
  const result: Result = {
    row: "S6",
    rival,
    ours,
    theirs: limit,
    ratio: ours / limit,
    target: 1,
    met: ours <= limit,
    samples: { ours: [ours], theirs: [limit] },
  };
  context.print(result);
  return result;
}

const row: Row = {
  title: "200 M zipf accesses over 100 GiB, on a device that holds them",
  unit: "run · bytes",
  async run(context) {
    const [size, accesses] = context.smoke ? [GIB / 64, 20_000] : [100 * GIB, 200_000_000];
    const memory = size + size / 16;
    const config = { backing: "metadata", systemMemory: memory, deviceMemory: memory } as const;
    const simulation = await Simulation.create(config);
    const start = performance.now();
    for (const block of openWorkload(`zipf:size=${size},accesses=${accesses},seed=1`).blocks())
      simulation.feed(block);
    const ns = (performance.now() - start) * 1e6;
    const { faults } = simulation.report();
    context.note(`${simulation.replayed} accesses, ${faults.device} device faults`);
    simulation.close();
    return [
      limited("60-s", ns, 60e9, context),
      limited("4-GiB", process.resourceUsage().maxRSS * 1024, 4 * GIB, context),
    ];
  },
};
export default row;
