/** Simulations of managed memory: the engine follows the driver's model. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  openWorkload,
  simulate,
  Simulation,
  writeRecord,
  type Access,
  type SimulationConfig,
} from "../../../src/sim.ts";

const MIB = 2 ** 20;
const MANAGED = { memoryModel: "managed", systemMemory: "64MiB", deviceMemory: "64MiB" } as const;

/** Runs a workload, checking every invariant of the engine after each block. */
async function run(spec: string, config: SimulationConfig) {
  using simulation = await Simulation.create({ ...MANAGED, ...config });
  const workload = openWorkload(spec);
  for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
  for (const block of workload.blocks()) {
    simulation.feed({ records: block, kernels: workload.kernels });
    simulation.verify();
  }
  const report = simulation.report();
  simulation.verify();
  return report;
}

const test = suite("sim: managed memory");
test("the tutorial's add, by one thread: 48 transfers, 24 back, 12 groups, 36 CPU faults", async () => {
  for (const grain of ["4KiB", "64"]) {
    const report = await run(`add:size=8MiB,grain=${grain}`, { deviceThreads: "one" });
    const { transfersToDevice, bytesToDevice, transfersToHost, bytesToHost, groups } = report.managed;
    assert.equal(
      { transfersToDevice, bytesToDevice, transfersToHost, bytesToHost, groups, cpu: report.faults.cpu },
      {
        transfersToDevice: 48,
        bytesToDevice: 8 * MIB,
        transfersToHost: 24,
        bytesToHost: 4 * MIB,
        groups: 12,
        cpu: 36,
      },
    );
    assert.equal(report.residency, { system: 4 * MIB, device: 4 * MIB });
    assert.is(report.rss, 8 * MIB);
  }
});
test.run();
