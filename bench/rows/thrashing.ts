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
const DEVICE_BYTES = 4 * MIB;
/** Pages of a cluster of 64 KiB. */
const CLUSTER_PAGES = 16;

interface Thrash {
  name: string;
  backing: "metadata" | "data";
  cluster: number;
  /** So many that a repetition has 40,000 faults, or with data takes 40 ms. */
  sweeps: number;
}

const ALL: readonly Thrash[] = [
  { name: "64-KiB", backing: "metadata", cluster: CLUSTER_PAGES * PAGE, sweeps: 320 },
  { name: "page", backing: "metadata", cluster: PAGE, sweeps: 40 },
  { name: "64-KiB-data", backing: "data", cluster: CLUSTER_PAGES * PAGE, sweeps: 30 },
];
/** What is asked for, in nanoseconds a fault. */
const ASKED: Record<string, number> = { "64-KiB": 3000, page: 800 };

/** Simulates sweeps. The hash is the number of faults. */
function sweeping({ backing, cluster, sweeps: all }: Thrash, smoke: boolean, size: number): Side {
  const sweeps = smoke ? 2 : all;
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

/** Twice memcpy of both clusters: always the same ones, which stay in the cache, and those of the sweep. */
async function copies(cluster: number): Promise<Record<string, number> | null> {
  const cached = await floor("copy", 2 * cluster, 1000);
  const swept = await floor("exchange", DEVICE_BYTES, 1000);
  return cached === null || swept === null
    ? null
    : { "2 x memcpy in L2": 2 * cached, "2 x memcpy": 2 * swept };
}

const row: Row = {
  title: "a device fault that evicts a cluster and brings another",
  unit: "fault",
  async run(context) {
    const results: Result[] = [];
    for (const thrash of ALL) {
      const ours = sweeping(thrash, context.smoke, DEVICE_BYTES);
      const { hash } = await ours.run();
      const { name, cluster } = thrash;
      const asked = name in ASKED ? { [`${ASKED[name] / 1000} us`]: ASKED[name] } : await copies(cluster);
      if (asked === null) {
        context.note(`${name}: not compared, there is no C compiler`);
        continue;
      }
      const rivals = Object.entries(asked).map(([what, ns]) => ({
        name: `${name}, ${what}`,
        target: 1,
        sides: [figure(ns * hash, hash)],
      }));
      results.push(...(await context.compare({ ours, units: hash, rivals })));
    }
    return results;
  },
};
export default row;
