// A random graph and what runs over it. The graph is an R-MAT one (Chakrabarti, Zhan, Faloutsos, SDM 2004)
// with Graph500's probabilities 0.57, 0.19, 0.19, 0.05 and scrambled vertex numbers, as compressed sparse
// rows.
//
//   GRAPH:  ┌────────────────────┬──────────────────────┬───────────────┬───────────────┐
//           │ rows, u32 × (V+1)  │ neighbors, u32 × E   │ level, u32 × V│ queue, u32 × V│
//           └────────────────────┴──────────────────────┴───────────────┴───────────────┘
//
// The accesses that a run makes are to arrays of the same form in the simulated address space, whose
// addresses the description gives: rows, neighbors, then two arrays of a word a vertex (BFS: level and queue;
// PageRank: ranks).

import { described, GRAPH, GRAPH_STATE, RECORDS, RECORDS_MAX, setState, state } from "./memory";
import { nextRandom, permute, seedRandom } from "./random";
import { putRecord, tailOf } from "./record";

const SCALE: u32 = GRAPH_STATE;
const EDGES: u32 = GRAPH_STATE + 1;
const ROWS_AT: u32 = GRAPH_STATE + 2;
const NEIGHBORS_AT: u32 = GRAPH_STATE + 3;
const FIRST_AT: u32 = GRAPH_STATE + 4;
const SECOND_AT: u32 = GRAPH_STATE + 5;
const AGENT: u32 = GRAPH_STATE + 6;
const IDS: u32 = GRAPH_STATE + 7;
/** BFS: the next vertex of the queue. PageRank: the next vertex. */
const HEAD: u32 = GRAPH_STATE + 8;
const TAIL: u32 = GRAPH_STATE + 9;
/** Where the level begins in the queue, and where it ends. */
const FROM: u32 = GRAPH_STATE + 10;
const UNTIL: u32 = GRAPH_STATE + 11;
/** The next edge of the vertex that a full buffer interrupted; 0: the vertex has not begun. */
const EDGE: u32 = GRAPH_STATE + 12;
const LEVEL: u32 = GRAPH_STATE + 13;
const SWAPPED: u32 = GRAPH_STATE + 14;

const LOAD: u64 = 0;
const STORE: u64 = 1;
const UNSEEN: u32 = 0xffffffff;

/** The number of vertices. */
@inline
function vertices(): u32 {
  return (<u32>1) << (<u32>state(SCALE));
}

/** Where the index of the first edge of vertex v is. */
@inline
function row(v: u32): usize {
  return GRAPH + ((<usize>v) << 2);
}

/** Where the vertex at the end of edge e is. */
@inline
function neighbor(e: u32): usize {
  return row(vertices() + 1) + ((<usize>e) << 2);
}

/** Where the level of vertex v is. */
@inline
function levelOf(v: u32): usize {
  return neighbor(<u32>state(EDGES)) + ((<usize>v) << 2);
}

/** Where entry i of the queue is. */
@inline
function queueAt(i: u32): usize {
  return levelOf(vertices()) + ((<usize>i) << 2);
}

/** Bytes of memory that a graph of 2^scale vertices and so many edges (in both directions) needs. */
export function graphBytes(scale: u32, edges: u32): f64 {
  return <f64>GRAPH + 4.0 * (3.0 * NativeMath.pow(2, scale) + 1 + edges);
}

/**
 * One edge: source in the high word, target in the low one. Four levels of the matrix a draw, 16 bits each.
 */
function drawEdge(scale: u32, key: u64): u64 {
  let from: u64 = 0;
  let to: u64 = 0;
  let bits: u64 = 0;
  for (let level: u32 = 0; level < scale; level++) {
    if (!(level & 3)) bits = nextRandom();
    const draw = <u32>(bits & 0xffff);
    bits >>= 16;
    // 0.57, 0.76 and 0.95 of 65,536.
    const down: u64 = draw >= 49808 ? 1 : 0;
    const right: u64 = (draw >= 37356 && draw < 49808) || draw >= 62260 ? 1 : 0;
    from = (from << 1) | down;
    to = (to << 1) | right;
  }
  return (permute(from, scale, key) << 32) | permute(to, scale, key);
}

/** Calls for the edges twice: first their degrees are counted, then the rows are filled. */
function eachEdge(seed: u64, drawn: u32, both: bool, fill: bool): void {
  const scale = <u32>state(SCALE);
  seedRandom(seed);
  const key = nextRandom();
  for (let i: u32 = 0; i < drawn; i++) {
    const edge = drawEdge(scale, key);
    addEdge(<u32>(edge >> 32), <u32>edge, fill);
    if (both) addEdge(<u32>edge, <u32>(edge >> 32), fill);
  }
}

/** Counts an edge, or writes it with `fill`. */
@inline
function addEdge(from: u32, to: u32, fill: bool): void {
  const at = load<u32>(row(from));
  if (fill) store<u32>(neighbor(at), to);
  store<u32>(row(from), at + 1);
}

/**
 * Builds the graph of the description: scale, edges drawn, 1 if each is entered in both directions, seed, and
 * the four arrays' addresses, the agent, the first range id.
 */
export function buildGraph(): void {
  const drawn = <u32>described(1);
  const both = described(2) != 0;
  setState(SCALE, described(0));
  setState(EDGES, both ? 2 * drawn : drawn);
  for (let i: u32 = 0; i < 6; i++) setState(ROWS_AT + i, described(4 + i));
  const n = vertices();
  memory.fill(GRAPH, 0, 4 * (<usize>n + 1));
  eachEdge(described(3), drawn, both, false);
  let sum: u32 = 0;
  for (let v: u32 = 0; v <= n; v++) {
    const degree = load<u32>(row(v));
    store<u32>(row(v), sum);
    sum += degree;
  }
  eachEdge(described(3), drawn, both, true);
  // Filling has moved each row's start to the next one's.
  memory.copy(row(1), row(0), 4 * <usize>n);
  store<u32>(row(0), 0);
}

/** The second word of a record of an access to `array`. */
@inline
function tail(kind: u64, thread: u32, array: u32): u64 {
  return tailOf(kind, state(AGENT), thread & 0xffff, state(IDS) + array);
}

/** Whether `n` more records fit behind `out`. */
@inline
function fits(out: usize, n: u32): bool {
  return out + 16 * <usize>n <= RECORDS + 16 * <usize>RECORDS_MAX;
}

/** Begins a breadth-first search at the first vertex from `root` on that has a neighbor. */
export function beginBfs(root: u32): u32 {
  const n = vertices();
  while (root + 1 < n && load<u32>(row(root)) == load<u32>(row(root + 1))) root++;
  memory.fill(levelOf(0), 0xff, 4 * <usize>n);
  store<u32>(levelOf(root), 0);
  store<u32>(queueAt(0), root);
  setState(HEAD, 0);
  setState(TAIL, 1);
  setState(FROM, 0);
  setState(UNTIL, 0);
  setState(EDGE, 0);
  setState(LEVEL, 0);
  return root;
}

/** Goes on to the next level: a kernel of its own. Returns how many vertices it has; 0 at the end. */
export function beginLevel(): u32 {
  setState(FROM, state(UNTIL));
  setState(UNTIL, state(TAIL));
  setState(LEVEL, state(LEVEL) + 1);
  return <u32>(state(UNTIL) - state(FROM));
}

/** Appends the records of the level after the first `n`. Returns how many there are then. */
export function runBfs(n: u32): u32 {
  let out = RECORDS + 16 * <usize>n;
  let head = <u32>state(HEAD);
  const until = <u32>state(UNTIL);
  while (head < until && fits(out, 6)) {
    const v = load<u32>(queueAt(head));
    const thread = head - <u32>state(FROM);
    if (!state(EDGE)) {
      putRecord(out, state(SECOND_AT) + 4 * <u64>head, 4, tail(LOAD, thread, 3));
      putRecord(out + 16, state(ROWS_AT) + 4 * <u64>v, 8, tail(LOAD, thread, 0));
      out += 32;
      setState(EDGE, <u64>load<u32>(row(v)) + 1);
    }
    out = visitNeighbors(out, v, thread);
    if (state(EDGE) <= <u64>load<u32>(row(v + 1))) break;
    setState(EDGE, 0);
    head++;
  }
  setState(HEAD, head);
  return <u32>((out - RECORDS) >> 4);
}

/** The edges of v from EDGE on, while records fit. */
function visitNeighbors(out: usize, v: u32, thread: u32): usize {
  const end = load<u32>(row(v + 1));
  let e = <u32>state(EDGE) - 1;
  for (; e < end && fits(out, 4); e++) {
    const u = load<u32>(neighbor(e));
    putRecord(out, state(NEIGHBORS_AT) + 4 * <u64>e, 4, tail(LOAD, thread, 1));
    putRecord(out + 16, state(FIRST_AT) + 4 * <u64>u, 4, tail(LOAD, thread, 2));
    out += 32;
    if (load<u32>(levelOf(u)) != UNSEEN) continue;
    const at = <u32>state(TAIL);
    store<u32>(levelOf(u), <u32>state(LEVEL));
    store<u32>(queueAt(at), u);
    setState(TAIL, at + 1);
    putRecord(out, state(FIRST_AT) + 4 * <u64>u, 4, tail(STORE, thread, 2));
    putRecord(out + 16, state(SECOND_AT) + 4 * <u64>at, 4, tail(STORE, thread, 3));
    out += 32;
  }
  setState(EDGE, <u64>e + 1);
  return out;
}

/**
 * Begins an iteration of PageRank: a kernel of its own. Ranks are read from one array and written to the
 * other.
 */
export function beginPageRank(iteration: u32): void {
  setState(HEAD, 0);
  setState(EDGE, 0);
  setState(SWAPPED, iteration & 1);
}

/** Appends the records of the iteration after the first `n`. Returns how many there are then. */
export function runPageRank(n: u32): u32 {
  let out = RECORDS + 16 * <usize>n;
  let v = <u32>state(HEAD);
  const swapped = <u32>state(SWAPPED);
  const source = state(FIRST_AT + swapped);
  const target = state(SECOND_AT - swapped);
  while (v < vertices() && fits(out, 4)) {
    if (!state(EDGE)) {
      putRecord(out, state(ROWS_AT) + 4 * <u64>v, 8, tail(LOAD, v, 0));
      out += 16;
      setState(EDGE, <u64>load<u32>(row(v)) + 1);
    }
    const end = load<u32>(row(v + 1));
    let e = <u32>state(EDGE) - 1;
    for (; e < end && fits(out, 3); e++) {
      putRecord(out, state(NEIGHBORS_AT) + 4 * <u64>e, 4, tail(LOAD, v, 1));
      putRecord(out + 16, source + 4 * <u64>load<u32>(neighbor(e)), 4, tail(LOAD, v, 2 + swapped));
      out += 32;
    }
    setState(EDGE, <u64>e + 1);
    if (e < end) break;
    putRecord(out, target + 4 * <u64>v, 4, tail(STORE, v, 3 - swapped));
    out += 16;
    setState(EDGE, 0);
    v++;
  }
  setState(HEAD, v);
  return <u32>((out - RECORDS) >> 4);
}

/** Tells whether the level or the iteration has ended. `until`: its last vertex; BFS has its own. */
export function graphDone(pageRank: bool): bool {
  return state(HEAD) == (pageRank ? <u64>vertices() : state(UNTIL));
}
