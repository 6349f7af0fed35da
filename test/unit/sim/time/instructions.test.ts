/** Time of instructions, where a trace counts them. Times are in picoseconds. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  decodeLackey,
  simulate,
  writeRecord,
  type Access,
  type RecordBlock,
  type SimulationConfig,
  type TimeModel,
  type TimingReport,
} from "../../../../src/sim.ts";
import { rate, time } from "./models.ts";

const MODEL: TimeModel = {
  schema: "heteromem-model/1",
  name: "test",
  about: "",
  cpu: { instruction: time(2, "ns"), access: time(1, "ns") },
  device: { instruction: time(5, "ns"), memory: { read: rate(8, "GB/s"), write: rate(8, "GB/s") } },
};
const SMALL = { systemMemory: "16MiB", deviceMemory: "4MiB", time: MODEL } as const;

function block(accesses: readonly Partial<Access>[]): RecordBlock[] {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((one, i) => writeRecord(records, i, { kind: "load", address: 0x200000, size: 8, ...one }));
  return [{ records }];
}

/** By cause: how often, and the critical time. */
function causes({ causes: all }: TimingReport): Record<string, [number, number]> {
  return Object.fromEntries(all.map(({ cause, count, critical }) => [cause, [count, critical]]));
}

const run = async (accesses: readonly Partial<Access>[], config: SimulationConfig = {}) =>
  (await simulate(block(accesses), { ...SMALL, ...config })).timing!;

const test = suite("time: instructions");

for (const memoryModel of ["hmm", "managed"] as const) {
  test(`${memoryModel}: the CPU's and the device's instructions, beside what takes less`, async () => {
    const timing = await run(
      [
        { kind: "store" },
        { kind: "instructions", address: 0, size: 100 },
        { agent: 1, kind: "instructions", address: 0, size: 3 },
        { agent: 1 },
        { agent: 1, kind: "instructions", address: 0, size: 7 },
        { agent: 1 },
      ],
      { memoryModel },
    );
    // CPU: max(1 access × 1 ns, 100 instructions × 2 ns) = 200 ns; the managed driver serves the store's
    // fault between the two, so that they do not overlap. Device: (3 + 7) × 5 ns = 50 ns, longer than its
    // loads; with managed memory these wait for the fault, and a sector of 32 bytes at 8 GB/s takes 4 ns.
    const cpu = memoryModel === "hmm" ? 200_000 : 201_000;
    const loads = memoryModel === "hmm" ? 0 : 8000;
    const { cpuWork, compute } = causes(timing);
    assert.equal(cpuWork, [101, cpu]);
    assert.is(compute[1], 50_000);
    assert.is(timing.total, cpu + 50_000 + loads);
  });
}
test("memory that takes longer than the instructions counts", async () => {
  const timing = await run([
    { agent: 1, kind: "store", size: 4096 },
    { agent: 1, kind: "store", size: 4096 },
    { agent: 1, kind: "instructions", address: 0, size: 10 },
  ]);
  // 4,096 bytes at 8 GB/s take 512 ns, each time: 1,024 ns against 10 × 5 ns.
  const { deviceMemory, compute } = causes(timing);
  assert.is(deviceMemory[1], 1_024_000);
  assert.equal([compute[1], timing.total], [0, 1_024_000]);
});
test("a fetch is one instruction; a run at an address where nothing can be is one all the same", async () => {
  const records = new BigUint64Array(4);
  records[0] = 0x400000n | (4n << 48n); // a fetch of 4 bytes
  records[1] = 3n;
  writeRecord(records, 1, { kind: "instructions", size: 5 });
  for (const memoryModel of ["hmm", "managed"] as const) {
    const report = await simulate([{ records }], { ...SMALL, memoryModel });
    assert.is(report.timing!.total, 6 * 2000);
    assert.equal(report.accesses.cpu, { loads: 0, stores: 0 });
  }
});
test("lackey's instructions are the CPU's, or the device's in its code", async () => {
  const source = "I  1000,4\n S 20000000,8\nI  1004,4\nI  2000,4\n L 20000000,8\nI  2004,4\nI  1008,4\n";
  const decoded = () =>
    decodeLackey([new TextEncoder().encode(source)], {
      offload: [{ name: "f", start: 0x2000, end: 0x2100 }],
      calls: "register",
      instructions: true,
    });
  const { timing } = await simulate(decoded(), SMALL);
  // Three of the CPU's, 2 ns each; two of the device's, 5 ns each.
  assert.is(timing!.total, 3 * 2000 + 2 * 5000);
});
test("a model without a time for work says so", async () => {
  const { time: _, ...rest } = SMALL;
  const without: TimeModel = { schema: "heteromem-model/1", name: "none", about: "" };
  const config = { ...rest, time: { ...without, cpu: { instruction: time(2, "ns") } } };
  const { timing } = await simulate(block([{}]), config);
  assert.not(timing!.untimed.includes("cpuWork"));
  assert.ok(timing!.untimed.includes("compute"));
});
test.run();
