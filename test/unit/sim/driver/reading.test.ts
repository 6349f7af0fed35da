/**
 * Sentences on how a simulator reads the driver's rules (docs/policies.md) that other tests of this folder do
 * not state: populating, the clock, capacity, rights of what comes along, and what has no room.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Clock } from "../../../../src/sim/driver/clock.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { RIGHTS_ATOMIC, RIGHTS_READ } from "../../../../src/sim/policies/rights.ts";
import { simulate, writeRecord } from "../../../../src/sim.ts";
import { access, BLOCK, LOAD, machine, PAGE, READ, STORE, sweep, WRITE } from "./machines.ts";

const BASE = 0x40000000;
const GPU = 1;

const test = suite("driver: the reading of the rules");
test("populating is no transfer and no event of thrashing, whoever does it", () => {
  const gpu = machine({ prefetcher: noPrefetcher });
  for (let i = 0; i < 40; i++) access(gpu, [{ ...(i % 2 === 0 ? WRITE : STORE), address: BASE + i * PAGE }]);
  assert.equal([gpu.transfers.total("toDevice").count, gpu.transfers.total("toHost").count], [0, 0]);
  // Both processors used the block within 500 µs of each other, and nothing moved: there is no state.
  assert.is(gpu.memory.block(BASE / BLOCK).thrashing.states, null);
  access(gpu, [{ ...READ, address: BASE + PAGE }]);
  assert.is(gpu.transfers.total("toHost").count, 1);
});
test("no clock changes what a batch holds", () => {
  class Slow extends Clock {
    override pass(ns: number): void {
      super.pass(1000 * ns);
    }
  }
  const run = (clock: Clock) => {
    const gpu = machine({ chunks: 2, clock });
    for (let kernel = 0; kernel < 3; kernel++)
      access(
        gpu,
        sweep(BASE, 1536, kernel === 1 ? STORE : LOAD).map((one, i) => ({ ...one, thread: (7 * i) % 1024 })),
      );
    const { groups, entries, duplicates, evictions } = gpu.counts;
    return { groups, entries, duplicates, evictions };
  };
  assert.equal(run(new Slow()), run(new Clock()));
});
test("capacity is a whole number of chunks of 2 MiB", async () => {
  const evictions = async (deviceMemory: string): Promise<number> => {
    const records = new BigUint64Array(2 * 3);
    for (let i = 0; i < 3; i++)
      writeRecord(records, i, { kind: "store", agent: 1, address: BASE + i * BLOCK, size: 8 });
    const config = { memoryModel: "managed", systemMemory: "16MiB", backing: "metadata" } as const;
    return (await simulate([records], { ...config, deviceMemory })).evictions;
  };
  assert.equal([await evictions("6MiB"), await evictions("5.5MiB")], [0, 1]);
});
test("what comes along is mapped as if read: for writing, or for reading where copies may be", () => {
  const rights = (advice: number | null): number => {
    const gpu = machine();
    access(gpu, [{ ...WRITE, address: BASE }]);
    if (advice !== null) gpu.driver.advise(BASE, BLOCK, advice, 0);
    access(gpu, [{ ...LOAD, address: BASE }]);
    const block = gpu.memory.block(BASE / BLOCK);
    assert.is(block.holders(5) & (1 << GPU), 1 << GPU, "page 5 has come along");
    return block.rightsOf(GPU, 5);
  };
  assert.equal([rights(null), rights(1)], [RIGHTS_ATOMIC, RIGHTS_READ]);
});
test("without room the access is remote: lru-2m names nothing, as no 2 MiB are whole", () => {
  const evict = { policy: EVICTORS["lru-2m"], parameter: undefined };
  const room = { pages: 16, evict, seed: 1, reserve: 0, freeBuffer: 0 };
  const gpu = machine({ room, prefetcher: noPrefetcher });
  access(gpu, sweep(BASE, 20, WRITE));
  access(gpu, [...sweep(BASE, 20, STORE), ...sweep(BASE, 20, LOAD)]);
  assert.equal(gpu.remote, { loads: 4, stores: 4, sectors: 8 });
  assert.equal([gpu.counts.pagesIn, gpu.counts.evictions, gpu.counts.devicePagesMapped], [16, 0, 4]);
});
test.run();
