/** Runs of managed simulations that a snapshot interrupts, for the suites of their snapshots. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { Simulation, writeRecord, type Access, type SimulationConfig } from "../../../../src/sim.ts";
import { Random } from "../../../../src/testing.ts";

const MIB = 2 ** 20;
const BASE = 0x40000000;
export const MANAGED = {
  memoryModel: "managed",
  systemMemory: "16MiB",
  deviceMemory: "4MiB",
  backing: "metadata",
} as const;

/** Kernels of a few threads, and a CPU that looks in between, in blocks of 100 records. */
export function blocks(seed: number): BigUint64Array[] {
  const random = new Random(seed);
  const accesses: Partial<Access>[] = [];
  for (let kernel = 0; kernel < 6; kernel++) {
    accesses.push({ kind: "kernelBegin", size: 0 });
    for (let i = 0; i < 200; i++) {
      const address = BASE + random.below(4) * 2 * MIB + random.below(64) * 4096 * (1 + random.below(8));
      const kind = random.pick(["load", "load", "store"] as const)!;
      accesses.push({ kind, agent: random.below(20) === 0 ? 0 : 1, thread: 8 * random.below(16), address });
    }
    accesses.push({ kind: "kernelEnd", size: 0 });
  }
  return Array.from({ length: Math.ceil(accesses.length / 100) }, (_, i) => {
    const part = accesses.slice(100 * i, 100 * (i + 1));
    const records = new BigUint64Array(2 * part.length);
    part.forEach((one, n) => writeRecord(records, n, { kind: "load", size: 8, ...one }));
    return records;
  });
}

/** The report of a run that is interrupted by a snapshot and a restore before some blocks. */
export async function run(
  config: SimulationConfig,
  interrupted: readonly number[],
  given: { evict?: SimulationConfig["evict"] } = {},
): Promise<string> {
  let simulation = await Simulation.create({ ...MANAGED, ...config });
  try {
    simulation.nameRange("a", BASE, 3 * MIB);
    for (const [i, block] of blocks(7).entries()) {
      if (interrupted.includes(i)) {
        const bytes = simulation.snapshot();
        simulation.close();
        simulation = Simulation.restore(bytes, given as object);
        simulation.verify();
      }
      simulation.feed(block);
    }
    simulation.verify();
    return JSON.stringify(simulation.report());
  } finally {
    simulation.close();
  }
}

/** Tests that each config's run ends with the same bytes if a snapshot interrupts it. */
export function testConfigs(test: Test, configs: readonly SimulationConfig[]): void {
  for (const config of configs)
    test(`${JSON.stringify(config)}: the same bytes`, async () => {
      const whole = await run(config, []);
      assert.is(await run(config, [5]), whole);
    });
}
