/** The virtual clock: each part of a model, with the times that follow by hand. Times are in picoseconds. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Tlb } from "../../../../src/sim/time/tlb.ts";
import { timingOf } from "../../../../src/sim/time/timing.ts";
import { Timeline } from "../../../../src/sim/time/timeline.ts";
import type { TimeModel } from "../../../../src/sim/time/model-file.ts";
import { writeRecord, type Access, type TimedTransfer } from "../../../../src/sim.ts";
import { NO_LISTENER, rate, time } from "./models.ts";

const KIB = 1024;
const GROUP = { device: 1, entries: 1, pages: 3, address: 0, kind: "fault" } as const;

/** A link of 1 µs and 1 GB/s (1,000 ps a byte) each way. */
const LINK = {
  formula: "latency-bandwidth",
  toDevice: { latency: time(1, "us"), bandwidth: rate(1, "GB/s") },
  toHost: { latency: time(1, "us"), bandwidth: rate(1, "GB/s") },
} as const;
const COPY = 1e6 + 4096 * 1000; // 4 KiB over it

function timeline(model: Partial<TimeModel>): Timeline {
  return new Timeline({ schema: "heteromem-model/1", name: "test", about: "", ...model });
}

/** The causes that took time: busy and critical. */
function taken({ causes }: Timeline): Record<string, [number, number]> {
  const some = Object.entries(causes).filter(([, { busy, critical }]) => busy + critical > 0);
  return Object.fromEntries(some.map(([name, { busy, critical }]) => [name, [busy, critical]]));
}

function feed(on: Timeline, accesses: readonly Partial<Access>[], ramLoads = 0, ramStores = 0): void {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((one, i) => writeRecord(records, i, { kind: "load", size: 8, ...one }));
  on.records(new Uint32Array(records.buffer), 0, accesses.length, ramLoads, ramStores);
  on.settle();
}

const clock = suite("time: timeline");
clock("a batch takes its parts one after the other", () => {
  const group = {
    fetch: 1,
    preprocess: 2,
    fixed: 4,
    eachFault: 8,
    unmap: 16,
    eachBlock: 32,
    map: 64,
    replay: 128,
  };
  const faultGroup = Object.fromEntries(Object.entries(group).map(([part, ns]) => [part, time(ns, "ns")]));
  const on = timeline({ faultGroup });
  on.groupBegin(GROUP);
  assert.is(on.now, (1 + 2 + 4 + 3 * 8 + 16) * 1000); // three pages ask
  on.block();
  on.groupEnd();
  assert.is(on.now, (1 + 2 + 4 + 24 + 16 + 32 + 64 + 128) * 1000);
});
clock("the default's sum: 99.6 µs, and 5.55 µs a transfer with its link", () => {
  const on = timeline({
    link: LINK,
    faultGroup: { fixed: time(99.6, "us"), eachTransfer: time(5.55, "us") },
  });
  on.groupBegin(GROUP);
  on.transfer(0, 4096, "toDevice", "fault");
  on.transfer(4096, 4096, "toDevice", "prefetch");
  on.groupEnd();
  assert.is(on.now, 99_600_000 + 2 * 5_550_000 + 2 * COPY);
  assert.equal(taken(on), {
    fixed: [99_600_000, 99_600_000],
    transfer: [11_100_000, 11_100_000],
    toDevice: [2 * COPY, 2 * COPY],
  });
});
clock("a link between devices has times of its own, or those to a device", () => {
  const peer = { latency: time(3, "us"), bandwidth: rate(4, "GB/s") }; // 250 ps a byte
  for (const [link, expected] of [
    [{ ...LINK, peer }, 3e6 + 4096 * 250],
    [LINK, COPY],
  ] as const) {
    const on = timeline({ link });
    on.transfer(0, 4096, "peer", "fault");
    assert.is(on.now, expected);
  }
});
clock("atomic accesses to RAM take a time of their own", () => {
  const on = timeline({ remote: { latency: time(50, "ns"), atomic: time(400, "ns") } });
  on.remoteAccess(1, false, false);
  on.remoteAccess(1, true, false);
  on.remoteAccess(1, true, true);
  on.settle();
  assert.is(on.now, (50 + 50 + 400) * 1000);
  const alike = timeline({ remote: { latency: time(50, "ns") } });
  alike.remoteAccess(1, true, true);
  alike.settle();
  assert.is(alike.now, 50_000);
});
clock("evictions in the background hold up the next batch, not theirs", () => {
  const on = timeline({ link: LINK, faultGroup: { fixed: time(2, "us") } });
  on.groupBegin(GROUP);
  on.transfer(0, 4096, "toHost", "eviction");
  on.transfer(8192, 4096, "toHost", "eviction");
  on.groupEnd();
  assert.is(on.now, 2e6);
  // Both copies follow each other from 2 µs on; nothing follows them so far.
  assert.is(on.tail, 2 * COPY);
  on.groupBegin(GROUP);
  assert.is(on.now, 2e6 + 2 * COPY + 2e6);
  assert.equal(taken(on), { fixed: [4e6, 4e6], toHost: [2 * COPY, 2 * COPY] });
});
clock("the report's total waits for copies in the background; errors widen it both ways", () => {
  const percent = (value: number) => ({ value, unit: "%", kind: "fitted", source: "test" }) as const;
  const model: TimeModel = {
    schema: "heteromem-model/1",
    name: "test",
    about: "",
    link: LINK,
    faultGroup: { fixed: time(2, "us") },
    errors: { toHost: percent(10), group: percent(50) },
  };
  const on = new Timeline(model);
  on.groupBegin(GROUP);
  on.transfer(0, 4096, "toHost", "eviction");
  on.groupEnd();
  const { total, low, high, limit } = timingOf(model, on.causes, on.tail);
  // 2 µs, give or take 1 µs, and then the copy, give or take a tenth of it.
  assert.equal([total, total - low, high - total], [2e6 + COPY, 1e6 + COPY / 10, 1e6 + COPY / 10]);
  assert.equal(limit, { cause: "toHost", saves: COPY });
});
clock("with evictions: before, the batch waits for them", () => {
  const faultGroup = { eachTransfer: time(5, "us") }; // of transfers to the device alone
  const on = timeline({ link: LINK, faultGroup, evictions: "before" });
  on.groupBegin(GROUP);
  on.transfer(0, 4096, "toHost", "eviction");
  assert.is(on.now, COPY);
});
clock("what runs beside other work is busy, but not critical", () => {
  const on = timeline({ link: LINK, faultGroup: { replay: time(3, "us") } });
  on.groupBegin(GROUP);
  on.transfer(0, 4096, "toHost", "eviction"); // from 0 to 5.096 µs
  on.groupEnd(); // at 3 µs
  on.cpuFaultBegin(0); // waits for the copy
  assert.is(on.now, COPY);
  assert.equal(taken(on).toHost, [COPY, COPY - 3e6]);
});
clock("a CPU fault takes its time, and its transfers", () => {
  const on = timeline({ link: LINK, cpu: { fault: time(9, "us") } });
  on.cpuFaultBegin(0);
  on.transfer(0, 4096, "toHost", "fault");
  on.cpuFaultEnd();
  assert.is(on.now, 9e6 + COPY);
});
clock("pages that are made on the device take a multiple of a copy", () => {
  const populate = { value: 2, unit: "link times", kind: "measured", source: "test" } as const;
  const on = timeline({ link: LINK, faultGroup: { populate } });
  on.arrived(0, 1, 1, false);
  on.arrived(4096, 1, 0, false); // in RAM: no populate on the device
  on.arrived(8192, 1, 1, true); // copied
  assert.is(on.now, 2 * COPY);
});
clock("accesses: the CPU's follow the device's; a device's slowest part counts", () => {
  const memory = { read: rate(1, "GB/s"), write: rate(2, "GB/s") }; // 1,000 and 500 ps a byte
  const on = timeline({
    cpu: { access: time(1, "ns"), memory },
    device: { access: time(3, "ns"), memory },
  });
  const device = { agent: 1 };
  feed(on, [{}, { kind: "store" }, device, { ...device, kind: "store" }, { ...device, kind: "modify" }]);
  // CPU: max(2 accesses × 1 ns, 8 × 1 ns + 8 × 0.5 ns) = 12 ns.
  // Device: 3 × 3 ns against 16 loaded bytes × 1 ns + 16 stored × 0.5 ns = 24 ns.
  assert.equal(taken(on), { cpuWork: [12_000, 12_000], compute: [9_000, 0], deviceMemory: [24_000, 24_000] });
  assert.is(on.now, 36_000);
});
clock("accesses to RAM have their share of the device's bytes, or a latency each", () => {
  const memory = { read: rate(1, "GB/s"), write: rate(1, "GB/s") };
  const on = timeline({ device: { memory }, remote: { latency: time(50, "ns"), memory } });
  feed(
    on,
    Array.from({ length: 4 }, () => ({ agent: 1 })),
    1,
    0,
  );
  // One of four: 8 bytes take 8 ns, less than the latency of 50 ns; the other three 24 ns.
  assert.equal(taken(on), { deviceMemory: [24_000, 0], remote: [50_000, 50_000] });
  on.remoteAccess(2, true, false); // two sectors: 64 bytes take longer than 50 ns
  on.settle();
  assert.is(on.now, 50_000 + 64_000);
});
clock("an invalidation and a throttle", () => {
  const on = timeline({ invalidation: time(5, "ns") });
  on.invalidated();
  on.wait(25_000); // a time, not a length
  on.wait(1000); // past
  assert.equal(taken(on), { invalidation: [5000, 5000], throttle: [20_000, 20_000] });
});
clock("without a model the clock counts accesses", () => {
  const on = new Timeline(null);
  feed(on, [{}, {}, { agent: 1 }]);
  on.access("device", 4, true);
  on.transfer(0, 4096, "toDevice", "fault");
  assert.is(on.now, 4);
});
clock("a copy in the background is told when it is done", () => {
  const on = timeline({ link: LINK, cpu: { fault: time(1, "us") } });
  const told: (readonly [number, number, number])[] = [];
  on.listener = {
    ...NO_LISTENER,
    transfer: ({ address, start, end }: TimedTransfer) => told.push([address, start, end]),
    span: (_cause, start, end) => told.push([-1, start, end]),
  };
  on.transfer(0, 4096, "toHost", "eviction");
  on.cpuFaultBegin(0);
  assert.equal(told, [
    [0, 0, COPY],
    [-1, COPY, COPY + 1e6],
  ]);
});
clock.run();

const tlb = suite("time: TLB");
const count = <U extends string>(value: number, unit: U) =>
  ({ value, unit, kind: "measured", source: "test" }) as const;
tlb("two levels with LRU, then a walk", () => {
  const page = count(4, "KiB");
  const levels = [
    { entries: count(2, "entries"), page, hit: time(1, "ns") },
    { entries: count(4, "entries"), ways: count(2, "ways"), page, hit: time(10, "ns") },
  ];
  const on = new Tlb(levels, 100_000);
  const walk = 100_000;
  // Pages 0, 2 and 4 share a set of the second level, which has two ways.
  const pages = [0, 0, 1, 0, 2, 1, 2, 4, 0];
  // 0: walk; 0: first level; 1: walk; 0: first; 2: walk (drops 1 from the first); 1: second level; 2: first;
  // 4: walk (drops 0 from its set of the second level, and 1 from the first); 0: walk.
  const expected = [walk, 1000, walk, 1000, walk, 10_000, 1000, walk, walk];
  assert.equal(
    pages.map((number) => on.translate(number * 4 * KIB + 8)),
    expected,
  );
});
tlb.run();
