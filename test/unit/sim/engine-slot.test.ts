/** Engines one after the other in the same memory, as workers of a sweep have them: each is fresh. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm } from "../../../src/index.ts";
import { EngineSlot, stateOf } from "../../../src/inside.ts";
import { openWorkload, simulate, Simulation, type SimulationConfig } from "../../../src/sim.ts";
import { settingsOf } from "../../../src/sim/config.ts";
import { engineConfigOf } from "../../../src/sim/world.ts";
import { sha256 } from "../../../src/sweep/canonical.ts";
import { feedAll } from "../../../src/sim/simulate.ts";

const test = suite("simulations in one memory");

/** Runs that leave other things behind: of each memory model, with bytes and without, large and small. */
const RUNS: [workload: string, config: SimulationConfig][] = [
  [
    "gups:size=1MiB,updates=400,init=cpu",
    { systemMemory: "4MiB", deviceMemory: "512KiB", backing: "metadata" },
  ],
  [
    "stencil2d:size=256KiB,init=cpu",
    { systemMemory: "2MiB", deviceMemory: "128KiB", backing: "data", devices: 2 },
  ],
  [
    "zipf:size=8MiB,accesses=300,exponent=1.1",
    { systemMemory: "32MiB", deviceMemory: "4MiB", backing: "metadata", memoryModel: "managed" },
  ],
  [
    "hotspot:size=512KiB",
    { systemMemory: "2MiB", deviceMemory: "64KiB", evict: "fifo", backing: "metadata" },
  ],
];

const bytesOf = (hmm: Hmm): Buffer => Buffer.from(stateOf("test", hmm).mem.buffer);

async function run(hmm: Hmm, workload: string, config: SimulationConfig): Promise<object> {
  const simulation = Simulation.over(hmm, config);
  await feedAll(simulation, openWorkload(workload));
  const report = simulation.report();
  simulation.close();
  return report;
}

test("an engine in the memory of another one is a fresh one, byte for byte", async () => {
  const slot = new EngineSlot();
  // Each kind of run comes before and after each other one.
  for (const [workload, config] of [...RUNS, ...[...RUNS].reverse()]) {
    const wanted = engineConfigOf(settingsOf(config));
    const [hmm, fresh] = [await slot.take(wanted), await Hmm.create(wanted)];
    assert.equal(hmm.config, fresh.config);
    const [own, expected] = [bytesOf(hmm), bytesOf(fresh)];
    assert.is(Buffer.compare(own.subarray(0, expected.length), expected), 0, workload);
    // A larger engine's memory stays, and is zero.
    const rest = own.subarray(expected.length);
    assert.ok(rest.equals(Buffer.alloc(rest.length)));
    assert.equal(await run(hmm, workload, config), await simulate(openWorkload(workload), config));
    slot.give(hmm);
  }
});
test("the memory is used again, unless it is large", async () => {
  const slot = new EngineSlot();
  const bufferOf = async (systemMemory: number): Promise<ArrayBuffer> => {
    const hmm = await slot.take({ systemMemory, deviceMemory: 0 });
    slot.give(hmm);
    return stateOf("test", hmm).mem.buffer;
  };
  const first = await bufferOf(2 ** 20);
  assert.is(await bufferOf(2 ** 20), first);
  const large = await bufferOf(2 ** 26);
  assert.is.not(await bufferOf(2 ** 26), large);
});
/** The digests of a workload's blocks. */
function* blocksOf(text: string): Generator<string> {
  for (const block of openWorkload(text).blocks()) yield sha256(new Uint8Array(block.slice().buffer));
}
test("the generator of a workload makes the same records whatever it made before", () => {
  const texts = [
    "gups:size=64KiB,updates=50",
    "chase:size=64KiB",
    "zipf:size=64KiB,accesses=50,exponent=0.9",
    "bfs:scale=6",
    "hashjoin:size=64KiB",
    "matmul:size=64KiB",
  ];
  const of = (text: string): string => [...blocksOf(text)].join();
  const first = texts.map(of);
  assert.equal([...texts].reverse().map(of), [...first].reverse());
  // One that is left in the middle leaves nothing behind.
  for (const _ of blocksOf("gups:size=64MiB,updates=100000")) break;
  assert.equal(texts.map(of), first);
});
test("two workloads at a time have a generator each", () => {
  // 60,000 updates are more than one block of 32,768 records.
  const text = "gups:size=1MiB,updates=60000,seed=2";
  const alone = [...blocksOf(text)];
  const blocks = blocksOf(text);
  const mixed: string[] = [];
  for (const _ of blocksOf("gups:size=1MiB,updates=60000,seed=1")) mixed.push(blocks.next().value as string);
  assert.ok(mixed.length > 1);
  assert.equal(mixed, alone);
});
test.run();
