// Where a graph and its state lie.
//
//   GRAPH:  ┌────────────────────┬──────────────────────┬──────────────┬───────────────┬────────────────
//           │ rows, u32 × (V+1)  │ neighbors, u32 × E   │ seen, 1 bit ×│ queue, u32 × V│  pool of blocks
//           │                    │                      │ V            │               │  (graph-build.ts)
//           └────────────────────┴──────────────────────┴──────────────┴───────────────┴────────────────
//
// The accesses that a run makes are to arrays of the same form in the simulated address space, whose
// addresses the description gives: rows, neighbors, then two arrays of a word a vertex (BFS: level and queue;
// PageRank: ranks).

import { GRAPH, GRAPH_STATE, OFFSETS, state } from "./memory";

export const SCALE: u32 = GRAPH_STATE;
export const EDGES: u32 = GRAPH_STATE + 1;
export const ROWS_AT: u32 = GRAPH_STATE + 2;
export const NEIGHBORS_AT: u32 = GRAPH_STATE + 3;
export const FIRST_AT: u32 = GRAPH_STATE + 4;
export const SECOND_AT: u32 = GRAPH_STATE + 5;
export const AGENT: u32 = GRAPH_STATE + 6;
export const IDS: u32 = GRAPH_STATE + 7;
/** BFS: the next vertex of the queue. PageRank: the next vertex. */
export const HEAD: u32 = GRAPH_STATE + 8;
export const TAIL: u32 = GRAPH_STATE + 9;
/** Where the level begins in the queue, and where it ends. */
export const FROM: u32 = GRAPH_STATE + 10;
export const UNTIL: u32 = GRAPH_STATE + 11;
/** The next edge of the vertex that a full buffer interrupted; 0: the vertex has not begun. */
export const EDGE: u32 = GRAPH_STATE + 12;
export const SWAPPED: u32 = GRAPH_STATE + 13;
/** While it is built: the edges that are drawn, whether in both directions, and the key of permute(). */
export const DRAWN: u32 = GRAPH_STATE + 14;
export const BOTH: u32 = GRAPH_STATE + 15;
export const KEY: u32 = GRAPH_STATE + 16;
/** What the next step does, and the edge or the bucket that it begins with. */
export const PHASE: u32 = GRAPH_STATE + 17;
export const AT: u32 = GRAPH_STATE + 18;
/** The buckets of this pass: from FIRST to below LIMIT. */
export const FIRST: u32 = GRAPH_STATE + 19;
export const LIMIT: u32 = GRAPH_STATE + 20;
/** The entries in the rows of all buckets before. */
export const FILLED: u32 = GRAPH_STATE + 21;
/** The pool's first block that was never used, its end, and a list of blocks that are free again; 0: none. */
export const UNUSED: u32 = GRAPH_STATE + 22;
export const POOL_END: u32 = GRAPH_STATE + 23;
export const FREE: u32 = GRAPH_STATE + 24;

/** The number of vertices. */
@inline
export function vertices(): u32 {
  return (<u32>1) << (<u32>state(SCALE));
}

/** Where the index of the first edge of vertex v is. */
@inline
export function row(v: u32): usize {
  return GRAPH + ((<usize>v) << 2);
}

/** Where the vertex at the end of edge e is. */
@inline
export function neighbor(e: u32): usize {
  return row(vertices() + 1) + ((<usize>e) << 2);
}

/** Where the bits of the vertices are that a search has seen. */
@inline
export function seen(): usize {
  return neighbor(<u32>state(EDGES));
}

/** The bytes of these bits. */
@inline
export function seenBytes(): usize {
  return ((<usize>vertices() + 31) >> 5) << 2;
}

/** Where entry i of the queue is. */
@inline
export function queueAt(i: u32): usize {
  return seen() + seenBytes() + ((<usize>i) << 2);
}

/** Bytes of a block of the pool, which is aligned to as much. */
export const BLOCK_BYTES: usize = 4096;
/** Where a block's entries begin; before them is the next block's address. */
export const BLOCK_HEAD: usize = 8;
/** Where the last entry of a block begins at most: entries are written as words. */
export const BLOCK_LAST: usize = BLOCK_BYTES - 8;

/** Where the pool of blocks begins. */
@inline
export function poolAt(): usize {
  return (queueAt(vertices()) + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
}

/** Buckets of vertices: those with the same first bits share one. */
const BUCKET_BITS: u32 = 8;

/** By how many bits a vertex is shifted to give its bucket. */
@inline
export function bucketShift(scale: u32): u32 {
  return max<u32>(scale, BUCKET_BITS) - BUCKET_BITS;
}

/** How many buckets there are. */
@inline
export function buckets(scale: u32): u32 {
  return (<u32>1) << min<u32>(scale, BUCKET_BITS);
}

/**
 * Bytes of an entry: the bits of a vertex that its bucket leaves open, and a neighbor. They are at most six,
 * with the largest scale.
 */
@inline
export function entryBytes(scale: u32): u32 {
  return (bucketShift(scale) + scale + 7) >> 3;
}

/** Where the first block of a bucket is told; 0: it has none. */
@inline
export function chainOf(bucket: u32): usize {
  return OFFSETS + ((<usize>bucket) << 2);
}

/** Where it is told where the next entry of a bucket goes; {@link CLOSED}: into a block that it lacks. */
@inline
export function placeOf(bucket: u32): usize {
  return chainOf(bucket) + ((<usize>1) << (BUCKET_BITS + 2));
}

/** A place at which no entry fits. */
export const CLOSED: u32 = 0xffffffff;

/**
 * Bytes of memory that a graph of 2^scale vertices needs while it is built, with so many edges drawn, both
 * directions of each or one, and at most so many bytes in the pool.
 */
export function graphBytes(scale: u32, drawn: u32, both: bool, pool: f64): f64 {
  const entries = <f64>drawn * (both ? 2 : 1);
  const inBlock = <f64>((BLOCK_LAST - BLOCK_HEAD) / entryBytes(scale) + 1);
  const blocks = NativeMath.ceil(entries / inBlock) + <f64>buckets(scale);
  const arrays = <f64>GRAPH + 4.0 * (2.25 * NativeMath.pow(2, scale) + 2 + entries);
  return arrays + <f64>BLOCK_BYTES + min(pool, blocks * <f64>BLOCK_BYTES);
}
