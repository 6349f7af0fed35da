/**
 * S3: device faults that thrash: a sweep over twice the device's memory, again and again, so that each fault
 * evicts one cluster and brings another. The rivals are the times that are asked for, and with data memcpy of
 * both clusters.
 */
import { Simulation } from "../../src/sim.ts";
import { MIB, PAGE } from "../engine.ts";
import type { Result, Row, Side } from "../harness.ts";
import { floor } from "../native.ts";
import { figure } from "../replaying.ts";

const BASE = 0x10_0000_0000;
/** Pages of a cluster of 64 KiB. */
const CLUSTER_PAGES = 16;

interface Thrash {
  name: string;
  backing: "metadata" | "data";
  cluster: number;
}

const ALL: readonly Thrash[] = [
  { name: "64-KiB", backing: "metadata", cluster: CLUSTER_PAGES * PAGE },
  { name: "page", backing: "metadata", cluster: PAGE },
  { name: "64-KiB-data", backing: "data", cluster: CLUSTER_PAGES * PAGE },
];
/** What is asked for, in nanoseconds a fault. */
const ASKED: Record<string, number> = { "64-KiB": 3000, page: 800 };

/** Simulates sweeps. The hash is the number of faults. */
function sweeping({ backing, cluster }: Thrash, sweeps: number, size: number): Side {
  const steps = (2 * size) / cluster;
  const records = new BigUint64Array(2 * steps * sweeps);
  for (let i = 0; i < steps * sweeps; i++) {
    records[2 * i] = BigInt(BASE + (i % steps) * cluster) | (8n << 48n);
    records[2 * i + 1] = 1n | (1n << 8n);
  }
  const config = { backing, cluster, prefetch: "none", deviceMemory: size, systemMemory: 8 * size } as const;
  return {
    async run() {
      const simulation = await Simulation.create(config);
      simulation.feed(records.subarray(0, 2 * steps)); // the first sweep makes the pages
      const start = performance.now();
      simulation.feed(records.subarray(2 * steps));
      const ns = (performance.now() - start) * 1e6;
      const hash = simulation.report().faults.device - steps;
      simulation.close();
      return { ns, hash };
    },
  };
}

const row: Row = {
  title: "a device fault that evicts a cluster and brings another",
  unit: "fault",
  async run(context) {
    const results: Result[] = [];
    for (const thrash of ALL) {
      const ours = sweeping(thrash, context.smoke ? 2 : thrash.backing === "data" ? 6 : 40, 4 * MIB);
      const { hash } = await ours.run();
      const { name, cluster } = thrash;
      const copy = name in ASKED ? null : await floor("copy", 2 * cluster, 1000);
      const asked = copy === null ? ASKED[name] : 2 * copy;
      if (asked === undefined) {
        context.note(`${name}: not compared, there is no C compiler`);
        continue;
      }
      const rival = copy === null ? `${name}, ${asked / 1000} us` : `${name}, 2 x memcpy`;
      results.push(
        ...(await context.compare({
          ours,
          units: hash,
          rivals: [{ name: rival, target: 1, sides: [figure(asked * hash, hash)] }],
        })),
      );
    }
    return results;
  },
};
export default row;
