/** Several devices over one address space. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  simulate,
  Simulation,
  SimulationError,
  type Access,
  type DeviceReport,
  type SimulationConfig,
  type SimulationReport,
} from "../../../src/sim.ts";
import { Random } from "../../../src/engine/random.ts";
import { BASE, blockOf, PAGE, pages } from "../../util/sim-blocks.ts";

const CLUSTER = 16 * PAGE;
const MEMORY = { systemMemory: "16MiB", deviceMemory: "128KiB" } as const;

/** The counts of the devices are the sums that the report has beside them. */
function checkSums(report: SimulationReport): void {
  const total = (of: (one: DeviceReport) => number): number =>
    report.devices.reduce((sum, one) => sum + of(one), 0);
  const { accesses, faults, faultsByKind, device, residency, evictions, invalidations } = report;
  assert.equal(
    [total((one) => one.accesses.loads), total((one) => one.accesses.stores)],
    [accesses.device.loads, accesses.device.stores],
  );
  assert.equal(
    [total((one) => one.faults), total((one) => one.residency)],
    [faults.device, residency.device],
  );
  assert.is(
    total((one) => one.faultsByKind.migrate),
    faultsByKind.device.migrate,
  );
  assert.equal(
    [total((one) => one.evictions), total((one) => one.invalidations)],
    [evictions, invalidations],
  );
  for (const key of ["bytesIn", "bytesCopied", "bytesInAgain", "bytesOut", "bytesOutDirty"] as const)
    assert.is(
      total((one) => one[key]),
      device[key],
      key,
    );
  assert.ok(device.bytesPeak <= total((one) => one.bytesPeak));
}

async function run(
  accesses: readonly Partial<Access>[],
  config: SimulationConfig,
): Promise<SimulationReport> {
  using simulation = await Simulation.create({ ...MEMORY, ...config });
  simulation.feed(blockOf(accesses));
  simulation.verify();
  const report = simulation.report();
  checkSums(report);
  return report;
}

const devices = suite("sim: several devices");
devices("a page on another device comes back through RAM, its whole cluster with it", async () => {
  const accesses = [
    ...pages(0, 16, { kind: "store" }), // the CPU fills a cluster
    ...pages(0, 1, { kind: "store", agent: 1 }), // device 1 takes it, and writes one page
    ...pages(3, 1, { agent: 2 }), // device 2 reads another page: device 1 gives the cluster back
    ...pages(3, 1, { kind: "store", agent: 2 }), // it may write without a fault
    ...pages(5, 1), // the CPU fetches it back from device 2
  ];
  const { faultsByKind, residency, device, devices: each } = await run(accesses, { devices: 2 });
  assert.equal(faultsByKind.cpu, { zero: 0, anon: 16, cow: 0, reuse: 0, device: 1, other: 0 });
  assert.equal([residency.device, device.bytesPeak], [0, CLUSTER]);
  const copied = { bytesIn: CLUSTER, bytesCopied: CLUSTER, bytesFromPeers: 0 };
  const moved = { ...copied, bytesInAgain: 0, bytesOut: CLUSTER };
  // Of the pages that came back, the CPU saw one written by each device.
  const rest = {
    bytesOutDirty: PAGE,
    bytesOutEvicted: 0,
    bytesPeak: CLUSTER,
    evictions: 0,
    residency: 0,
    links: [],
  };
  const inPages = { pagesIn: 16, pagesInAgain: 0, pagesOutDirty: 0, pagesOutClean: 0 };
  const faults = { faults: 1, faultsByKind: { migrate: 1, mirror: 0 } };
  // One fault takes the cluster over the link and one gives it back. It asked for one page of 16, and the
  // device has touched no other.
  const cluster = { count: 1, bytes: CLUSTER, sizes: [{ bytes: CLUSTER, count: 1 }] };
  const none = { count: 0, bytes: 0, sizes: [] };
  const link = { groups: 1, transfers: { toDevice: cluster, toHost: cluster, peer: none } };
  const ahead = {
    bytesPrefetched: 15 * PAGE,
    bytesPrefetchedUsed: 0,
    bytesPrefetchedUnused: 15 * PAGE,
    bytesThrashed: 0,
  };
  const traffic = { ...moved, ...inPages, ...rest, ...link, ...ahead };
  assert.equal(
    each.map(({ invalidations: _, invalidationsByEvent: __, ...one }) => one),
    [
      { name: "device 1", accesses: { loads: 0, stores: 1 }, ...faults, ...traffic },
      { name: "device 2", accesses: { loads: 1, stores: 1 }, ...faults, ...traffic },
    ],
  );
  // Each hears of the four moves: in and out, of either device.
  assert.equal(
    each.map(({ invalidationsByEvent }) => invalidationsByEvent.migrate),
    [4, 4],
  );
});
devices("each device has memory of its own, and evicts its own pages", async () => {
  // 128 KiB hold two clusters: device 1 works on two, device 2 on three.
  const accesses = [0, 1, 2, 3, 4].flatMap((i) => pages(16 * i, 1, { agent: i < 2 ? 1 : 2, kind: "store" }));
  const two = await run(accesses, { devices: 2 });
  assert.equal(
    two.devices.map(({ evictions, residency, bytesPeak }) => [evictions, residency, bytesPeak]),
    [
      [0, 2 * CLUSTER, 2 * CLUSTER],
      [1, 2 * CLUSTER, 2 * CLUSTER],
    ],
  );
  assert.is(two.device.bytesPeak, 4 * CLUSTER);
  const one = await run(accesses, {});
  assert.equal([one.devices.length, one.evictions, one.residency.device], [1, 3, 2 * CLUSTER]);
});
devices("under mirror each device maps RAM, and no page moves", async () => {
  const accesses = [1, 2, 3].flatMap((agent) => pages(0, 4, { agent }));
  const report = await run(accesses, { devices: 3, placement: "mirror" });
  assert.equal(
    report.devices.map(({ faultsByKind, bytesIn }) => [faultsByKind.mirror > 0, bytesIn]),
    [
      [true, 0],
      [true, 0],
      [true, 0],
    ],
  );
});
devices("one device is what several are when only one is used", async () => {
  const random = new Random(3);
  const accesses = Array.from({ length: 2000 }, () => ({
    address: BASE + random.below(100) * PAGE,
    kind: random.pick(["load", "store", "modify"] as const)!,
    agent: random.below(2),
  }));
  const [one, several] = [await run(accesses, {}), await run(accesses, { devices: 3 })];
  const { name, invalidations, invalidationsByEvent, ...first } = one.devices[0];
  assert.equal(name, "device 1");
  assert.equal(several.devices[0], { name, ...first, invalidations, invalidationsByEvent });
  assert.equal(several.faultsByKind, one.faultsByKind);
  assert.equal(several.device, one.device);
});
devices("random accesses by four agents: every invariant holds, and snapshots go on", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = new Random(seed);
    const accesses = Array.from({ length: 1200 }, () => ({
      address: BASE + random.below(120) * PAGE + 4090,
      size: 1 + random.below(12), // some straddle two pages
      kind: random.pick(["load", "store", "modify"] as const)!,
      agent: random.below(4),
    }));
    const config = { ...MEMORY, devices: 3, epoch: 500, roi: [300, 1100] } as const;
    const whole = await simulate([blockOf(accesses)], config);
    checkSums(whole);
    assert.ok(whole.devices.every(({ evictions, bytesInAgain }) => evictions > 0 && bytesInAgain > 0));
    using simulation = await Simulation.create(config);
    for (let at = 0; at < accesses.length; at += 100) {
      simulation.feed(blockOf(accesses.slice(at, at + 100)));
      simulation.verify();
      if (at !== 500) continue;
      using copy = Simulation.restore(simulation.snapshot());
      copy.verify();
      copy.feed(blockOf(accesses.slice(at + 100)));
      assert.equal(copy.report(), whole, `the copy, seed ${seed}`);
      copy.verify();
    }
    assert.equal(simulation.report(), whole, `seed ${seed}`);
  }
});
devices("whose accesses they are: by @N, and by the trace's agents", async () => {
  const accesses = [
    ...pages(0, 2, { thread: 0 }),
    ...pages(16, 3, { thread: 1, agent: 1 }),
    ...pages(32, 4, { thread: 2, agent: 2 }),
  ];
  const loads = async (config: SimulationConfig): Promise<number[]> => {
    const report = await run(accesses, { devices: 2, ...config });
    return [report.accesses.cpu.loads, ...report.devices.map((one) => one.accesses.loads)];
  };
  assert.equal(await loads({}), [2, 3, 4]);
  assert.equal(await loads({ agent: "device" }), [0, 9, 0]);
  assert.equal(await loads({ agent: "device@2" }), [0, 0, 9]);
  assert.equal(await loads({ agent: "threads:0,1@2" }), [4, 2, 3]);
  assert.equal(await loads({ agent: { threads: ["0-1@2", 2] } }), [0, 4, 5]);
  assert.equal(await loads({ deviceRanges: ["0x5000000-0x5001000@2"] }), [1, 3, 5]);
  const range = { start: BASE + 16 * PAGE, end: BASE + 17 * PAGE, device: 2 };
  assert.equal(await loads({ agent: "cpu", deviceRanges: [range] }), [8, 0, 1]);
});
devices("an agent beyond the devices is refused before any access of its block", async () => {
  using simulation = await Simulation.create({ ...MEMORY, devices: 2 });
  const accesses = [...pages(0, 3), ...pages(3, 1, { agent: 3 })];
  let error: unknown;
  try {
    simulation.feed(blockOf(accesses));
  } catch (thrown) {
    error = thrown;
  }
  assert.instance(error, SimulationError);
  assert.is((error as SimulationError).record, 3);
  assert.is((error as SimulationError).message, "devices 2: record 3 names agent 3: expected 0 to 2");
  assert.equal([simulation.fed, simulation.replayed, simulation.report().faults.cpu], [0, 0, 0]);
});
devices.run();
