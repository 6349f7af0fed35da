/** Random accesses to several devices with managed memory, for the suites of them. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../../src/engine/random.ts";
import { Simulation, type SimulationConfig } from "../../../src/sim.ts";
import { writeRecord } from "../../../src/sim/record.ts";
import { BASE, MIB, PAGE, TWO } from "./managed-world.ts";

/** Random accesses of a CPU and three devices to 6 MiB, in kernels that run together. */
function randomRecords(seed: number, n: number): BigUint64Array {
  const random = new Random(seed);
  const records = new BigUint64Array(2 * n);
  for (let i = 0; i < n; i++) {
    const agent = random.below(20) === 0 ? 0 : 1 + random.below(3);
    const kind = (["load", "load", "store", "modify"] as const)[random.below(4)];
    const address = BASE + random.below(3) * 2 * MIB + random.below(40) * PAGE;
    writeRecord(records, i, { kind, size: 8, agent, thread: random.below(64), address });
  }
  return records;
}

/** Tests invariants, sums, snapshots, and that a run is repeated with the same bytes, for each config. */
export function testRandom(devices: Test, configs: Readonly<Record<string, SimulationConfig>>): void {
  for (const [name, more] of Object.entries(configs))
    devices(`${name}: invariants, sums, snapshots, and the same bytes twice`, async () => {
      const config: SimulationConfig = { ...TWO, devices: 3, ...more, schedules: 2 };
      const records = randomRecords(7, 700);
      using simulation = await Simulation.create(config);
      using again = await Simulation.create(config);
      for (let at = 0; at < records.length; at += 280) {
        const part = records.subarray(at, at + 280);
        simulation.feed(part);
        simulation.verify();
        again.feed(part);
      }
      const report = simulation.report();
      simulation.verify();
      assert.equal(again.report(), report);
      using half = await Simulation.create(config);
      half.feed(records.subarray(0, 560));
      using rest = Simulation.restore(half.snapshot());
      rest.feed(records.subarray(560));
      rest.verify();
      assert.equal(rest.report(), report);
      const { elsewhere, ranges, device, transfers } = report;
      assert.is(device.bytesIn - device.bytesOut, report.residency.device);
      assert.is(transfers.peer.bytes, device.bytesFromPeers);
      assert.is(transfers.toDevice.bytes, device.bytesCopied);
      assert.equal(elsewhere!.transfers, {
        toDevice: { count: 0, bytes: 0, sizes: [] },
        toHost: { count: 0, bytes: 0, sizes: [] },
        peer: { count: 0, bytes: 0, sizes: [] },
      });
      assert.equal(ranges[0].accesses, report.accesses);
      assert.equal(ranges[0].faults, report.faults);
      for (const key of ["bytesIn", "bytesOut", "bytesOutEvicted"] as const)
        assert.is(ranges[0][key], device[key]);
      for (const key of ["bytesPrefetched", "bytesPrefetchedUsed", "bytesThrashed"] as const)
        assert.is(ranges[0][key], report[key]);
      const loads = report.devices.flatMap(({ links }) => links).reduce((sum, link) => sum + link.loads, 0);
      assert.is(report.accesses.device.peer.loads, loads);
    });
}
