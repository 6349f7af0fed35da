/** Runs of one thread of a managed device, for the suites of rooms by pages. */
import { openWorkload, Simulation, type SimulationConfig } from "../../../../src/sim.ts";

const MANAGED = {
  memoryModel: "managed",
  backing: "metadata",
  systemMemory: "64MiB",
  initial: "host",
} as const;

/** Runs a workload on one thread of a managed device, checking the engine's invariants after each block. */
export async function run(spec: string, config: SimulationConfig) {
  using simulation = await Simulation.create({ ...MANAGED, deviceThreads: "one", ...config });
  const workload = openWorkload(spec);
  for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
  for (const block of workload.blocks()) {
    simulation.feed(block);
    simulation.verify();
  }
  const report = simulation.report();
  simulation.verify();
  return report;
}
