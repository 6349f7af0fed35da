/**
 * What is counted by range and by kernel: sums over the named ranges, with what lies elsewhere, are the run's
 * totals, under each memory model, placement and policy.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  openWorkload,
  simulate,
  Simulation,
  type RangeFigures,
  type SimulationConfig,
  type SimulationReport,
} from "../../../src/sim.ts";
import { eachRun } from "../../../src/sim/page-runs.ts";
import { BASE, blockOf, PAGE, pages } from "../../util/sim-blocks.ts";

/** All numbers of a value, by path; sizes of transfers by their bytes. */
function numbersOf(value: unknown, path = ""): [path: string, n: number][] {
  if (typeof value === "number") return [[path, value]];
  if (Array.isArray(value))
    return (value as { bytes: number; count: number }[]).map(({ bytes, count }) => [
      `${path}.${bytes}`,
      count,
    ]);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => numbersOf(item, `${path}.${key}`));
}

/** What a report has of the whole, by the names that a range has. */
function wholeOf({ device, ...report }: SimulationReport): RangeFigures {
  const { accesses, faults, groups, transfers } = report;
  const { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, bytesThrashed } = report;
  const fates = { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, bytesThrashed };
  const { bytesIn, bytesOut, bytesOutEvicted } = device;
  return { accesses, faults, groups, transfers, ...fates, bytesIn, bytesOut, bytesOutEvicted };
}

/** Adds up the numbers of some parts by path, without those that are 0. */
function sumOf(parts: readonly object[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [path, n] of parts.flatMap((part) => numbersOf(part))) sums[path] = (sums[path] ?? 0) + n;
  return Object.fromEntries(
    Object.entries(sums)
      .filter(([, n]) => n !== 0)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const figuresOf = ({
  name: _name,
  start: _start,
  bytes: _bytes,
  ...figures
}: SimulationReport["ranges"][0]) => figures;

/** Checks that named ranges are all that there is, and that nothing is counted twice. */
function checkSums(report: SimulationReport): void {
  const whole = sumOf([wholeOf(report)]);
  assert.equal(sumOf(report.ranges.map(figuresOf)), whole);
  assert.equal(sumOf([report.elsewhere!]), {});
  const { toDevice, toHost, peer } = report.transfers;
  for (const { count, bytes, sizes } of [toDevice, toHost, peer]) {
    assert.is(
      sizes.reduce((sum, size) => sum + size.count, 0),
      count,
    );
    assert.is(
      sizes.reduce((sum, size) => sum + size.count * size.bytes, 0),
      bytes,
    );
  }
  assert.is(toDevice.bytes, report.device.bytesCopied);
  // With managed memory some pages that leave are held by the CPU, too, and are not copied.
  if (report.memoryModel === "hmm") assert.is(toHost.bytes, report.device.bytesOut);
  else assert.ok(toHost.bytes <= report.device.bytesOut);
  for (const { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused } of [report, ...report.ranges])
    assert.ok(bytesPrefetchedUsed + bytesPrefetchedUnused <= bytesPrefetched);
}

const STENCIL = "stencil2d:size=8MiB,grain=256,iterations=2";
const GUPS = "gups:size=8MiB,updates=3000,init=cpu";
/** All addresses that the workloads use: what has no other name. */
const REST = { name: "rest", start: 2 ** 40, end: 2 ** 40 + 2 ** 26 };
const SMALL = {
  systemMemory: "64MiB",
  deviceMemory: "6MiB",
  backing: "metadata",
  ranges: [REST],
} as const;

const RUNS: [workload: string, config: SimulationConfig][] = [
  [STENCIL, {}],
  [STENCIL, { cluster: "4K", prefetch: "none", evict: "clock" }],
  [GUPS, { prefetch: "tbn", evict: "lru-64k", initial: "host" }],
  [GUPS, { placement: "mirror" }],
  [GUPS, { placement: "explicit", deviceMemory: "32MiB" }],
  [STENCIL, { memoryModel: "managed" }],
  [STENCIL, { memoryModel: "managed", placement: "counters", counterThreshold: 16 }],
  [GUPS, { memoryModel: "managed", evict: "lru-64k", prefetch: "sl" }],
  [GUPS, { memoryModel: "managed", placement: "mirror" }],
  [GUPS, { memoryModel: "managed", placement: "adaptive", evict: "lru-4k", prefetch: "tbn" }],
];

const sums = suite("sim: sums over ranges");
for (const [spec, config] of RUNS)
  sums(`${spec.split(":")[0]}: ${JSON.stringify(config)}`, async () => {
    checkSums(await simulate(openWorkload(spec), { ...SMALL, ...config }));
  });
sums("read-mostly data, evicted while the CPU has a copy", async () => {
  // The CPU writes 8 MiB, and the device reads them twice with room for 6: copies leave without a transfer.
  const range = { name: "a", start: BASE, end: BASE + 2048 * PAGE };
  const accesses = [
    ...pages(0, 2048, { kind: "store" }),
    ...pages(0, 2048, { agent: 1 }),
    ...pages(0, 2048, { agent: 1 }),
  ];
  const advise = ["a=read-mostly"];
  const report = await simulate([blockOf(accesses)], {
    ...SMALL,
    memoryModel: "managed",
    ranges: [range],
    advise,
  });
  checkSums(report);
  assert.ok(report.ranges[0].bytesOutEvicted > 0);
  assert.is(report.transfers.toHost.count, 0);
});
sums("a page that CPU and device take from each other: faults that wait count, too", async () => {
  const range = { name: "a", start: BASE, end: BASE + 512 * PAGE };
  const accesses = Array.from(
    { length: 40 },
    (_, i) => ({ kind: "store", agent: i % 2, address: BASE }) as const,
  );
  const report = await simulate([blockOf(accesses)], { ...SMALL, memoryModel: "managed", ranges: [range] });
  checkSums(report);
  assert.ok(report.managed.throttles > 0);
  assert.is(report.ranges[0].bytesThrashed, report.managed.thrashed * PAGE);
});
sums("devices with links", async () => {
  for (const peerFault of ["access", "migrate"] as const) {
    const accesses = [
      ...pages(0, 64, { agent: 1, kind: "store" }),
      ...pages(0, 64, { agent: 2, kind: "modify" }),
      ...pages(0, 64, { agent: 1 }),
      ...pages(0, 3),
    ];
    const ranges = [0, 20, 40].map((at, i) => ({
      name: `r${i}`,
      start: BASE + at * PAGE,
      end: BASE + [20, 40, 64][i] * PAGE,
    }));
    const config = { ...SMALL, deviceMemory: "2MiB", devices: 2, peers: "all", peerFault, ranges } as const;
    const report = await simulate([blockOf(accesses)], config);
    const { toHost, peer } = report.transfers;
    assert.equal(sumOf(report.ranges.map(figuresOf)), sumOf([wholeOf(report)]));
    assert.is(peer.bytes, report.device.bytesFromPeers);
    assert.is(peer.bytes + toHost.bytes, report.device.bytesOut);
    // Device 2 modifies 64 pages of device 1, each a load and a store over the link.
    if (peerFault === "access") assert.equal(report.accesses.device.peer, { loads: 64, stores: 64 });
    assert.equal(sumOf([report.elsewhere!]), {});
  }
});
sums("what has no name lies elsewhere, by hand", async () => {
  // The device reads clusters 0 and 1, of which 0 has a name; then the CPU takes page 17 back.
  const ranges = [{ name: "a", start: BASE, end: BASE + 16 * PAGE }];
  const accesses = [...pages(0, 2, { agent: 1 }), ...pages(16, 1, { agent: 1 }), ...pages(17, 1)];
  const {
    elsewhere,
    ranges: [a],
  } = await simulate([blockOf(accesses)], { systemMemory: "16MiB", deviceMemory: "1MiB", ranges });
  const none = { count: 0, bytes: 0, sizes: [] };
  const back = { count: 1, bytes: 16 * PAGE, sizes: [{ bytes: 16 * PAGE, count: 1 }] };
  assert.equal([a.groups, a.bytesPrefetched, a.bytesPrefetchedUsed], [1, 15 * PAGE, PAGE]);
  assert.equal(a.transfers, { toDevice: none, toHost: none, peer: none });
  assert.equal(elsewhere!.transfers, { toDevice: none, toHost: back, peer: none });
  assert.equal([elsewhere!.groups, elsewhere!.bytesPrefetched], [1, 15 * PAGE]);
  assert.equal([elsewhere!.bytesPrefetchedUsed, elsewhere!.bytesPrefetchedUnused], [0, 15 * PAGE]);
  assert.is((await simulate([blockOf(accesses)])).elsewhere, null);
});
sums("kernels and epochs add up to the run, prefetched pages included", async () => {
  for (const config of [{}, { memoryModel: "managed" }] as const) {
    const report = await simulate(openWorkload(STENCIL), { ...SMALL, ...config, epoch: "kernel" });
    const { groups, transfers, bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, bytesThrashed } =
      report;
    const whole = {
      groups,
      transfers,
      bytesPrefetched,
      bytesPrefetchedUsed,
      bytesPrefetchedUnused,
      bytesThrashed,
    };
    const parts = report.epochs.map((epoch) => {
      const {
        groups,
        transfers,
        bytesPrefetched,
        bytesPrefetchedUsed,
        bytesPrefetchedUnused,
        bytesThrashed,
      } = epoch;
      return {
        groups,
        transfers,
        bytesPrefetched,
        bytesPrefetchedUsed,
        bytesPrefetchedUnused,
        bytesThrashed,
      };
    });
    assert.equal(sumOf(parts), sumOf([whole]));
    const sizes = report.epochs.flatMap(({ transfers }) => transfers.toDevice.sizes);
    assert.ok(sizes.every(({ count }) => count > 0));
    assert.ok(report.kernels.some((kernel) => kernel.bytesPrefetchedUsed > 0));
  }
});
sums("a run of pages that crosses 64 KiB is one transfer; a hole ends it", () => {
  const CLUSTER = 16 * PAGE;
  // Pages 3 to 31 of two clusters, none of the third, all of the fourth, then 72 and 73: of pages 3 to 73.
  const words = [0xfff8, 0xffff, 0, 0xffff, 0x0300];
  const runs: [number, number][] = [];
  const range = { start: 3 * PAGE, end: 74 * PAGE };
  eachRun(
    range,
    (base) => words[base / CLUSTER],
    (first, end) => runs.push([first / PAGE, end / PAGE]),
  );
  assert.equal(runs, [
    [3, 32],
    [48, 64],
    [72, 74],
  ]);
});
sums("only the region of interest counts, and snapshots go on", async () => {
  const accesses = [
    ...pages(0, 600, { agent: 1 }),
    ...pages(0, 300),
    ...pages(0, 600, { agent: 1, kind: "store" }),
  ];
  const ranges = [
    { name: "a", start: BASE, end: BASE + 512 * PAGE },
    { name: "b", start: BASE + 512 * PAGE, end: BASE + 1024 * PAGE },
  ];
  for (const more of [{}, { memoryModel: "managed" }] as const) {
    const config = { systemMemory: "16MiB", deviceMemory: "2MiB", roi: "700-", ranges, ...more } as const;
    using simulation = await Simulation.create(config);
    simulation.feed(blockOf(accesses.slice(0, 1000)));
    using copy = Simulation.restore(simulation.snapshot());
    for (const one of [simulation, copy]) one.feed(blockOf(accesses.slice(1000)));
    const report = simulation.report();
    assert.equal(copy.report(), report);
    assert.equal(sumOf(report.ranges.map(figuresOf)), sumOf([wholeOf(report)]));
  }
});
sums.run();
