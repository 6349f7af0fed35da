/** `heteromem/sim`: sources, parts of a run, and snapshots in the middle. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  openWorkload,
  simulate,
  Simulation,
  SimulationError,
  type Access,
  type Block,
  type SimulationConfig,
  type TransferTotals,
} from "../../../src/sim.ts";
import { BASE, blockOf, PAGE, pages } from "../../util/sim-blocks.ts";

const KIB = 1024;
const MEMORY = { systemMemory: "4MiB", deviceMemory: "128KiB" } as const;

const sources = suite("sim: sources");
sources("an array of blocks, a generator and an async generator are the same", async () => {
  const blocks = [blockOf(pages(0, 40)), blockOf(pages(0, 40, { kind: "store", agent: 1 }))];
  function* generator(): Generator<Block> {
    yield* blocks;
  }
  async function* slow(): AsyncGenerator<Block> {
    for (const block of blocks) yield await Promise.resolve(block);
  }
  const report = await simulate(blocks, MEMORY);
  assert.equal(report.accesses.cpu, { loads: 40, stores: 0 });
  assert.equal(report.accesses.device, {
    loads: 0,
    stores: 40,
    ram: { loads: 0, stores: 0 },
    peer: { loads: 0, stores: 0 },
  });
  assert.is(report.device.bytesIn, 48 * PAGE);
  assert.equal(await simulate(generator(), MEMORY), report);
  assert.equal(await simulate(slow(), MEMORY), report);
  assert.equal(await simulate({ blocks: generator }, MEMORY), report);
});
sources("a block that is none is refused", async () => {
  using simulation = await Simulation.create(MEMORY);
  for (const block of [new BigUint64Array(3), {}, null, new Uint8Array(16)])
    assert.throws(() => simulation.feed(block as Block), /block: expected a BigUint64Array of two words/);
});
sources("progress is told after each block, and an aborted signal ends the run", async () => {
  const blocks = [1, 2, 3].map(() => blockOf(pages(0, 10)));
  const seen: number[] = [];
  const signal = { aborted: false, reason: new Error("enough") };
  const onProgress = ({ records, accesses }: { records: number; accesses: number }): void => {
    assert.is(records, accesses);
    seen.push(records);
    if (seen.length === 2) signal.aborted = true;
  };
  const error = await simulate(blocks, MEMORY, { onProgress, signal }).catch((error: unknown) => error);
  assert.is(error, signal.reason);
  assert.equal(seen, [10, 20]);
});
sources("memory that runs out names the record of the block", async () => {
  const error = await simulate([blockOf(pages(0, 40, { kind: "store" }))], { systemMemory: "64KiB" }).catch(
    (error: unknown) => error as SimulationError,
  );
  assert.instance(error, SimulationError);
  assert.is((error as SimulationError).record, 12); // four of the 16 pages of RAM are page tables
  assert.match(
    (error as SimulationError).message,
    /^systemMemory 64KiB is too small for this trace: no page/,
  );
});
sources("accesses to the kernel's half are skipped and counted", async () => {
  using simulation = await Simulation.create(MEMORY);
  simulation.feed(
    blockOf([{ address: 2 ** 47 }, { address: 2 ** 47 - 1, size: 1 }, { address: 8 }, { address: BASE }]),
  );
  assert.equal(simulation.skipped, { kernel: 1, unmappable: 2 });
  assert.is(simulation.replayed, 1);
  assert.equal(simulation.report().accesses.cpu, { loads: 1, stores: 0 });
});
sources.run();

const who = suite("sim: whose access");
async function agents(field: SimulationConfig): Promise<[cpu: number, device: number]> {
  const accesses = [
    ...pages(0, 3, { thread: 0 }),
    ...pages(16, 4, { thread: 5, agent: 1 }),
    ...pages(32, 5, { thread: 700, agent: 2 }),
  ];
  const { cpu, device } = (await simulate([blockOf(accesses)], { ...MEMORY, ...field })).accesses;
  return [cpu.loads, device.loads];
}
who("by the trace, one agent, threads, and data", async () => {
  assert.equal(await agents({}), [3, 9]);
  assert.equal(await agents({ agent: "cpu" }), [12, 0]);
  assert.equal(await agents({ agent: "device" }), [0, 12]);
  assert.equal(await agents({ agent: { threads: [0, "600-700"] } }), [4, 8]);
  assert.equal(await agents({ agent: "threads:0,600-700" }), [4, 8]);
  const first = { start: BASE + PAGE, end: BASE + 2 * PAGE };
  assert.equal(await agents({ deviceRanges: [first] }), [2, 10]);
  assert.equal(await agents({ agent: "cpu", deviceRanges: [first, "0x5010000-0x5011001"] }), [9, 3]);
});
who.run();

const parts = suite("sim: parts of a run");
/** 16 clusters that the CPU writes, then three kernels of the device; the second runs in two threads. */
const PROGRAM: readonly Partial<Access>[] = [
  ...pages(0, 64, { kind: "store" }),
  { kind: "kernelBegin", id: 0 },
  ...pages(0, 32, { agent: 1 }),
  { kind: "kernelEnd", id: 0 },
  ...pages(0, 16),
  { kind: "kernelBegin", id: 1, thread: 1 },
  ...pages(16, 16, { agent: 1, thread: 1 }),
  { kind: "kernelBegin", id: 1, thread: 2 },
  ...pages(32, 16, { agent: 1, thread: 2, kind: "store" }),
  { kind: "kernelEnd", id: 1, thread: 1 },
  ...pages(32, 8, { agent: 1, thread: 2 }),
  { kind: "kernelEnd", id: 1, thread: 2 },
  { kind: "kernelBegin", id: 0 },
  ...pages(0, 16, { agent: 1 }),
  { kind: "kernelEnd", id: 0 },
];
const source = { blocks: () => [blockOf(PROGRAM)], kernels: ["sweep", "probe"] };
const isAccess = ({ kind = "load" }: Partial<Access>): boolean => !kind.startsWith("kernel");
const ACCESSES = PROGRAM.filter(isAccess).length;

parts("kernels have counts of their own, and epochs lie between and in them", async () => {
  const report = await simulate(source, { ...MEMORY, epoch: "kernel" });
  const figures = report.kernels.map(({ name, begins, accesses, faults }) => [
    name,
    begins,
    accesses.device.loads + accesses.device.stores,
    faults.device,
  ]);
  // 128 KiB hold two clusters: the second kernel still has one of its own on the device.
  assert.equal(figures, [
    ["sweep", 2, 48, 3],
    ["probe", 2, 40, 1],
  ]);
  const epochs = report.epochs.map(({ from, to, kernel }) => [from, to, kernel]);
  assert.equal(epochs, [
    [0, 64, null],
    [64, 96, "sweep"],
    [96, 112, null],
    [112, 128, "probe"],
    [128, 144, "probe"],
    [144, 152, "probe"],
    [152, 168, "sweep"],
  ]);
  const loads = report.epochs.reduce((sum, { accesses }) => sum + accesses.device.loads, 0);
  assert.is(loads, report.accesses.device.loads);
  const evictions = report.epochs.reduce((sum, epoch) => sum + epoch.evictions, 0);
  assert.is(evictions, report.evictions);
});
parts("epochs of N accesses add up to the whole, however blocks are cut", async () => {
  const whole = await simulate(source, { ...MEMORY, epoch: 50 });
  assert.equal(
    whole.epochs.map(({ from, to, kernel }) => [from, to, kernel]),
    [
      [0, 50, null],
      [50, 100, null],
      [100, 150, null],
      [150, 168, null],
    ],
  );
  const all = blockOf(PROGRAM);
  const single = Array.from({ length: PROGRAM.length }, (_, i) => ({
    records: all.subarray(2 * i, 2 * i + 2),
    kernels: source.kernels,
  }));
  assert.equal(await simulate(single, { ...MEMORY, epoch: 50 }), whole);
});
parts("skip, and a region of interest with what is before it replayed", async () => {
  const skipped = await simulate(source, { ...MEMORY, skip: 64 });
  assert.equal(skipped.accesses.cpu, { loads: 16, stores: 0 });
  assert.is(skipped.device.bytesCopied, 16 * PAGE, "what the CPU fetched back, not what it wrote before");
  assert.equal(skipped.roi, { from: 64, to: null });
  const warm = await simulate(source, { ...MEMORY, roi: [64, 96] });
  assert.equal(warm.accesses.cpu, { loads: 0, stores: 0 });
  assert.is(warm.accesses.device.loads, 32);
  assert.is(warm.device.bytesCopied, 32 * PAGE, "the CPU wrote them before");
  assert.equal(warm.faultsByKind.device, { migrate: 2, mirror: 0 });
  assert.equal(
    warm.kernels.map(({ name, accesses }) => [name, accesses.device.loads]),
    [["sweep", 32]],
  );
  assert.equal(await simulate(source, { ...MEMORY, roi: "64-96" }), warm);
  assert.equal((await simulate(source, { ...MEMORY, roi: "96-" })).roi, { from: 96, to: null });
  const epochs = (await simulate(source, { ...MEMORY, roi: [60, 100], epoch: 30 })).epochs;
  assert.equal(
    epochs.map(({ from, to }) => [from, to]),
    [
      [60, 90],
      [90, 100],
    ],
  );
});
parts("a source is not asked for more than the region of interest", async () => {
  let asked = 0;
  function* endless(): Generator<Block> {
    for (;;) {
      asked++;
      yield blockOf(pages(0, 10));
    }
  }
  const report = await simulate(endless(), { ...MEMORY, roi: [0, 25] });
  assert.is(report.accesses.cpu.loads, 25);
  assert.is(asked, 3);
});
parts("named ranges have the accesses, faults and moves of their pages", async () => {
  const ranges = [
    { name: "first", start: BASE, end: BASE + 16 * PAGE },
    { name: "rest", start: BASE + 16 * PAGE, end: BASE + 64 * PAGE },
  ];
  const report = await simulate(source, { ...MEMORY, ranges });
  const sum = (of: (range: (typeof report.ranges)[0]) => number): number =>
    report.ranges.reduce((total, range) => total + of(range), 0);
  assert.is(
    sum(({ faults }) => faults.cpu),
    report.faults.cpu,
  );
  assert.is(
    sum(({ faults }) => faults.device),
    report.faults.device,
  );
  assert.is(
    sum(({ bytesIn }) => bytesIn),
    report.device.bytesIn,
  );
  assert.is(
    sum(({ bytesOut }) => bytesOut),
    report.device.bytesOut,
  );
  assert.is(
    sum(({ bytesOutEvicted }) => bytesOutEvicted),
    report.device.bytesOutEvicted,
  );
  const [first] = report.ranges;
  /** Some copies of a whole cluster. */
  const moves = (count: number): TransferTotals => ({
    count,
    bytes: count * 16 * PAGE,
    sizes: [{ bytes: 16 * PAGE, count }],
  });
  // Written, read back after the first kernel, and on the device twice: each time each page once.
  assert.equal(first, {
    name: "first",
    start: "0x5000000",
    bytes: 16 * PAGE,
    accesses: {
      cpu: { loads: 16, stores: 16 },
      device: {
        loads: 16 + 16,
        stores: 0,
        ram: { loads: 0, stores: 0 },
        peer: { loads: 0, stores: 0 },
      },
    },
    faults: { cpu: 16 + 1, device: 2 },
    groups: 2,
    bytesIn: 32 * PAGE,
    bytesOut: 16 * PAGE,
    bytesOutEvicted: 0,
    // Each time one page faulted and 15 came along, all of which were read; the second time all came again.
    bytesPrefetched: 30 * PAGE,
    bytesPrefetchedUsed: 30 * PAGE,
    bytesPrefetchedUnused: 0,
    bytesThrashed: 16 * PAGE,
    transfers: { toDevice: moves(2), toHost: moves(1), peer: { count: 0, bytes: 0, sizes: [] } },
  });
});
parts("marks name ranges, and a newer name covers an older one", async () => {
  using simulation = await Simulation.create(MEMORY);
  const RANGE = 18n;
  const END = 19n;
  const mark = (kind: bigint, id: number): bigint[] => [0n, kind | (BigInt(id) << 32n)];
  const touch = (page: number): bigint[] => [...blockOf(pages(page, 1))];
  const events = [
    { name: "a", address: BASE, bytes: 4 * PAGE },
    { name: "b", address: BASE + PAGE, bytes: PAGE },
    { name: "", address: BASE + PAGE, bytes: PAGE },
  ];
  const words = [
    ...[mark(RANGE, 0), touch(0), mark(RANGE, 1), touch(1), touch(2), mark(END, 1), touch(1 + 0)].flat(),
    ...[mark(RANGE, 2), touch(1), touch(3)].flat(),
  ];
  simulation.feed({ records: BigUint64Array.from(words), events });
  const faults = simulation.report().ranges.map(({ name, faults }) => [name, faults.cpu]);
  assert.equal(faults, [
    ["a", 3],
    ["b", 1],
    ["0x5001000", 0],
  ]);
});
parts.run();

const snapshots = suite("sim: snapshots");
snapshots("a simulation goes on from a snapshot in the middle, as if nothing had happened", async () => {
  const field = { ...MEMORY, epoch: 40, ranges: ["a=0x5000000-0x5020000"], failAlloc: 200 };
  const all = blockOf(PROGRAM);
  const { kernels } = source;
  using whole = await Simulation.create(field);
  whole.feed({ records: all, kernels });
  for (let at = 0; at <= PROGRAM.length; at += 13) {
    using first = await Simulation.create(field);
    first.feed({ records: all.subarray(0, 2 * at), kernels });
    const bytes = first.snapshot();
    assert.is(first.fed, at);
    first.feed({ records: all.subarray(2 * at), kernels });
    assert.equal(first.report(), whole.report(), `the one that was copied at ${at}`);
    using second = Simulation.restore(bytes);
    second.verify();
    assert.is(second.fed, at);
    second.feed({ records: all.subarray(2 * at), kernels });
    assert.equal(second.report(), whole.report(), `the copy of ${at}`);
    assert.is(second.replayed, ACCESSES);
    second.verify();
  }
});
snapshots("bytes that are no snapshot are refused", async () => {
  using simulation = await Simulation.create(MEMORY);
  const bytes = simulation.snapshot();
  assert.throws(() => Simulation.restore("x" as unknown as Uint8Array), TypeError);
  assert.throws(() => Simulation.restore(new Uint8Array(10)), /bytes must be a snapshot of a simulation/);
  assert.throws(() => Simulation.restore(bytes.subarray(0, 200)), RangeError);
  const damaged = Uint8Array.from(bytes);
  damaged[damaged.length - KIB] ^= 1;
  assert.throws(() => Simulation.restore(damaged), /a snapshot of this version/);
});
snapshots.run();

const workloads = suite("sim: workloads");
workloads("a workload's ranges and kernels are in the report", async () => {
  const workload = openWorkload("stream:size=1MiB,grain=4KiB,kernel=triad");
  const report = await simulate(workload, { systemMemory: "8MiB", deviceMemory: "256KiB" });
  assert.equal(
    report.ranges.map(({ name }) => name),
    ["a", "b", "c"],
  );
  assert.equal(
    report.kernels.map(({ name, begins }) => [name, begins]),
    [
      ["initialize", 1],
      ["triad", 1],
      ["read back", 1],
    ],
  );
  const faults = report.ranges.reduce((sum, range) => sum + range.faults.device, 0);
  assert.is(faults, report.faults.device);
});
workloads.run();
