/** Batches of the fault buffer: each sentence of the rule (B3). */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FaultBuffer } from "../../../../src/sim/driver/fault-buffer.ts";
import {
  ACCESS_ATOMIC_STRONG,
  ACCESS_ATOMIC_WEAK,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
} from "../../../../src/sim/driver/processor.ts";

function fetch(entries: readonly [page: number, access: number, utlb: number][]) {
  const buffer = new FaultBuffer();
  for (const [page, access, utlb] of entries) buffer.push(page, access, utlb);
  const batch = buffer.fetch();
  assert.is(buffer.length, Math.max(entries.length - 256, 0), "what is not fetched stays");
  buffer.discard(buffer.length);
  assert.is(buffer.length, 0);
  return batch;
}

const test = suite("driver: fault batches");
test("READ, WRITE, READ of a page from three µTLBs: one service as WRITE, two duplicates, PUT", () => {
  // The WRITE is stronger than the last entry and stays its own; the second READ merges with it. 2 of 3 > 50
  // %.
  const batch = fetch([
    [7, ACCESS_READ, 0],
    [7, ACCESS_WRITE, 1],
    [7, ACCESS_READ, 2],
  ]);
  assert.equal(batch, {
    entries: 3,
    pages: [{ page: 7, access: ACCESS_WRITE }],
    duplicates: 2,
    flush: "put",
  });
});
test("a fault merges with the last of its µTLB for the same page; the stronger access stays", () => {
  const batch = fetch([
    [7, ACCESS_READ, 0],
    [9, ACCESS_READ, 1],
    [7, ACCESS_WRITE, 0],
  ]);
  assert.equal(batch.pages, [
    { page: 7, access: ACCESS_WRITE },
    { page: 9, access: ACCESS_READ },
  ]);
  assert.is(batch.duplicates, 1);
  // 1 of 3 is no more than half.
  assert.is(batch.flush, "cached");
});
test("pages come in ascending order, each once, with the strongest access", () => {
  const order = [ACCESS_PREFETCH, ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC_WEAK, ACCESS_ATOMIC_STRONG];
  for (const weak of order)
    for (const strong of order.filter((access) => access >= weak)) {
      const batch = fetch([
        [9, strong, 0],
        [3, ACCESS_READ, 1],
        [9, weak, 2],
        [3, ACCESS_READ, 3],
      ]);
      assert.equal(batch.pages, [
        { page: 3, access: ACCESS_READ },
        { page: 9, access: strong },
      ]);
      assert.is(batch.duplicates, 2);
      assert.is(batch.flush, "cached", "2 of 4 are no more than half");
    }
});
test("instances less one of the first entry, and all of a repeated one, are duplicates", () => {
  // WRITE ×1; READ ×1 and its merged READ ×1 (the last entry of the batch): 0 + 2.
  const batch = fetch([
    [5, ACCESS_WRITE, 0],
    [6, ACCESS_READ, 1],
    [5, ACCESS_READ, 2],
    [5, ACCESS_READ, 3],
  ]);
  assert.is(batch.duplicates, 2);
});
test("a batch has 256 entries at most; merged ones count", () => {
  const entries = Array.from({ length: 300 }, (_, i) => [i >> 1, ACCESS_READ, 0] as [number, number, number]);
  const batch = fetch(entries);
  assert.is(batch.entries, 256);
  assert.is(batch.pages.length, 128);
  assert.is(batch.duplicates, 128);
  assert.is(batch.flush, "cached", "128 of 256 are no more than half");
});
test.run();
