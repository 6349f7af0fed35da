/** Miss curves equal brute force, and runs of the engine. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ConfigError,
  missCurve,
  openWorkload,
  simulate,
  writeRecord,
  type RecordBlock,
} from "../../../../src/sim.ts";
import { StackDistances } from "../../../../src/sim/policies/stack-distances.ts";
import * as reference from "./reference.ts";
import { traceOf } from "./traces.ts";

const BASE = 0x5000000;

const test = suite("sim: miss curves");
test("LRU's misses at every size are those of a plain LRU", () => {
  for (let n = 0; n < 300; n++) {
    const trace = traceOf(n);
    const distances = new StackDistances();
    for (const page of trace) distances.add(page);
    const sizes = Array.from({ length: distances.units }, (_, i) => i + 1);
    const plain = sizes.map((size) => reference.missesOf(trace, size, reference.lru(trace, size)));
    assert.equal([...distances.misses()], [trace.length, ...plain], `trace ${n}`);
  }
});
test("times are numbered anew, and the table of distances grows", () => {
  // Three rounds over 5,000 units, more than the tree has times at first: all of the second and third hit at
  // 5,000.
  const distances = new StackDistances();
  for (let i = 0; i < 15_000; i++) distances.add(i % 5000);
  const misses = distances.misses();
  assert.is(misses[4999], 15_000);
  assert.is(misses[5000], 5000);
  // Then the last 100 units backward: distances 1, 3, 5 … 199 in a stack that turns round.
  for (let i = 4999; i >= 4900; i--) distances.add(i);
  const after = distances.misses();
  assert.equal(
    [after[0], after[1], after[100], after[101], after[5000]],
    [15_100, 15_099, 15_000, 15_000, 5000],
  );
});

/** One store of the device to each page; page 0 at BASE. */
function block(pages: readonly number[]): RecordBlock {
  const records = new BigUint64Array(2 * pages.length);
  pages.forEach((page, i) =>
    writeRecord(records, i, { kind: "store", address: BASE + page * 4096, size: 8, agent: 1 }),
  );
  return { records };
}
test("a curve is of the device's accesses, by pages or by clusters, one for each", async () => {
  const records = new BigUint64Array(8);
  writeRecord(records, 0, { kind: "load", address: BASE, size: 8 });
  writeRecord(records, 1, { kind: "load", address: BASE + 4092, size: 8, agent: 1 });
  writeRecord(records, 2, { kind: "kernelBegin", id: 0, agent: 1 });
  writeRecord(records, 3, { kind: "modify", address: BASE, size: 8, agent: 1 });
  assert.equal(await missCurve([records], { opt: ["4K"] }), {
    cluster: 4096,
    accesses: 3, // pages 0, 1, 0
    clusters: 2,
    lru: [3, 3, 2],
    opt: [{ bytes: 4096, misses: 3 }],
  });
  const all = { agent: "device", cluster: "64K" } as const;
  assert.equal(await missCurve([records], all), {
    cluster: 65536,
    accesses: 3,
    clusters: 1,
    lru: [3, 1],
    opt: [],
  });
});
test("LRU and OPT of a curve are the pages that runs bring in", async () => {
  for (const n of [20, 31, 40]) {
    const trace = traceOf(n);
    const distinct = new Set(trace).size;
    const sizes = [1, 2, Math.ceil(distinct / 2), distinct];
    const opt = sizes.map((size) => size * 4096);
    const curve = await missCurve([block(trace)], { opt });
    for (const [i, deviceFrames] of sizes.entries()) {
      const config = { deviceFrames, cluster: "4K", prefetch: "none", backing: "metadata" } as const;
      const source = { blocks: () => [block(trace)] };
      const lru = await simulate(source, { ...config, bound: "opt" });
      assert.is(lru.device.pagesIn, curve.lru[deviceFrames]);
      assert.equal(lru.bound, { opt: { pagesIn: curve.opt[i].misses } });
      const best = await simulate(source, { ...config, evict: "opt" });
      assert.is(best.device.pagesIn, curve.opt[i].misses);
      const plain = reference.missesOf(trace, deviceFrames, reference.opt(trace, deviceFrames));
      assert.is(best.device.pagesIn, plain);
    }
  }
});
test("opt needs a source that is there twice", async () => {
  const config = { deviceFrames: 2, cluster: "4K", prefetch: "none", evict: "opt" } as const;
  function* once(): Generator<RecordBlock> {
    yield block([1, 2, 3]);
  }
  const error = await simulate(once(), config).catch((error: unknown) => error);
  assert.instance(error, TypeError);
  assert.match((error as Error).message, /^source: expected one whose blocks can be asked for twice/);
  const report = await simulate(openWorkload("gups:size=64KiB,updates=500"), config);
  assert.ok(report.device.pagesIn >= 16);
});
test("a size of opt that cannot be is refused", async () => {
  for (const size of ["2K", "much", 1.5]) {
    const error = await missCurve([block([1])], { opt: [size] }).catch((error: unknown) => error);
    assert.instance(error, ConfigError);
    assert.match((error as Error).message, /^opt .*: expected a size from 4KiB on, such as 64MiB/);
  }
});
test.run();
