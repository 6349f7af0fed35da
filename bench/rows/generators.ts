/**
 * S9: the workloads' generators, with what they prepare: the building of a graph, the table of a
 * distribution. The rival is the rate that is asked for, 50 million accesses a second, as the time of one.
 */
import { openWorkload } from "../../src/sim/workload/index.ts";
import type { Result, Row, Side } from "../harness.ts";
import { figure } from "../replaying.ts";

const LEAST = 50;
/** What is generated, and what stands for it in a smoke run. */
const SPECS: readonly (readonly [spec: string, smoke: string])[] = [
  ["add:size=64MiB,grain=8", "add:size=64KiB"],
  ["stream:size=64MiB,grain=8", "stream:size=64KiB"],
  ["stencil2d:size=64MiB,grain=8", "stencil2d:size=64KiB"],
  ["stencil3d:size=64MiB,grain=8", "stencil3d:size=64KiB"],
  ["matmul:size=64MiB", "matmul:size=64KiB"],
  ["gups:size=8GiB,updates=8M", "gups:size=1MiB,updates=1K"],
  ["chase:size=1GiB", "chase:size=1MiB"],
  ["zipf:size=100GiB,accesses=16M", "zipf:size=1MiB,accesses=1K"],
  ["bfs:scale=20", "bfs:scale=6"],
  ["pagerank:scale=20", "pagerank:scale=6"],
  ["hashjoin:size=256MiB", "hashjoin:size=1MiB"],
  ["hotspot:grain=64,iterations=32", "hotspot:size=12KiB"],
  ["kvcache:requests=64", "kvcache:requests=1,layers=1"],
];

/** Generates all records. The hash is their number. */
function generating(spec: string): Side {
  return {
    run() {
      const start = performance.now();
      let records = 0;
      for (const block of openWorkload(spec).blocks()) records += block.length / 2;
      return { ns: (performance.now() - start) * 1e6, hash: records };
    },
  };
}

const row: Row = {
  title: "generators of workloads",
  unit: "access",
  async run(context) {
    const results: Result[] = [];
    for (const [spec, smoke] of SPECS) {
      const ours = generating(context.smoke ? smoke : spec);
      const { hash } = await ours.run();
      const name = `${spec.split(":")[0]}, ${LEAST} M/s`;
      const rivals = [{ name, target: 1, sides: [figure((hash * 1e3) / LEAST, hash)] }];
      results.push(...(await context.compare({ ours, units: hash, rivals })));
    }
    return results;
  },
};
export default row;
