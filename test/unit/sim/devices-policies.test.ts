/** Policies that hear of uses, on several devices: each hears of its own device's. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { simulate, Simulation, type Access, type Evict, type SimulationConfig } from "../../../src/sim.ts";
import { Random } from "../../../src/engine/random.ts";
import { BASE, blockOf, PAGE } from "../../util/sim-blocks.ts";

const POLICIES: Evict[] = [
  ...(["lru-64k", "clock", "clock:hit", "mru", "sieve"] as const),
  ...(["s3-fifo", "arc", "segfifo", "sl", "tbn"] as const),
];
const CONFIG = { systemMemory: "32MiB", backing: "metadata", cluster: "4K", prefetch: "sl" } as const;
/** Pages of a device's own part of the address space, and how far apart the parts are. */
const PAGES = 60;
const APART = 4 << 20;

/** Accesses of a device to its part, some of which straddle two pages. */
function accessesOf(agent: number, n: number): Partial<Access>[] {
  const random = new Random(agent);
  return Array.from({ length: n }, () => ({
    agent,
    address: BASE + agent * APART + random.below(random.below(2) === 0 ? 10 : PAGES) * PAGE + 4090,
    size: 1 + random.below(12),
    kind: random.pick(["load", "store", "modify"] as const)!,
  }));
}

/** Accesses of several devices, shuffled, each one's in order. */
function shuffled(lists: readonly Partial<Access>[][]): Partial<Access>[] {
  const random = new Random(7);
  const left = lists.map((list) => [...list]);
  const all: Partial<Access>[] = [];
  while (left.some((list) => list.length > 0)) all.push(...left[random.below(left.length)].splice(0, 1));
  return all;
}

const test = suite("several devices: policies");

const parts = [1, 2, 3].map((agent) => accessesOf(agent, 300));
for (const evict of POLICIES)
  test(`${evict}: devices that share nothing do what each does alone`, async () => {
    const config: SimulationConfig = { ...CONFIG, evict, deviceFrames: 40 };
    const together = await simulate([blockOf(shuffled(parts))], { ...config, devices: 3 });
    for (const [i, part] of parts.entries()) {
      const alone = await simulate([blockOf(part)], config);
      const { name, invalidations, invalidationsByEvent, ...figures } = together.devices[i];
      const { name: _, invalidations: _all, invalidationsByEvent: _each, ...expected } = alone.devices[0];
      assert.equal(figures, expected, name);
      assert.ok(figures.evictions > 0 && invalidations > 0 && invalidationsByEvent.migrate > 0);
    }
  });

test("devices that share pages: every invariant holds, and snapshots go on", async () => {
  const random = new Random(5);
  const accesses = Array.from({ length: 900 }, () => ({
    agent: random.below(4),
    address: BASE + random.below(80) * PAGE,
    kind: random.pick(["load", "store"] as const)!,
    size: 8,
  }));
  const config = { ...CONFIG, evict: "sieve", deviceFrames: 32, devices: 3 } as const;
  const whole = await simulate([blockOf(accesses)], config);
  using simulation = await Simulation.create(config);
  simulation.feed(blockOf(accesses.slice(0, 450)));
  simulation.verify();
  using copy = Simulation.restore(simulation.snapshot());
  for (const one of [copy, simulation]) {
    one.feed(blockOf(accesses.slice(450)));
    one.verify();
    assert.equal(one.report(), whole);
  }
});
test.run();
