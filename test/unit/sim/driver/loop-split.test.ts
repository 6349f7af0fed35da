/** A serial loop that is split over warps by blocks of iterations. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import type { Access } from "../../../../src/sim.ts";
import { access, END, LOAD, machine, PAGE, STORE } from "./machines.ts";

const [A, B, C] = [0x20000000, 0x20200000, 0x20400000];

/** The iterations of c[i] = b[i] + a[i], a page each, on one thread: three instructions. */
function loop(iterations: number, a = A): Partial<Access>[] {
  return Array.from({ length: iterations }, (_, i) => [
    { ...LOAD, address: B + i * PAGE, id: 0x100 },
    { ...LOAD, address: a + i * PAGE, id: 0x104 },
    { ...STORE, address: C + i * PAGE, id: 0x108 },
  ]).flat();
}
/** The entries of each batch. */
function batches(accesses: readonly Partial<Access>[], iterations?: number): number[] {
  const gpu = machine({ prefetcher: noPrefetcher, iterations });
  const seen: number[] = [];
  const serve = gpu.driver.serveBatch.bind(gpu.driver);
  gpu.driver.serveBatch = (p, batch) => {
    seen.push(batch.entries);
    serve(p, batch);
  };
  access(gpu, accesses);
  return seen;
}

const test = suite("driver: a loop over warps");
test("split:1 makes 32 iterations a warp: the Titan V's 56, 8 and 32", () => {
  assert.equal(batches(loop(32), 1), [56, 8, 32]);
});
test("without it one thread loads both pages of an iteration, and its store waits", () => {
  assert.equal(batches(loop(4)), [2, 1, 2, 1, 2, 1, 2, 1]);
});
test("split:2 gives two iterations to a thread, one after the other", () => {
  // 4 iterations are 2 lanes: each instruction has 2 pages, and the second pair follows the first.
  assert.equal(batches(loop(4), 2), [4, 2, 4, 2]);
});
test("the loop begins anew with a kernel, or after the CPU", () => {
  // A second loop whose first instruction is another one: its iterations are found again.
  const moved = (one: Partial<Access>) => ({ id: one.id! + 0x1000, address: one.address! + 0x1000000 });
  const second = loop(32).map((one) => ({ ...one, ...moved(one) }));
  for (const between of [END, { kind: "store", agent: 0, address: 0x30000000 } as const])
    assert.equal(batches([...loop(32), between, ...second], 1), [56, 8, 32, 56, 8, 32]);
});
test.run();
