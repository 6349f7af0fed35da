/** Links between devices: access over them, migration over them, and homes of pages. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ConfigError,
  simulate,
  Simulation,
  type Access,
  type Evict,
  type LinkReport,
  type SimulationConfig,
  type SimulationReport,
} from "../../../src/sim.ts";
import { Random } from "../../../src/engine/random.ts";
import { BASE, blockOf, PAGE, pages } from "../../util/sim-blocks.ts";

const CLUSTER = 16 * PAGE;
const MEMORY = { systemMemory: "16MiB", deviceMemory: "128KiB" } as const;
const TWO = { devices: 2, peers: "all" } as const;

async function run(
  accesses: readonly Partial<Access>[],
  config: SimulationConfig,
): Promise<SimulationReport> {
  using simulation = await Simulation.create({ ...MEMORY, ...config });
  simulation.feed(blockOf(accesses));
  simulation.verify();
  return simulation.report();
}

/** What each device's link says, without names. */
const linksOf = ({ devices }: SimulationReport): Omit<LinkReport, "name">[] =>
  devices.flatMap(({ links }) => links.map(({ name: _, ...counts }) => counts));
const NOTHING = { loads: 0, stores: 0, bytesLoaded: 0, bytesStored: 0, bytesIn: 0 };

const peers = suite("sim: links between devices");

peers("a device accesses what is in the memory of a peer, and nothing moves", async () => {
  // Device 1 makes a cluster. Device 2 reads its page 3 (a fault, which maps all 16 pages), stores to page 4,
  // and modifies page 5: 2 loads of 8 bytes, 2 stores of 8 bytes over the link. Device 1 goes on without a
  // fault.
  const report = await run(
    [
      ...pages(0, 1, { kind: "store", agent: 1 }),
      ...pages(3, 1, { agent: 2 }),
      ...pages(4, 1, { kind: "store", agent: 2 }),
      ...pages(5, 1, { kind: "modify", agent: 2 }),
      ...pages(0, 16, { agent: 1 }),
    ],
    TWO,
  );
  assert.equal(
    report.devices.map(({ faultsByKind, bytesIn, bytesOut }) => [faultsByKind, bytesIn, bytesOut]),
    [
      [{ migrate: 1, mirror: 0 }, CLUSTER, 0],
      [{ migrate: 0, mirror: 1 }, 0, 0],
    ],
  );
  assert.equal(report.accesses.device.peer, { loads: 2, stores: 2 });
  assert.equal(report.accesses.device.ram, { loads: 0, stores: 0 });
  assert.equal(linksOf(report), [
    NOTHING,
    { loads: 2, stores: 2, bytesLoaded: 16, bytesStored: 16, bytesIn: 0 },
  ]);
  assert.equal(report.devices[1].links[0].name, "device 1");
});

peers("pages that are in RAM still move, when pages beside them are accessed over a link", async () => {
  // The CPU makes pages 0 to 3, device 1 takes page 0. Device 2 maps page 0 there, and pages 1 to 3 come.
  const accesses = [
    ...pages(0, 4, { kind: "store" }),
    ...pages(0, 1, { agent: 1 }),
    ...pages(0, 4, { agent: 2 }),
  ];
  const { devices } = await run(accesses, { ...TWO, cluster: "4K", prefetch: "none" });
  assert.equal(devices[1].faultsByKind, { migrate: 3, mirror: 1 });
  const whole = [...pages(0, 1, { agent: 1 }), ...pages(3, 1), ...pages(0, 4, { agent: 2 })];
  // The CPU took back the whole cluster, of which device 2 maps nothing before it comes.
  const { devices: both } = await run(whole, TWO);
  assert.equal(both[1].faultsByKind, { migrate: 1, mirror: 0 });
});

peers("what a peer has written is dirty when its device evicts it", async () => {
  // Device 1 reads clusters 0 and 1, which fill its memory; device 2 stores to two pages of cluster 0, which
  // has the oldest page all the same: cluster 2 evicts it. Then device 2 faults anew, on RAM, and cluster 0
  // comes to it.
  const accesses = [
    ...pages(0, 1, { agent: 1 }),
    ...pages(7, 2, { kind: "store", agent: 2 }),
    ...pages(16, 1, { agent: 1 }),
    ...pages(32, 1, { agent: 1 }),
    ...pages(7, 1, { agent: 2 }),
  ];
  const report = await run(accesses, TWO);
  const [one, two] = report.devices;
  assert.equal([one.evictions, one.pagesOutDirty, one.pagesOutClean], [1, 2, 14]);
  assert.equal([two.faultsByKind, two.bytesIn], [{ migrate: 1, mirror: 1 }, CLUSTER]);
  assert.equal(linksOf(report)[1], { ...NOTHING, stores: 2, bytesStored: 16 });
});

peers("a use over the link keeps a page on its device: lru by the core, and sieve by its log", async () => {
  for (const evict of ["lru", "sieve"] as const) {
    // Pages 0 and 1 fill device 1. Device 2 uses page 0, so page 1 makes room for page 2.
    const accesses = [
      ...pages(0, 2, { agent: 1 }),
      ...pages(0, 1, { agent: 2 }),
      ...pages(2, 1, { agent: 1 }),
      ...pages(0, 1, { agent: 1 }),
    ];
    const exact = { cluster: "4K", prefetch: "none", deviceMemory: undefined, deviceFrames: 2 } as const;
    const { devices } = await run(accesses, { ...TWO, ...exact, evict });
    assert.equal([devices[0].faults, devices[0].evictions], [3, 1], evict);
  }
});

peers("with peerFault migrate the pages move over the link, and only those of the cluster", async () => {
  // Device 1 makes clusters 0 and 1 and writes page 0. Device 2 reads page 3: cluster 0 moves to it. The CPU
  // then fetches it back from there.
  const accesses = [
    ...pages(0, 1, { kind: "store", agent: 1 }),
    ...pages(16, 1, { agent: 1 }),
    ...pages(3, 1, { agent: 2 }),
    ...pages(3, 1, { kind: "store", agent: 2 }),
  ];
  const report = await run(accesses, { ...TWO, peerFault: "migrate" });
  const [one, two] = report.devices;
  assert.equal([one.bytesIn, one.bytesOut, one.bytesOutDirty], [2 * CLUSTER, CLUSTER, PAGE]);
  assert.equal(
    [two.bytesIn, two.bytesCopied, two.bytesFromPeers, two.residency],
    [CLUSTER, 0, CLUSTER, CLUSTER],
  );
  assert.equal([one.faultsByKind, two.faultsByKind].map(Object.values), [
    [2, 0],
    [1, 0],
  ]);
  assert.equal(linksOf(report), [NOTHING, { ...NOTHING, bytesIn: CLUSTER }]);
  assert.equal([report.residency.system, report.residency.device], [0, 2 * CLUSTER]);
  const back = await run([...accesses, ...pages(0, 1)], { ...TWO, peerFault: "migrate" });
  // Device 2's own store was to page 3.
  assert.equal([back.faultsByKind.cpu.device, back.devices[1].bytesOutDirty], [1, PAGE]);
});

peers("devices without a link exchange pages by way of RAM", async () => {
  // A chain of three: device 1 is linked with 2, and 2 with 3.
  const config = { devices: 3, peers: ["2-3", "1-2"] } as const;
  const accesses = [
    ...pages(0, 1, { kind: "store", agent: 1 }),
    ...pages(1, 1, { agent: 2 }),
    ...pages(2, 1, { agent: 3 }),
    ...pages(1, 1, { agent: 2 }),
  ];
  const report = await run(accesses, config);
  assert.equal(
    report.devices.map(({ links }) => links.map(({ name }) => name)),
    [["device 2"], ["device 1", "device 3"], ["device 2"]],
  );
  // Device 2 read the cluster on device 1, then on device 3, which fetched it through RAM.
  assert.equal(
    report.devices.map(({ bytesIn, bytesOut, bytesCopied }) => [bytesIn, bytesOut, bytesCopied]),
    [
      [CLUSTER, CLUSTER, 0],
      [0, 0, 0],
      [CLUSTER, 0, CLUSTER],
    ],
  );
  assert.equal(
    report.devices[1].links.map(({ loads }) => loads),
    [1, 1],
  );
});

peers("a page's home: by name, in turn, or the device that faults", async () => {
  const ranges = [{ name: "a", start: BASE, end: BASE + CLUSTER }];
  const accesses = [0, 1, 2].flatMap((cluster) => pages(16 * cluster, 1, { agent: 1 }));
  const resident = async (homes?: string[]): Promise<number[]> => {
    const { devices } = await run(accesses, { ...TWO, ranges, homes });
    return devices.map(({ residency }) => residency / CLUSTER);
  };
  // 128 KiB hold two clusters.
  assert.equal(await resident(), [2, 0]);
  assert.equal(await resident(["a=2"]), [2, 1]);
  // BASE is 0x500 × 64 KiB, and an even number is device 1's turn: clusters 0 and 2; cluster 1 is device 2's.
  assert.is((BASE / CLUSTER) % 2, 0);
  assert.equal(await resident(["interleave"]), [2, 1]);
  assert.equal(await resident(["interleave", "a=2"]), [1, 2]);
  const { devices } = await run(accesses, { ...TWO, homes: ["interleave"] });
  assert.equal([devices[0].faultsByKind, devices[1].faults], [{ migrate: 3, mirror: 0 }, 0]);
  // Device 3 is no home for device 1, to which no link leads from there.
  const first = accesses.slice(0, 1);
  const three = await run(first, { devices: 3, peers: ["1-2"], ranges, homes: ["a=3"] });
  assert.equal(
    three.devices.map(({ residency }) => residency / CLUSTER),
    [1, 0, 0],
  );
  // Cluster 1 was brought by device 1's fault, and its access went over the link.
  assert.equal(linksOf({ devices } as SimulationReport)[0].loads, 1);
});

peers("pages that stay keep what is known of them when neighbors in the cluster move", async () => {
  // Device 1 makes pages 0 to 15 and writes page 0. The CPU takes pages 8 to 15, and device 2 fetches them.
  // Page 0's dirty bit and mapping outlast that: device 1 goes on without a fault. It has room for 16 pages,
  // so 16 others evict its 8, of which one is dirty.
  const config = { devices: 2, cluster: "4K", prefetch: "sl", deviceFrames: 16 } as const;
  for (const links of ["none", "all"] as const) {
    const accesses = [
      ...pages(0, 1, { kind: "store", agent: 1 }),
      ...pages(8, 8, { kind: "store" }),
      ...pages(8, 8, { agent: 2 }),
      ...pages(0, 1, { agent: 1 }),
      ...pages(32, 16, { agent: 1 }),
    ];
    const { devices } = await run(accesses, { ...config, deviceMemory: undefined, peers: links });
    const [{ pagesOutDirty, evictions, faults }] = devices;
    assert.equal([pagesOutDirty, evictions, faults], [1, 8, 2], links);
  }
});

/** Random accesses of agents 0 to 3, some of which straddle two pages. */
function randomAccesses(seed: number, n: number): Partial<Access>[] {
  const random = new Random(seed);
  return Array.from({ length: n }, () => ({
    address: BASE + random.below(120) * PAGE + 4090,
    size: 1 + random.below(12),
    kind: random.pick(["load", "store", "modify"] as const)!,
    agent: random.below(4),
  }));
}

const RANDOM: (SimulationConfig & { evict: Evict })[] = [
  { evict: "lru", peers: "all" },
  { evict: "sieve", peers: ["1-2"], cluster: "4K", prefetch: "sl", homes: ["interleave"] },
  { evict: "arc", peers: "all", peerFault: "migrate" },
  { evict: "lfu-2m", peers: ["1-3", "2-3"], peerFault: "migrate", cluster: "4K", prefetch: "sl" },
];
for (const [i, policy] of RANDOM.entries())
  peers(
    `random accesses, ${JSON.stringify(policy)}: invariants hold, sums add up, snapshots go on`,
    async () => {
      const accesses = randomAccesses(i + 1, 600);
      const config = { ...MEMORY, ...policy, devices: 3, epoch: 300, roi: [100, 550] } as const;
      const whole = await simulate([blockOf(accesses)], config);
      const { device, devices, accesses: made } = whole;
      const total = (of: (link: LinkReport) => number): number =>
        devices.flatMap(({ links }) => links.map(of)).reduce((sum, one) => sum + one, 0);
      assert.equal([total((one) => one.loads), total((one) => one.stores)], Object.values(made.device.peer));
      assert.is(
        total((one) => one.bytesIn),
        device.bytesFromPeers,
      );
      assert.ok(policy.peerFault === "migrate" ? device.bytesFromPeers > 0 : made.device.peer.loads > 0);
      using simulation = await Simulation.create(config);
      for (let at = 0; at < accesses.length; at += 100) {
        simulation.feed(blockOf(accesses.slice(at, at + 100)));
        simulation.verify();
        if (at !== 400) continue;
        using copy = Simulation.restore(simulation.snapshot());
        copy.feed(blockOf(accesses.slice(at + 100)));
        copy.verify();
        assert.equal(copy.report(), whole);
      }
      assert.equal(simulation.report(), whole);
    },
  );

peers("fields that cannot be are refused", async () => {
  const refused = async (config: unknown, message: RegExp): Promise<void> => {
    try {
      (await Simulation.create(config as SimulationConfig)).close();
    } catch (error) {
      assert.instance(error, ConfigError);
      assert.match((error as Error).message, message);
      return;
    }
    assert.unreachable(String(message));
  };
  await refused({ ...TWO, peers: "some" }, /peers some: expected none, all, or a list of pairs A-B/);
  for (const pair of ["1-3", "1-1", "0-1", "1", 12])
    await refused({ ...TWO, peers: [pair] }, /peers \S+: expected A-B, two devices from 1 to 2/);
  await refused({ ...TWO, placement: "mirror" }, /peers all: expected placement migrate/);
  await refused({ devices: 2, peerFault: "access" }, /peerFault access: expected peers/);
  await refused({ devices: 2, homes: ["a=1"] }, /homes \["a=1"\]: expected peers/);
  await refused({ ...TWO, homes: ["a=3"] }, /homes a=3: expected NAME=N, with a device from 1 to 2/);
  await refused({ ...TWO, homes: "interleave" }, /homes interleave: expected a list/);
  await refused({ ...TWO, peerFault: "push" }, /peerFault push: expected access or migrate/);
  await refused(
    { ...TWO, peerFault: "migrate", homes: ["a=1"] },
    /homes \["a=1"\]: expected peerFault access/,
  );
  const managed = { ...TWO, memoryModel: "managed", deviceMemory: "2MiB" };
  await refused({ ...managed, homes: ["a=1"] }, /homes \["a=1"\]: expected memoryModel hmm/);
  await refused({ ...managed, placement: "mirror" }, /peers all: expected placement migrate/);
  await refused({ ...managed, placement: "smart" }, /devices 2: expected one device with placement smart/);
  for (const advice of ["a=preferred-device@3", "a=preferred-cpu@1", "a=accessed-by-device@0"])
    await refused({ ...managed, advise: [advice] }, /advise \S+: expected NAME=ADVICE.*@N, from 1 to 2/);
});

peers.run();
