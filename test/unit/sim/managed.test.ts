/** Simulations of managed memory: the report says what the driver did. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload, simulate, Simulation, writeRecord } from "../../../src/sim.ts";
import type { Access, RecordBlock, SimulationConfig, TimeModel } from "../../../src/sim.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const BASE = 0x40000000;
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

/** A block of accesses of 8 bytes. */
function blockOf(accesses: readonly Partial<Access>[]): BigUint64Array {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((access, i) => writeRecord(records, i, { kind: "load", size: 8, ...access }));
  return records;
}

const add = suite("sim: managed memory");
add("the tutorial's add, by one thread: 48 transfers, 24 back, 12 groups, 36 CPU faults", async () => {
  for (const grain of ["4KiB", "64"]) {
    const report = await run(`add:size=8MiB,grain=${grain},threads=1`, {});
    assert.equal(await run(`add:size=8MiB,grain=${grain}`, { deviceThreads: "one" }), report);
    const { transfersToDevice, bytesToDevice, transfersToHost, bytesToHost, groups } = report.managed;
    assert.equal([transfersToDevice, bytesToDevice], [48, 8 * MIB]);
    assert.equal([transfersToHost, bytesToHost], [24, 4 * MIB]);
    assert.equal([groups, report.faults.cpu], [12, 36]);
    assert.equal(report.residency, { system: 4 * MIB, device: 4 * MIB });
    assert.is(report.rss, 8 * MIB);
    const sizes = report.driver!.transfers.map(({ direction, cause, sizes }) => [
      direction,
      cause,
      sizes.length,
    ]);
    assert.equal(sizes, [
      ["toDevice", "fault", 1],
      ["toDevice", "prefetch", 5],
      ["toHost", "fault", 1],
      ["toHost", "prefetch", 5],
    ]);
  }
});
add("what happens counts for its kernel and its range", async () => {
  const { kernels, ranges } = await run("add:size=8MiB,grain=4KiB", { deviceThreads: "one" });
  const named = kernels.map(({ name, faults, managed }) => [
    name,
    faults.cpu,
    managed.groups,
    managed.transfersToHost,
  ]);
  assert.equal(named, [
    ["initialize", 24, 0, 0],
    ["add", 0, 12, 0],
    ["read back", 12, 0, 24],
  ]);
  const moved = ranges.map(({ name, faults, bytesIn, bytesOut }) => ({ name, faults, bytesIn, bytesOut }));
  assert.equal(moved, [
    { name: "x", faults: { cpu: 12, device: 12 }, bytesIn: 4 * MIB, bytesOut: 0 },
    { name: "y", faults: { cpu: 24, device: 12 }, bytesIn: 4 * MIB, bytesOut: 4 * MIB },
  ]);
});
add("pages that came along and pages that thrash count for their range and kernel", async () => {
  const { ranges, kernels } = await run("add:size=8MiB,grain=4KiB", { deviceThreads: "one" });
  // Four blocks, each with 506 pages that came along with 6; all of them are used.
  const along = 2 * 506 * PAGE;
  const fates = ranges.map((one) => [
    one.bytesPrefetched,
    one.bytesPrefetchedUsed,
    one.bytesPrefetchedUnused,
    one.bytesThrashed,
  ]);
  assert.equal(fates, [
    [along, along, 0, 0],
    [along, along, 0, 0],
  ]);
  assert.equal(
    kernels.map(({ managed }) => [managed.bytesPrefetched, managed.bytesPrefetchedUsed]),
    [
      [0, 0],
      [2 * along, 2 * along],
      [0, 0],
    ],
  );
  const sparse = Array.from({ length: 3 }, (_, block) => ({ agent: 1, address: BASE + block * 2 * MIB }));
  const config = {
    ...MANAGED,
    deviceMemory: "4MiB",
    ranges: [{ name: "a", start: BASE, end: BASE + 2 * MIB }],
  };
  // In one batch the third block evicts the first, whose 15 pages along are not used; then it comes again.
  const [a] = (await simulate([blockOf(sparse)], config)).ranges;
  assert.equal([a.bytesPrefetched, a.bytesPrefetchedUnused], [30 * PAGE, 15 * PAGE]);
  const pingPong = Array.from(
    { length: 8 },
    (_, i) => ({ kind: "store", agent: i % 2, address: BASE }) as const,
  );
  const [b] = (await simulate([blockOf(pingPong)], { ...config, deviceMemory: "64MiB" })).ranges;
  assert.ok(b.bytesThrashed >= PAGE, "the page that CPU and device take from each other");
  const off = await simulate([blockOf(pingPong)], { ...config, deviceMemory: "64MiB", thrashingLapse: 1 });
  assert.equal([off.ranges[0].bytesThrashed, off.managed.thrashed], [0, 0]); // no two events within 1 µs
});
add("a model's throttles and pins last as long as it says", async () => {
  const times = (us: number) => ({ value: us, unit: "us", kind: "measured", source: "test" }) as const;
  // CPU and device take a page from each other, 30 times each.
  const pingPong = Array.from(
    { length: 60 },
    (_, i) => ({ kind: "store", agent: i % 2, address: BASE }) as const,
  );
  const moved = async (thrashing: TimeModel["thrashing"]) => {
    const time = {
      schema: "heteromem-model/1",
      name: "test",
      about: "",
      cpu: { access: times(100) },
      thrashing,
    } as const;
    const config = { ...MANAGED, deviceMemory: "64MiB", deviceThreads: "one", time } as const;
    const { timing, accesses } = await simulate([blockOf(pingPong)], config);
    const { count, busy } = timing!.causes.find(({ cause }) => cause === "throttle")!;
    return { count, busy, remote: accesses.device.ram.stores };
  };
  // After ten throttles the page is pinned, in RAM: the device's stores go there. For the default of 150 ms
  // that is until the end of the run, which takes 7.5 ms. A throttle of 500 µs overlaps 100 µs of the CPU's
  // work every other time.
  assert.equal(await moved({}), { count: 10, busy: 4_500_000_000, remote: 22 });
  const short = await moved({ throttle: times(50) });
  assert.equal([short.count, short.busy], [10, 10 * 50_000_000]);
  // A pin that ends at once keeps no page anywhere: each move is throttled anew.
  const { count, busy, remote } = await moved({ throttle: times(50), pin: times(1) });
  assert.ok(count > 20 && busy === count * 50_000_000, `${count} throttles, ${busy} ps`);
  assert.is(remote, 0);
});
add("advice by name holds from when the range is named", async () => {
  const { ranges, accesses } = await run("add:size=8MiB,grain=4KiB", {
    deviceThreads: "one",
    advise: ["x=accessed-by-device", "y=preferred-cpu"],
  });
  assert.equal(
    ranges.map(({ bytesIn }) => bytesIn),
    [0, 0],
  );
  assert.equal(accesses.device.ram, { loads: 2048, stores: 1024 });
});
add("placement mirror leaves all in RAM, and counters move what is used often", async () => {
  const mirror = await run("add:size=8MiB,grain=64", { deviceThreads: "one", placement: "remote" });
  assert.equal([mirror.placement, mirror.device.bytesIn], ["mirror", 0]);
  assert.equal(mirror.accesses.device.ram, { loads: 2 * 65536, stores: 65536 });
  // Every access is of 64 bytes: two sectors.
  assert.is(mirror.managed.remoteSectors, 3 * 2 * 65536);
  const counters = await run("add:size=8MiB,grain=64", { deviceThreads: "one", placement: "counters" });
  assert.ok(counters.managed.notifications > 0);
  assert.is(counters.device.bytesIn, 8 * MIB);
});
add(
  "several orders of warps give each count's least, median and most, and the same bytes every time",
  async () => {
    const config = { schedules: 5, deviceMemory: "4MiB", sms: 2 } as const;
    const report = await run("gups:size=8MiB,updates=3000,seed=3", config);
    const { schedules, spread } = report.driver!;
    assert.is(schedules, 5);
    const { least, median, most } = spread.groups;
    assert.ok(least <= median && median <= most && least < most, JSON.stringify(spread.groups));
    assert.ok(least <= report.managed.groups && report.managed.groups <= most);
    assert.equal(await run("gups:size=8MiB,updates=3000,seed=3", config), report);
  },
);
add("a report in the middle has the device finish what it was fed", async () => {
  using simulation = await Simulation.create(MANAGED);
  simulation.feed(blockOf([{ agent: 1, address: BASE }]));
  assert.is(simulation.report().managed.groups, 1);
});
add("a region of interest has the faults of its accesses", async () => {
  const accesses = Array.from({ length: 64 }, (_, i) => ({
    agent: 1,
    kind: "store",
    address: BASE + i * PAGE,
  })) as Partial<Access>[];
  const report = await simulate([blockOf(accesses)], { ...MANAGED, roi: [16, 32] });
  // One fault at page 16; 0 came before, 32 and the rest are not made.
  assert.equal([report.faults.device, report.device.bytesIn], [1, 16 * PAGE]);
});
add("addresses that cannot be mapped are left out and counted", async () => {
  using simulation = await Simulation.create({ ...MANAGED, schedules: 2 });
  const wrong = [0, 4096, 2 ** 47, 2 ** 47 - 4096].map((address) => ({
    address,
    agent: address % 3 === 0 ? 0 : 1,
  }));
  simulation.feed(blockOf([...wrong, { address: BASE }]));
  assert.equal(simulation.skipped, { kernel: 1, unmappable: 3 });
  assert.is(simulation.replayed, 1);
});
add("RAM that is too small is a SimulationError", async () => {
  const block = blockOf(
    Array.from({ length: 1024 }, (_, i) => ({ kind: "store", address: BASE + i * PAGE })),
  );
  await simulate([block], { ...MANAGED, systemMemory: "1MiB" }).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /systemMemory 1024KiB is too small for this trace/),
  );
});
add("a trace's own advice and prefetches hold", async () => {
  const records = new BigUint64Array(2 * 3);
  const words = new Uint32Array(records.buffer);
  // Marks 20 (advise) and 21 (prefetch) are about the block's events; then the CPU reads the first page.
  [20, 21].forEach((kind, i) => words.set([0, 0, kind, i], 4 * i));
  writeRecord(records, 2, { kind: "load", address: BASE, size: 8 });
  const range = { name: "", address: BASE, bytes: 2 * MIB };
  const events = [
    { ...range, advice: 1, device: 65535 },
    { ...range, device: 0 },
  ];
  const block: RecordBlock = { records, events };
  const report = await simulate([block], MANAGED);
  // Read-mostly, made on the device: the CPU's read copies what its tree takes, and nothing leaves the
  // device.
  assert.equal(report.residency, { system: 16 * PAGE, device: 2 * MIB });
  assert.is(report.managed.bytesToHost, 16 * PAGE);
});
add.run();
