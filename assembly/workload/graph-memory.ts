// Where a graph and its state lie.
//
//   GRAPH:  ┌────────────────────┬──────────────────────┬──────────────┬───────────────┐
//           │ rows, u32 × (V+1)  │ neighbors, u32 × E   │ seen, 1 bit ×│ queue, u32 × V│
//           │                    │                      │ V            │               │
//           └────────────────────┴──────────────────────┴──────────────┴───────────────┘
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
/** What happens to a batch, the next edge of it, and the edges from its first one to the last of all. */
export const PHASE: u32 = GRAPH_STATE + 17;
export const AT: u32 = GRAPH_STATE + 18;
export const LEFT: u32 = GRAPH_STATE + 19;
/** The number of edges that a batch has at most. */
export const BATCH: u32 = GRAPH_STATE + 20;

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

/** Where edge i of a batch is: its source and its target, a word each. */
@inline
export function drawnAt(i: u32): usize {
  return ((queueAt(vertices()) + 7) & ~7) + ((<usize>i) << 3);
}

/** Where entry i of a batch that is sorted is: a vertex and its neighbor. */
@inline
export function sortedAt(i: u32): usize {
  return drawnAt(<u32>min(state(DRAWN), state(BATCH))) + ((<usize>i) << 3);
}

/** Where the buckets' next places are while a batch is sorted. */
export const BUCKETS_AT: usize = OFFSETS;

/**
 * Bytes of memory that a graph of 2^scale vertices needs while it is built, with so many edges drawn, both
 * directions of each or one, and so many edges in a batch.
 */
export function graphBytes(scale: u32, drawn: u32, both: bool, batch: u32): f64 {
  const directions: f64 = both ? 2 : 1;
  const lists = 8.0 * (1 + directions) * min(drawn, batch);
  return <f64>GRAPH + 4.0 * (2.25 * NativeMath.pow(2, scale) + 2 + directions * drawn) + 8 + lists;
}
