/** The engine follows the driver's model: after each block both say the same, page by page. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countBits } from "../../../src/sim/driver/bits.ts";
import { Machine } from "../../../src/sim/driver/machine.ts";
import { densityPrefetcher } from "../../../src/sim/policies/density.ts";
import { Simulation, writeRecord, type Access } from "../../../src/sim.ts";
import { Random } from "../../../src/testing.ts";

const MIB = 2 ** 20;
const PAGE = 4096;
const BASE = 0x40000000;
const MANAGED = { memoryModel: "managed", systemMemory: "64MiB", deviceMemory: "64MiB" } as const;

/** A block of accesses of 8 bytes. */
function blockOf(accesses: readonly Partial<Access>[]): BigUint64Array {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((access, i) => writeRecord(records, i, { kind: "load", size: 8, ...access }));
  return records;
}

const follow = suite("sim: the engine follows the driver");
/** Random kernels of a few threads, and accesses of the CPU, over some blocks of 2 MiB. */
function randomBlocks(seed: number): BigUint64Array[] {
  const random = new Random(seed);
  return Array.from({ length: 20 }, () => {
    const start = BASE + random.below(5) * 2 * MIB + random.below(400) * PAGE;
    const agent = random.below(3) === 0 ? 0 : 1;
    const threads = 1 + random.below(70);
    const accesses = Array.from({ length: 300 }, (_, i) => ({
      kind: random.pick(["load", "load", "store", "modify"] as const)!,
      agent: random.below(50) === 0 ? 0 : agent,
      thread: i % threads,
      address: start + random.below(100) * PAGE + 8 * random.below(512),
    }));
    return blockOf([{ kind: "kernelBegin", size: 0 }, ...accesses, { kind: "kernelEnd", size: 0 }]);
  });
}
for (const seed of [1, 2])
  for (const advise of [[], ["data=read-mostly"], ["data=accessed-by-device"]])
    for (const oneThread of [false, true])
      follow(
        `seed ${seed}, ${advise[0] ?? "no advice"}, ${oneThread ? "one thread" : "threads"}`,
        async () => {
          using simulation = await Simulation.create({
            ...MANAGED,
            deviceMemory: "6MiB",
            advise,
            deviceThreads: oneThread ? "one" : "trace",
          });
          simulation.nameRange("data", BASE, 10 * MIB);
          const plain = new Machine({
            chunks: 3,
            prefetcher: densityPrefetcher(51),
            thrashing: true,
            counters: null,
            oneThread,
          });
          if (advise[0] === "data=read-mostly") plain.driver.advise(BASE, 10 * MIB, 1, 0);
          if (advise[0] === "data=accessed-by-device") plain.driver.advise(BASE, 10 * MIB, 5, 1);
          for (const block of randomBlocks(seed)) {
            simulation.feed(block);
            simulation.verify();
            plain.run(new Uint32Array(block.buffer), block.length / 2);
            const report = simulation.report();
            const { counts, transfers, remote } = plain;
            assert.equal(
              {
                groups: report.managed.groups,
                entries: report.managed.entries,
                cpu: report.faults.cpu,
                pages: report.faults.device,
                toDevice: report.managed.bytesToDevice,
                toHost: report.managed.transfersToHost,
                dirty: report.device.bytesOutDirty,
                unused: report.managed.bytesPrefetchedUnused,
                sectors: report.managed.remoteSectors,
              },
              {
                groups: counts.groups,
                entries: counts.entries,
                cpu: counts.cpuFaults,
                pages: counts.devicePages,
                toDevice: transfers.total("toDevice").bytes,
                toHost: transfers.total("toHost").count,
                dirty: counts.pagesOutDirty * PAGE,
                unused: counts.prefetchedUnused * PAGE,
                sectors: remote.sectors,
              },
            );
            // The engine has each page once: in RAM if the CPU holds it, else on the device.
            let [inRam, onDevice] = [0, 0];
            for (const { resident } of plain.memory.blocks) {
              inRam += countBits(resident[0]);
              onDevice += countBits(resident[1].map((word, w) => word & ~resident[0][w]));
            }
            assert.is(report.rss, (inRam + onDevice) * PAGE);
            assert.is(report.residency.system, inRam * PAGE);
          }
          if (advise[0] !== "data=accessed-by-device") assert.ok(plain.counts.evictions > 0);
        },
      );
follow.run();
