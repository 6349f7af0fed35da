/** Snapshots of managed simulations: restored in the middle, they end with the same bytes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Simulation, writeRecord, type Access, type SimulationConfig } from "../../../../src/sim.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { Random } from "../../../../src/testing.ts";

const MIB = 2 ** 20;
const BASE = 0x40000000;
const MANAGED = {
  memoryModel: "managed",
  systemMemory: "16MiB",
  deviceMemory: "4MiB",
  backing: "metadata",
} as const;

/** Kernels of a few threads, and a CPU that looks in between, in blocks of 100 records. */
function blocks(seed: number): BigUint64Array[] {
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
async function run(
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

const CONFIGS: SimulationConfig[] = [
  { advise: ["a=read-mostly"], epoch: "kernel", deviceThreads: "one", thrashingLapse: 100_000 },
  { placement: "counters", counterThreshold: 8, schedules: 3 },
  { placement: "adaptive", evict: "lru", reserve: 20, freeBuffer: 10, backing: "data" },
  { placement: "smart", initial: "host", advise: ["a=accessed-by-device"] },
  { evict: "random", seed: 4, replay: "batch", fetch: "timed", deviceThreads: "split:2" },
  { placement: "resident", deviceMemory: "16MiB", memoryModel: "hmm" },
  { time: "pcie3-1080ti" },
];
const test = suite("driver: snapshots");
for (const config of CONFIGS)
  test(`${JSON.stringify(config)}: the same bytes`, async () => {
    const whole = await run(config, []);
    assert.is(await run(config, [5]), whole);
  });
test("a policy of the user's own is given again", async () => {
  const evict = EVICTORS.clock;
  assert.is(await run({ evict }, [5], { evict }), await run({ evict }, []));
});
test("a simulation can have several futures, and the snapshot's stays as it was", async () => {
  using simulation = await Simulation.create(MANAGED);
  const [first, second, third] = blocks(1);
  simulation.feed(first);
  const snapshot = simulation.snapshot();
  const futures = [second, third, second].map((block) => {
    using future = Simulation.restore(snapshot);
    future.feed(block);
    return JSON.stringify(future.report());
  });
  assert.is(futures[0], futures[2]);
  assert.is.not(futures[0], futures[1]);
});
test.run();
