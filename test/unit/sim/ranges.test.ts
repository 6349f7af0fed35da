/** Accesses by named range: the core's counts against a list that is searched from its end. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Simulation,
  simulate,
  writeRecord,
  type Access,
  type RangeReport,
  type SimulationConfig,
  type TraceEvent,
} from "../../../src/sim.ts";
import { Random } from "../../../src/engine/random.ts";

const PAGE = 4096;
const BASE = 0x5000000;
const MEMORY = { systemMemory: "16MiB", deviceMemory: "128KiB" } as const;
const RANGE = 18n;
const RANGE_END = 19n;

type Touch = Access & { address: number };
/** A step of a program: an access, or a range that begins or ends. */
type Step = Touch | { begin: TraceEvent } | { end: number };
type Tally = Record<string, RangeReport["accesses"]>;

const none = (): RangeReport["accesses"] => ({
  cpu: { loads: 0, stores: 0 },
  device: { loads: 0, stores: 0, ram: { loads: 0, stores: 0 }, peer: { loads: 0, stores: 0 } },
});

/** Records of accesses only. */
function blockOf(accesses: readonly Touch[]): BigUint64Array {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((access, i) => writeRecord(records, i, { size: 8, ...access }));
  return records;
}

/** The steps as a block. */
function programOf(steps: readonly Step[]): { records: BigUint64Array; events: TraceEvent[] } {
  const events: TraceEvent[] = [];
  const words = steps.flatMap((step) => {
    if ("kind" in step) return [...blockOf([step])];
    const event = "begin" in step ? step.begin : { name: "", address: step.end, bytes: 0 };
    const id = BigInt(events.push(event) - 1);
    return [0n, ("begin" in step ? RANGE : RANGE_END) | (id << 32n)];
  });
  return { records: BigUint64Array.from(words), events };
}

/** Counts the accesses by name: the newest range that contains the first byte, of those that go on. */
function tally(steps: readonly Step[], counts: (access: number) => boolean = () => true): Tally {
  const tallies: Tally = {};
  let pieces: { name: string; start: number; end: number }[] = [];
  let access = 0;
  for (const step of steps) {
    if ("begin" in step) {
      const { name, address: start, bytes } = step.begin;
      const end = start + bytes;
      const rest = pieces.flatMap((old) => [
        { ...old, end: Math.min(old.end, start) },
        { ...old, start: Math.max(old.start, end) },
      ]);
      pieces = [...rest.filter((piece) => piece.start < piece.end), { name, start, end }];
      tallies[name] ??= none();
    } else if ("end" in step) {
      pieces = pieces.filter(({ start }) => start !== step.end);
    } else if (counts(access++)) {
      const name = pieces.find(({ start, end }) => start <= step.address && step.address < end)?.name;
      if (name === undefined) continue;
      const by = tallies[name][step.agent ? "device" : "cpu"];
      if (step.kind !== "store") by.loads++;
      if (step.kind !== "load") by.stores++;
    }
  }
  return tallies;
}

async function reported(steps: readonly Step[], config: SimulationConfig = {}): Promise<Tally> {
  const { ranges } = await simulate([programOf(steps)], { ...MEMORY, ...config });
  return Object.fromEntries(ranges.map(({ name, accesses }) => [name, accesses]));
}

/** Random accesses in 1 MiB, among ranges of 1 byte to 64 KiB that come and go. */
function randomSteps(seed: number): Step[] {
  const random = new Random(seed);
  const address = (): number => BASE + random.below(1 << 20);
  const starts: number[] = [];
  return Array.from({ length: 3000 }, (): Step => {
    const dice = random.below(100);
    if (dice === 0) {
      const event = { name: `r${random.below(8)}`, address: address(), bytes: 1 + random.below(1 << 16) };
      starts.push(event.address);
      return { begin: event };
    }
    if (dice === 1 && starts.length > 0) return { end: random.pick(starts)! };
    const kind = random.pick(["load", "store", "modify"] as const)!;
    return { kind, address: address(), size: 1 + random.below(64), agent: random.below(3) };
  });
}

const ranges = suite("sim: accesses by range");
ranges("first bytes, kinds and agents", async () => {
  // The range is the 16 bytes from BASE + 8 on. Of the loads, the first begins before it and ends in it, the
  // second begins in its last byte, the third after it.
  const steps: Step[] = [
    { begin: { name: "a", address: BASE + 8, bytes: 16 } },
    { kind: "load", address: BASE + 7, size: 8 },
    { kind: "load", address: BASE + 23, size: 8 },
    { kind: "load", address: BASE + 24 },
    { kind: "store", address: BASE + 8, agent: 1 },
    { kind: "modify", address: BASE + 16, agent: 2 },
    { kind: "modify", address: BASE + 16 },
  ];
  assert.equal(await reported(steps), {
    a: { cpu: { loads: 2, stores: 1 }, device: { ...none().device, loads: 1, stores: 2 } },
  });
});
ranges("random ranges and accesses, as a list finds them", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const steps = randomSteps(seed);
    assert.equal(await reported(steps), tally(steps), `seed ${seed}`);
  }
});
ranges("only accesses of the region of interest count", async () => {
  const steps = randomSteps(77);
  const inside = (access: number): boolean => access >= 500 && access < 2000;
  // Marks at the region's end come after the run's end, so names that begin there are not known.
  const expected = Object.entries(tally(steps, inside));
  const answers = await reported(steps, { roi: [500, 2000], epoch: 333 });
  assert.equal(answers, Object.fromEntries(expected.filter(([name]) => name in answers)));
  assert.ok(Object.keys(answers).length > 4);
  const rest = Object.entries(tally(steps, (access) => access >= 700));
  assert.equal(await reported(steps, { skip: 700 }), Object.fromEntries(rest));
});
ranges("accesses that cannot be made, fetches, and ranges that cannot be accessed do not count", async () => {
  using simulation = await Simulation.create(MEMORY);
  simulation.nameRange("low", 0, 2 * 65536);
  simulation.nameRange("high", 2 ** 47 - 2 * PAGE, 2 ** 47);
  simulation.nameRange("empty", BASE, 0);
  const records = blockOf([
    { kind: "load", address: 65535, size: 1 },
    { kind: "store", address: 65536 },
    { kind: "load", address: 2 ** 47 - PAGE },
    { kind: "load", address: 2 ** 47 - PAGE - 8 },
    { kind: "store", address: 2 ** 48 - 8 },
    { kind: "load", address: 65536 },
  ]);
  records[11] |= 3n; // the last one is a fetch
  simulation.feed(records);
  assert.equal(
    simulation.report().ranges.map(({ name, accesses }) => [name, accesses.cpu]),
    [
      ["low", { loads: 0, stores: 1 }],
      ["high", { loads: 1, stores: 0 }],
    ],
  );
  assert.equal(simulation.skipped, { kernel: 1, unmappable: 2 });
});
ranges("reports in between change nothing, and neither do the table's allocations", async () => {
  const steps = randomSteps(5);
  const { records, events } = programOf(steps);
  const config = { ...MEMORY, ranges: [{ name: "all", start: BASE, end: BASE + 2 ** 20 }] };
  const whole = await simulate([{ records, events }], { ...config, failAlloc: 300 });
  assert.is(whole.failedAllocation?.reached, true);
  const unnamed = await simulate([records], { ...MEMORY, failAlloc: 300 });
  assert.equal(whole.failedAllocation, unnamed.failedAllocation, "the table's allocations are not counted");
  using simulation = await Simulation.create({ ...config, failAlloc: 300 });
  for (let at = 0; at < records.length; at += 200) {
    simulation.feed({ records: records.subarray(at, at + 200), events });
    simulation.report();
  }
  assert.equal(simulation.report(), whole);
  using restored = Simulation.restore(simulation.snapshot());
  assert.equal(restored.report(), whole);
  restored.verify();
});
ranges("a range that cannot be is refused", async () => {
  using simulation = await Simulation.create(MEMORY);
  const name = (...args: unknown[]): void => {
    simulation.nameRange(...(args as [string, number, number]));
  };
  assert.throws(() => name(undefined, BASE, 8), /simulation.nameRange: name must be a string/);
  assert.throws(() => name("a", -1, 8), /simulation.nameRange: start must be an integer from 0 to/);
  assert.throws(() => name("a", 2 ** 48, 8), /simulation.nameRange: start must be an integer from 0 to/);
  assert.throws(() => name("a", BASE, 0.5), /simulation.nameRange: bytes must be an integer from 0 to/);
  assert.equal(simulation.report().ranges, []);
});
ranges.run();
