/** The density prefetcher: vectors, and each step of the rule. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { newBits } from "../../../../src/sim/driver/bits.ts";
import {
  bigPagePrefetcher,
  densityPrefetcher,
  noPrefetcher,
  wholeBlock,
  type Prefetcher,
} from "../../../../src/sim/policies/density.ts";
import { bitsOf, listOf, type Runs } from "./pages.ts";

interface Vector {
  name: string;
  resident: Runs;
  faulted: Runs;
  pages: number;
  threshold: number;
  thrashing: Runs;
  prefetch: Runs;
}

const file = new URL("density-vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as { sequential: object; vectors: Vector[] };

function run(prefetcher: Prefetcher, query: Partial<Omit<Vector, "threshold" | "name">>): number[][] {
  const { resident = [], faulted = [], thrashing = [], pages = 512 } = query;
  const out = newBits();
  const there = bitsOf(resident);
  const bits = { resident: there, faulted: bitsOf(faulted), thrashing: bitsOf(thrashing), done: there };
  prefetcher({ pages, ...bits }, out);
  return listOf(out);
}

const density = suite("driver: density prefetch");
for (const { name, threshold, prefetch, ...query } of vectors.vectors)
  density(`vector: ${name}`, () => {
    assert.equal(run(densityPrefetcher(threshold), query), prefetch);
  });
density("faults one after the other at 64 KiB of what is missing fill a block in six", () => {
  // 16/32 fails; 32 of 64 after the second fault: [16,32) makes 32/32, 32/64 fails; then each doubles.
  const faults: number[] = [];
  let resident: number[][] = [];
  for (let page = 0; page < 512;) {
    faults.push(page);
    const more = run(densityPrefetcher(51), { resident, faulted: [[page, page]] });
    resident = listOf(bitsOf([...resident, ...more, [page, page]]));
    page = resident[0][1] + 1;
  }
  assert.equal({ ...vectors.sequential, faultPages: faults }, vectors.sequential);
  assert.is(faults.length, 6);
});
density("17 faults at a stride of 64 KiB in one batch take the block, 16 take half of it at most", () => {
  const faulted = (n: number): number[][] => Array.from({ length: n }, (_, i) => [16 * i, 16 * i]);
  const missing = (n: number, end: number): number[][] =>
    listOf(bitsOf([[0, end - 1]])).flatMap(() => {
      const bits = bitsOf([[0, end - 1]]);
      for (const [page] of faulted(n)) bits[page >>> 5] &= ~(1 << (page & 31));
      return listOf(bits);
    });
  // 17 × 16 = 272 of 512 pages are 53 %; 16 × 16 = 256 are exactly half, and all of the first MiB.
  assert.equal(run(densityPrefetcher(51), { faulted: faulted(17) }), missing(17, 512));
  assert.equal(run(densityPrefetcher(51), { faulted: faulted(16) }), missing(16, 256));
});
density("threshold 100 never fires", () => {
  assert.equal(run(densityPrefetcher(100), { faulted: [[0, 510]] }), []);
});
density("pages that need nothing are left out, though they count as resident", () => {
  // 32 resident pages and big page [32,48): 48/64 wins. Pages 0-7 are resident and not mapped: they are
  // mapped.
  const out = newBits();
  const query = {
    pages: 512,
    resident: bitsOf([[0, 31]]),
    faulted: bitsOf([[32, 32]]),
    thrashing: newBits(),
  };
  densityPrefetcher(51)({ ...query, done: bitsOf([[8, 31]]) }, out);
  assert.equal(listOf(out), [
    [0, 7],
    [33, 63],
  ]);
});
density.run();

const others = suite("driver: other prefetchers");
others("none fetches nothing", () => {
  assert.equal(run(noPrefetcher, { faulted: [[5, 5]] }), []);
});
others("sl fetches the rest of each 64 KiB with a fault and without a thrashing page", () => {
  const faulted = [
    [5, 5],
    [20, 20],
    [99, 99],
  ];
  assert.equal(run(bigPagePrefetcher, { faulted, thrashing: [[16, 16]], pages: 100 }), [
    [0, 4],
    [6, 15],
    [96, 98],
  ]);
});
others("a whole block comes, less what faulted and what thrashes", () => {
  assert.equal(run(wholeBlock, { faulted: [[5, 5]], thrashing: [[7, 7]], pages: 100 }), [
    [0, 4],
    [6, 6],
    [8, 99],
  ]);
});
others.run();
