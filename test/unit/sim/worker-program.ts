/** What the worker's test runs, in Node and in a worker of a browser: the results must be the same. */
import { decodeHmt, decodeLackey, openWorkload, simulate, type SimulationReport } from "../../../src/sim.ts";
import { WORKLOADS } from "../../../src/sim/workload/index.ts";
import { Fnv } from "./fnv.ts";

/** Parameters that keep a workload small. */
const SMALL: Record<string, string> = {
  gups: "size=1MiB,updates=50000",
  zipf: "size=1MiB,accesses=50000",
  bfs: "scale=8",
  pagerank: "scale=8",
  kvcache: "requests=8",
  matmul: "size=96KiB",
};

/** Bytes as base64. */
const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export interface WorkerInput {
  lackey: string;
  /** An .hmt trace with a packed block, in base64. */
  hmt: string;
}

export interface WorkerResult {
  /** A hash of each workload's records, and how many they are. */
  workloads: Record<string, string>;
  reports: SimulationReport[];
}

function hashOf(name: string): string {
  const hash = new Fnv();
  let records = 0;
  for (const block of openWorkload(`${name}:${SMALL[name] ?? "size=256KiB"}`).blocks()) {
    hash.add(new Uint32Array(block.buffer, block.byteOffset, 2 * block.length));
    records += block.length / 2;
  }
  return `${records} ${hash.value}`;
}

export async function program({ lackey, hmt }: WorkerInput): Promise<WorkerResult> {
  const config = { systemMemory: "16MiB", deviceMemory: "128KiB" } as const;
  const offload = [{ name: "kernel", start: 0x402000, end: 0x402100 }];
  const text = new TextEncoder().encode(lackey);
  return {
    workloads: Object.fromEntries(Object.keys(WORKLOADS).map((name) => [name, hashOf(name)])),
    reports: [
      await simulate(decodeLackey([text], { offload }), config),
      await simulate(decodeHmt([bytesOf(hmt)]), config),
      await simulate(openWorkload("stencil2d:size=1MiB"), { ...config, epoch: "kernel" }),
    ],
  };
}
