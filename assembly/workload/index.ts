// The workload module: generators of memory accesses. No imports, no mutable globals; all state is in linear
// memory, so a generator can be stopped, snapshot and continued. src/sim/workload drives it.

import {
  described,
  describedF64,
  DESCRIPTION,
  GRAPH,
  OFFSETS,
  OFFSETS_MAX,
  RECORDS,
  RECORDS_MAX,
} from "./memory";
import { seedRandom } from "./random";
import { prepareZipf } from "./zipf";

export { beginNest, nestDone, runNest } from "./nest";
export { beginBfs, beginLevel, beginPageRank, graphDone, runBfs, runPageRank } from "./graph";
export { beginGraph, buildGraph } from "./graph-build";
export { graphBytes } from "./graph-memory";

/** Where records, offsets and the description lie, and how many fit. */
export function recordsAt(): usize {
  return RECORDS;
}

export function recordsMax(): u32 {
  return RECORDS_MAX;
}

export function offsetsAt(): usize {
  return OFFSETS;
}

export function offsetsMax(): u32 {
  return OFFSETS_MAX;
}

export function descriptionAt(): usize {
  return DESCRIPTION;
}

/** Where a graph lies, rows first. */
export function graphAt(): usize {
  return GRAPH;
}

/** Bytes that all but graphs need; zipf's preparation uses 16 bytes a rank after them. */
export function baseBytes(): u32 {
  return <u32>GRAPH + 16 * 65536;
}

/** Starts the random numbers of a seed, which the description's first number is. */
export function seed(): void {
  seedRandom(described(0));
}

/** Prepares Zipf's distribution: the description has the number of items and the exponent. */
export function zipf(): void {
  prepareZipf(described(0), describedF64(1), GRAPH);
}
