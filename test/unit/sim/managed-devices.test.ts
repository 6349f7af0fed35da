/** Several devices with managed memory: moves between them, maps over links, advice, thrashing, counts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  simulate,
  Simulation,
  type Access,
  type SimulationConfig,
  type SimulationReport,
} from "../../../src/sim.ts";
import { writeRecord } from "../../../src/sim/record.ts";
import { BASE, LINKED, MIB, PAGE, TWO } from "./managed-world.ts";

type Step = Partial<Access> & { page?: number };

/** Accesses of 8 bytes, each after the ones before: marks of a kernel lie between them. */
function inOrder(steps: readonly Step[]): BigUint64Array {
  const all = steps.flatMap(({ page = 0, ...step }) => [
    { kind: "load", size: 8, address: BASE + page * PAGE, ...step } as const,
    { kind: "kernelEnd", size: 0 } as const,
  ]);
  const records = new BigUint64Array(2 * all.length);
  all.forEach((one, i) => writeRecord(records, i, one));
  return records;
}

/** Runs steps one after the other, and checks every invariant of the engine after each. */
async function run(steps: readonly Step[], config: SimulationConfig): Promise<SimulationReport> {
  using simulation = await Simulation.create(config);
  for (const step of steps) {
    simulation.feed(inOrder([step]));
    simulation.verify();
  }
  return simulation.report();
}

const one = { agent: 1 } as const;
const two = { agent: 2 } as const;
const [STORE_1, STORE_2] = [
  { ...one, kind: "store" },
  { ...two, kind: "store" },
] as const;

const transfersOf = ({ transfers: { toDevice, toHost, peer } }: SimulationReport): number[] => [
  toDevice.count,
  toHost.count,
  peer.count,
];

const devices = suite("sim: devices with managed memory");

devices("a page that another device has moves: by way of RAM, or over a link", async () => {
  // Device 1 makes a page; device 2 faults on it; then device 1 takes it back: two moves.
  const steps = [STORE_1, two, one];
  const apart = await run(steps, TWO);
  assert.equal(transfersOf(apart), [2, 2, 0]);
  assert.equal([apart.device.bytesIn, apart.device.bytesCopied], [3 * PAGE, 2 * PAGE]);
  const near = await run(steps, LINKED);
  assert.equal(transfersOf(near), [0, 0, 2]);
  assert.equal([near.device.bytesIn, near.device.bytesFromPeers], [3 * PAGE, 2 * PAGE]);
  for (const report of [apart, near]) {
    assert.equal(
      report.devices.map((device) => [device.faults, device.bytesIn, device.bytesOut, device.residency]),
      [
        [2, 2 * PAGE, PAGE, PAGE],
        [1, PAGE, PAGE, 0],
      ],
    );
    // Of what left, device 1 had written its page once; device 2 only read.
    assert.equal(
      report.devices.map(({ bytesOutDirty }) => bytesOutDirty),
      [PAGE, 0],
    );
    assert.equal(
      report.devices.map(({ bytesInAgain }) => bytesInAgain),
      [PAGE, 0],
    );
  }
  const timed = await run(steps, { ...LINKED, time: "pcie3-1080ti" });
  assert.ok(timed.timing!.busy.peer > 0 && timed.timing!.busy.toHost === 0);
  assert.equal(
    near.devices.map(({ links: [link] }) => [link.name, link.bytesIn, link.loads]),
    [
      ["device 2", PAGE, 0],
      ["device 1", PAGE, 0],
    ],
  );
});
devices("with peerFault access it stays, and is accessed over the link", async () => {
  const steps = [STORE_1, two, STORE_2, one];
  const report = await run(steps, { ...LINKED, peerFault: "access" });
  assert.equal(transfersOf(report), [0, 0, 0]);
  assert.equal(
    report.devices.map(({ faultsByKind: { migrate, mirror } }) => [migrate, mirror]),
    [
      [1, 0],
      [0, 1],
    ],
  );
  // A load and a store of device 2, each of a sector of 32 bytes.
  const [, { links }] = report.devices;
  assert.equal(links, [
    { name: "device 1", loads: 1, stores: 1, bytesLoaded: 32, bytesStored: 32, bytesIn: 0 },
  ]);
  assert.equal(report.accesses.device.peer, { loads: 1, stores: 1 });
  assert.equal(report.accesses.device.ram, { loads: 0, stores: 0 });
  assert.equal(report.ranges[0].accesses.device.peer, { loads: 1, stores: 1 });
  // A store over the link makes the page dirty, which leaves when the CPU comes.
  const dirty = await run([one, STORE_2, {}], { ...LINKED, peerFault: "access" });
  assert.is(dirty.device.bytesOutDirty, PAGE);
  // Pages in RAM still move: only those on devices stay.
  const fromRam = await run([{ kind: "store" }, two], { ...LINKED, peerFault: "access" });
  assert.equal(transfersOf(fromRam), [1, 0, 0]);
});
devices("advice: preferred location and accessed-by, of a device with a link and without", async () => {
  // Preferred is device 1. Device 2 faults first: it can map device 1's memory by the link (rule 7), so the
  // page is made there, and with it the block, as its first touch is by preference; without a link it is
  // made on device 2.
  const advise = ["a=preferred-device"];
  const near = await run([STORE_2, one], { ...LINKED, advise });
  assert.equal(
    near.devices.map(({ residency }) => residency),
    [2 * MIB, 0],
  );
  assert.equal(near.accesses.device.peer, { loads: 0, stores: 1 });
  const apart = await run([STORE_2], { ...TWO, advise });
  assert.equal(
    apart.devices.map(({ residency }) => residency),
    [0, PAGE],
  );
  // Device 1 faults: it is the preferred location (rule 4).
  const back = await run([STORE_2, one], { ...TWO, advise });
  assert.equal(
    back.devices.map(({ residency }) => residency),
    [PAGE, 0],
  );
  // Accessed by device 2: what device 1 has stays, and device 2 has its map at once, without a fault.
  const by = { advise: ["a=accessed-by-device@2"] };
  const mapped = await run([STORE_1, two, STORE_2], { ...LINKED, ...by });
  assert.equal(
    mapped.devices.map(({ faults }) => faults),
    [1, 0],
  );
  assert.equal(mapped.accesses.device.peer, { loads: 1, stores: 1 });
  const unlinked = await run([STORE_1, two], { ...TWO, ...by });
  assert.equal(
    unlinked.devices.map(({ residency }) => residency),
    [0, PAGE],
  );
});
devices("read-mostly data are copied to each device; a write leaves one copy", async () => {
  const config = { ...LINKED, advise: ["a=read-mostly"] };
  const read = await run([{ kind: "store" }, one, two], config);
  // Device 2 copies from the nearest holder that it can map: device 1, over the link.
  assert.equal(transfersOf(read), [1, 0, 1]);
  assert.equal(read.residency, { system: PAGE, device: 2 * PAGE });
  const written = await run([{ kind: "store" }, one, two, STORE_2], config);
  assert.equal(written.residency, { system: 0, device: PAGE });
  assert.equal(
    written.devices.map(({ residency }) => residency),
    [0, PAGE],
  );
  // Copies on two devices and none in RAM, of which the CPU writes one.
  const onDevices = await run([STORE_1, two, { kind: "store" }], config);
  assert.equal(onDevices.residency, { system: PAGE, device: 0 });
  assert.equal(onDevices.faultsByKind.cpu.device, 1);
});
devices("a page that devices take from each other is pinned where both can map it", async () => {
  const steps = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? STORE_1 : STORE_2));
  const near = await run(steps, { ...LINKED, thrashingLapse: 100_000 });
  // The first touch makes the page; the fifth move after it marks the page (three events are counted). The
  // link is fast, with native atomics, so the sixth fault pins it where it is.
  assert.is(near.managed.thrashed, 1);
  assert.is(near.managed.throttles, 0);
  assert.ok(near.managed.pins > 0 && near.accesses.device.peer.stores > 0);
  assert.equal(transfersOf(near), [0, 0, 5]);
  // Without a link only one of them can have it: the others wait, then use it in RAM.
  const apart = await run([...steps, ...steps, ...steps], { ...TWO, thrashingLapse: 100_000 });
  assert.ok(apart.managed.throttles > 0);
});
devices("access counters bring what a device accesses over the link", async () => {
  const loads = Array.from({ length: 8 }, () => two);
  const config = { ...LINKED, placement: "counters", counterThreshold: 4 } as const;
  const report = await run([STORE_1, ...loads], config);
  // Nobody holds the page at first, so it is made on device 1; four loads over the link make a notification.
  assert.is(report.managed.notifications, 1);
  assert.equal(
    report.devices.map(({ residency }) => residency),
    [0, PAGE],
  );
  assert.equal(report.accesses.device.peer, { loads: 4, stores: 0 });
});
devices("each device has its own memory, batches and µTLBs, and they run at the same time", async () => {
  // Each device stores to four blocks of its own, with room for two: two evictions each.
  const steps = Array.from({ length: 8 }, (_, i) => ({
    kind: "store" as const,
    agent: 1 + (i % 2),
    address: BASE + i * MIB * 2,
    size: 8,
    thread: 0,
  }));
  const records = new BigUint64Array(2 * steps.length);
  steps.forEach((step, i) => writeRecord(records, i, step));
  const report = await simulate([records], { ...TWO, systemMemory: "64MiB" });
  assert.equal(
    report.devices.map(({ faults, evictions, groups, residency }) => [faults, evictions, groups, residency]),
    [
      [4, 2, 4, 2 * PAGE],
      [4, 2, 4, 2 * PAGE],
    ],
  );
  assert.is(report.device.bytesPeak, 4 * PAGE);
});
devices.run();
