/** The replacement policies and their plain second implementations. */
import type { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import type { EvictPolicy } from "../../../../src/sim/policies/evict/evictor.ts";
import { Paging } from "../../../../src/sim/policies/paging.ts";
import { References } from "../../../../src/sim/policies/references.ts";
import * as reference from "./reference.ts";

/** Number of traces that tests compare on. */
export const TRACES = 1000;
export const PAIRS: [
  name: keyof typeof EVICTORS,
  parameter: number | undefined,
  plain: reference.Reference,
][] = [
  ["lru", undefined, reference.lru],
  ["fifo", undefined, reference.fifo],
  ["mru", undefined, reference.mru],
  ["clock", undefined, reference.clock],
  ["clock:hit", undefined, reference.clockHit],
  ["sieve", undefined, reference.sieve],
  ["s3-fifo", undefined, reference.s3Fifo(2)],
  ["s3-fifo", 3, reference.s3Fifo(3)],
  ["arc", undefined, reference.arc],
  ["segfifo", 30, reference.segFifo(30)],
  ["segfifo", 0, reference.fifo],
  ["segfifo", 100, reference.lru],
];

/** The misses of a policy on a trace. */
export function misses(
  policy: EvictPolicy,
  trace: readonly number[],
  capacity: number,
  parameter?: number,
): number {
  const future = new References();
  for (const page of trace) future.add(page);
  const paging = new Paging(policy, { capacity, parameter, future });
  for (const page of trace) paging.access(page);
  return paging.counts.in;
}
