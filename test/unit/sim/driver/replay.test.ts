/** When the driver fetches and replays: the policies of replay, and timed fetches. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Access } from "../../../../src/sim.ts";
import type { DeviceOptions } from "../../../../src/sim/driver/parallel-device.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { access, BLOCK, LOAD, machine, PAGE, STORE, sweep, WRITE } from "./machines.ts";

const BASE = 0x40000000;

/** Runs accesses, with no more faults outstanding than `outstanding`. Returns the entries of each batch. */
function batches(
  accesses: readonly Partial<Access>[],
  device: Partial<DeviceOptions>,
): [entries: number, duplicates: number][] {
  const gpu = machine({ prefetcher: noPrefetcher, device });
  const seen: [number, number][] = [];
  const serve = gpu.driver.serveBatch.bind(gpu.driver);
  gpu.driver.serveBatch = (p, batch, afterBlock) => {
    seen.push([batch.entries, batch.duplicates]);
    serve(p, batch, afterBlock);
  };
  access(gpu, accesses);
  assert.is(
    gpu.counts.devicePages,
    new Set(accesses.map(({ address }) => address! - (address! % PAGE))).size,
  );
  return seen;
}
/** Loads of 10 pages by each of 30 warps: 300 faults at once, in turns of 30. */
const MANY = Array.from({ length: 300 }, (_, i) => ({
  ...LOAD,
  address: BASE + i * PAGE,
  thread: 32 * (i % 30),
}));

const test = suite("driver: replay");
test("batch-flush: what is not fetched is discarded, and comes again after the replay", () => {
  assert.equal(batches(MANY, { replay: "batch-flush" }), [
    [256, 0],
    [44, 0],
  ]);
});
test("batch: the other 44 stay, and come again with the replay: 44 duplicates", () => {
  assert.equal(batches(MANY, { replay: "batch" }), [
    [256, 0],
    [88, 44],
  ]);
});
test("once: the driver fetches what there is before it replays", () => {
  assert.equal(batches(MANY, { replay: "once" }), [
    [256, 0],
    [44, 0],
  ]);
});
test("block: a replay after each block of the batch reports what waits for the other blocks again", () => {
  // A page of each of three blocks. After the first block two accesses wait, after the second one.
  const three = [0, 1, 2].map((block) => ({ ...LOAD, address: BASE + block * BLOCK }));
  assert.equal(batches(three, { replay: "block" }), [
    [3, 0],
    [3, 1],
  ]);
  assert.equal(batches(three, { replay: "batch-flush" }), [[3, 0]]);
});
test("timed: a batch has the faults of one turn; during its service the device goes on", () => {
  // Two warps load four pages each. The first turn faults twice. In the service the other six fault.
  const loads = Array.from({ length: 8 }, (_, i) => ({
    ...LOAD,
    address: BASE + i * PAGE,
    thread: 32 * (i % 2),
  }));
  // The flush goes up to the PUT of the fetch, so the six stay; the replay reports them again.
  assert.equal(batches(loads, { timed: true }), [
    [2, 0],
    [12, 6],
  ]);
  assert.equal(batches(loads, {}), [[8, 0]]);
});
test("timed: more than half of duplicates has the flush read PUT again, so that nothing stays", () => {
  // Four warps load one page, then each another one: 4 entries, 3 of them duplicates.
  const loads = [0, 1].flatMap((turn) =>
    [0, 1, 2, 3].map((warp) => ({
      ...LOAD,
      address: BASE + (turn === 0 ? 0 : 1 + warp) * PAGE,
      thread: 32 * warp,
    })),
  );
  assert.equal(batches(loads, { timed: true }), [
    [4, 3],
    [4, 0],
  ]);
});
test("a store waits for the service with timed fetches, too", () => {
  const rows = [LOAD, STORE].flatMap((how, i) => [{ ...how, address: BASE + i * PAGE }]);
  assert.equal(batches(rows, { timed: true }), [
    [1, 0],
    [1, 0],
  ]);
});
test("every policy makes the same accesses, whatever the batches", () => {
  for (const replay of ["block", "batch", "batch-flush", "once"] as const)
    for (const timed of [false, true]) {
      const gpu = machine({ chunks: 1, device: { replay, timed } });
      access(gpu, [...sweep(BASE, 600, WRITE), ...MANY, ...sweep(BASE + BLOCK, 300, STORE), ...MANY]);
      assert.is(gpu.counts.pagesIn - gpu.counts.pagesOut, gpu.counts.pagesNow);
      assert.ok(gpu.counts.evictions > 0);
    }
});
test.run();
