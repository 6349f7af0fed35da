/** Demand paging that the core serves, against the same faults served one by one. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../src/engine/random.ts";
import { Simulation, type SimulationConfig, type SimulationReport } from "../../../src/sim.ts";
import { writeRecord } from "../../../src/sim/record.ts";
import { fanOut } from "../../../src/sim/time/listener.ts";

const PAGE = 4096;
const N = 2000;

/** A device's accesses and some of the CPU's, to more pages than the device's memory has. */
function caseOf(seed: number): { records: BigUint64Array; config: SimulationConfig } {
  const random = new Random(seed);
  const deviceFrames = 16 + random.below(60);
  const pages = 20 + random.below(200);
  const records = new BigUint64Array(2 * N);
  for (let i = 0; i < N; i++) {
    const wide = random.below(50) === 0;
    const page = random.below(random.below(pages) + 1) + (random.below(3) === 0 ? 1024 : 0);
    writeRecord(records, i, {
      kind: random.pick(["load", "store", "modify"])!,
      address: 2 ** 36 + page * PAGE + (wide ? 4090 : random.below(PAGE - 8)),
      size: wide ? 10 + random.below(2 * PAGE) : random.below(9),
      agent: random.below(30) === 0 ? 0 : 1,
    });
  }
  return {
    records,
    config: {
      deviceFrames,
      cluster: PAGE,
      prefetch: "none",
      initial: seed % 2 === 0 ? "host" : "none",
      backing: seed % 3 === 0 ? "data" : "metadata",
      // Every fourth case runs out of RAM: then a page of the CPU's or of the device's stays where it is.
      systemMemory: seed % 4 === 0 ? (pages - 10) * PAGE : 8 << 20,
    },
  };
}

/** Runs a case; who listens has each fault served by the simulator. Returns the report, or the error. */
async function run(seed: number, listens: boolean): Promise<SimulationReport | string> {
  const { records, config } = caseOf(seed);
  using simulation = await Simulation.create(config);
  if (listens) simulation.listen(fanOut([]));
  try {
    simulation.feed(records.subarray(0, N));
    simulation.verify();
    using restored = Simulation.restore(simulation.snapshot());
    if (listens) restored.listen(fanOut([]));
    restored.feed(records.subarray(N));
    restored.verify();
    return restored.report();
  } catch (error) {
    return String(error);
  }
}

const test = suite("simulation: demand paging in the core");
test("a run is the same whether the core or the simulator serves the faults", async () => {
  const reports: (SimulationReport | string)[] = [];
  for (let seed = 1; seed <= 10; seed++) {
    const report = await run(seed, false);
    assert.equal(report, await run(seed, true), `seed ${seed}`);
    reports.push(report);
  }
  const whole = reports.filter((report) => typeof report !== "string");
  assert.ok(whole.length >= 7 && whole.every(({ device }) => device.bytesOut > 0));
});

test("its peak begins anew where counting begins", async () => {
  const { records, config } = caseOf(1);
  const peaks: number[] = [];
  for (const listens of [false, true]) {
    using simulation = await Simulation.create({ ...config, roi: [700, 1500] });
    if (listens) simulation.listen(fanOut([]));
    simulation.feed(records);
    peaks.push(simulation.report().device.bytesPeak);
  }
  assert.is(peaks[0], peaks[1]);
});
test.run();
