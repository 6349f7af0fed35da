// What runs over a graph: breadth-first search and PageRank (graph-memory.ts draws where it lies).

import {
  AGENT,
  EDGE,
  FIRST_AT,
  FROM,
  HEAD,
  IDS,
  neighbor,
  NEIGHBORS_AT,
  queueAt,
  row,
  ROWS_AT,
  SECOND_AT,
  seen,
  seenBytes,
  SWAPPED,
  TAIL,
  UNTIL,
  vertices,
} from "./graph-memory";
import { RECORDS, RECORDS_MAX, setState, state } from "./memory";
import { putRecord, tailOf } from "./record";

const LOAD: u64 = 0;
const STORE: u64 = 1;

/** The second word of a record of an access to `array`. */
@inline
function tail(kind: u64, thread: u32, array: u32): u64 {
  return tailOf(kind, state(AGENT), thread & 0xffff, state(IDS) + array);
}

/** The last place behind which `n` records fit. */
@inline
function lastFor(n: u32): usize {
  return RECORDS + 16 * <usize>(RECORDS_MAX - n);
}

/** Begins a breadth-first search at the first vertex from `root` on that has a neighbor. */
export function beginBfs(root: u32): u32 {
  const n = vertices();
  while (root + 1 < n && load<u32>(row(root)) == load<u32>(row(root + 1))) root++;
  memory.fill(seen(), 0, seenBytes());
  see(seen(), root);
  store<u32>(queueAt(0), root);
  setState(HEAD, 0);
  setState(TAIL, 1);
  setState(FROM, 0);
  setState(UNTIL, 0);
  setState(EDGE, 0);
  return root;
}

/** Goes on to the next level: a kernel of its own. Returns how many vertices it has; 0 at the end. */
export function beginLevel(): u32 {
  setState(FROM, state(UNTIL));
  setState(UNTIL, state(TAIL));
  return <u32>(state(UNTIL) - state(FROM));
}

/** Appends the records of the level after the first `n`. Returns how many there are then. */
export function runBfs(n: u32): u32 {
  let out = RECORDS + 16 * <usize>n;
  let head = <u32>state(HEAD);
  const until = <u32>state(UNTIL);
  while (head < until && out <= lastFor(6)) {
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

/** Marks a vertex as seen. Returns whether it was not. The bits of 2^20 vertices lie in the cache. */
@inline
function see(bits: usize, v: u32): bool {
  const at = bits + ((<usize>(v >> 5)) << 2);
  const word = load<u32>(at);
  const bit: u32 = 1 << (v & 31);
  if (word & bit) return false;
  store<u32>(at, word | bit);
  return true;
}

/** The edges of v from EDGE on, while records fit. */
function visitNeighbors(out: usize, v: u32, thread: u32): usize {
  const end = load<u32>(row(v + 1));
  const neighbors = neighbor(0);
  const bits = seen();
  const neighborsAt = state(NEIGHBORS_AT);
  const levelsAt = state(FIRST_AT);
  const ofNeighbor = tail(LOAD, thread, 1);
  const ofLevel = tail(LOAD, thread, 2);
  const last = lastFor(4);
  let e = <u32>state(EDGE) - 1;
  for (; e < end && out <= last; e++) {
    const u = load<u32>(neighbors + ((<usize>e) << 2));
    putRecord(out, neighborsAt + 4 * <u64>e, 4, ofNeighbor);
    putRecord(out + 16, levelsAt + 4 * <u64>u, 4, ofLevel);
    out += 32;
    if (see(bits, u)) out = discover(out, u, thread);
  }
  setState(EDGE, <u64>e + 1);
  return out;
}

/** Takes u to the next level: its level is written, and the queue ends with it. */
@inline
function discover(out: usize, u: u32, thread: u32): usize {
  const at = <u32>state(TAIL);
  store<u32>(queueAt(at), u);
  setState(TAIL, at + 1);
  putRecord(out, state(FIRST_AT) + 4 * <u64>u, 4, tail(STORE, thread, 2));
  putRecord(out + 16, state(SECOND_AT) + 4 * <u64>at, 4, tail(STORE, thread, 3));
  return out + 32;
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
  while (v < vertices() && out <= lastFor(4)) {
    if (!state(EDGE)) {
      putRecord(out, state(ROWS_AT) + 4 * <u64>v, 8, tail(LOAD, v, 0));
      out += 16;
      setState(EDGE, <u64>load<u32>(row(v)) + 1);
    }
    const end = load<u32>(row(v + 1));
    let e = <u32>state(EDGE) - 1;
    for (; e < end && out <= lastFor(3); e++) {
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
