// Builds a random graph: an R-MAT one (Chakrabarti, Zhan, Faloutsos, SDM 2004) with Graph500's probabilities
// 0.57, 0.19, 0.19, 0.05 and scrambled vertex numbers, as compressed sparse rows.
//
// Edges are drawn in batches, which lie behind the graph (graph-memory.ts). First the vertices' degrees are
// counted; then the edges are sorted by their rows' neighborhood and written, so that the rows that are
// written lie in the cache. Graphs of more than one batch are drawn twice.
//
// The host calls for steps: engines compile a loop well only when it is entered often.

import { described, GRAPH, setState, state } from "./memory";
import {
  AT,
  BATCH,
  BOTH,
  BUCKETS_AT,
  DRAWN,
  drawnAt,
  EDGES,
  KEY,
  LEFT,
  neighbor,
  PHASE,
  row,
  ROWS_AT,
  SCALE,
  sortedAt,
  vertices,
} from "./graph-memory";
import { nextRandom, permuteLanes, randomAhead, seedRandom, skipRandom } from "./random";

/** Edges in a step. */
const STEP: u32 = 4096;

/** What a step does to its edges. */
const COUNT: u32 = 0;
const REDRAW: u32 = 1;
const SIZE: u32 = 2;
const SORT: u32 = 3;
const FILL: u32 = 4;
const DONE: u32 = 5;

const BUCKET_BITS: u32 = 8;
const BUCKETS: u32 = 1 << BUCKET_BITS;

/**
 * What two draws decide: the next eight bits of an edge's source, in the high byte, and of its target, in the
 * low one. A level of the matrix takes 16 bits of a draw; a lane decides it, and the first level has the
 * highest lane.
 */
@inline
function drawBits(first: u64, second: u64): u32 {
  const draws = i64x2.replace_lane(i64x2.splat(second), 1, first);
  const lanes = v128.shuffle<u16>(draws, draws, 3, 2, 1, 0, 7, 6, 5, 4);
  // 0.57, 0.76 and 0.95 of 65,536.
  const down = v128.ge<u16>(lanes, i16x8.splat(<i16>49808));
  const above = v128.andnot(v128.ge<u16>(lanes, i16x8.splat(<i16>37356)), down);
  const right = v128.or(above, v128.ge<u16>(lanes, i16x8.splat(<i16>62260)));
  return i8x16.bitmask(i8x16.narrow_i16x8_s(right, down));
}

/** One edge before its vertices are scrambled: target in the high word, source in the low one. */
@inline
function drawEdge(scale: u32): u64 {
  let from: u32 = 0;
  let to: u32 = 0;
  let word: u64 = 0;
  for (let level: u32 = 0; level < scale; level += 8) {
    const bits = drawBits(randomAhead(word + 1), randomAhead(word + 2));
    const last = min<u32>(scale - level, 8);
    from = (from << last) | (bits >> (16 - last));
    to = (to << last) | ((bits & 0xff) >> (8 - last));
    word += last > 4 ? 2 : 1;
  }
  skipRandom(word);
  return ((<u64>to) << 32) | from;
}

/** Draws the edges [from, to) of a batch, an even number: source and target of each, a word each. */
function drawEdges(from: u32, to: u32): void {
  const scale = <u32>state(SCALE);
  const key = state(KEY);
  const end = drawnAt(to);
  for (let at = drawnAt(from); at < end; at += 16) {
    const edges = i64x2.replace_lane(i64x2.splat(drawEdge(scale)), 1, drawEdge(scale));
    v128.store(at, permuteLanes(edges, scale, key));
  }
}

/** Adds 1 to a word and returns what it was. */
@inline
function increment(word: usize): u32 {
  const old = load<u32>(word);
  store<u32>(word, old + 1);
  return old;
}

/** From one vertex of which an edge leaves to the next one, in bytes: a batch has sources and targets. */
@inline
function stride(): usize {
  return state(BOTH) ? 4 : 8;
}

/** Counts edges at the vertices that they leave. */
function countDegrees(from: u32, to: u32): void {
  const end = drawnAt(to);
  for (let at = drawnAt(from); at < end; at += stride()) increment(row(load<u32>(at)));
}

/** Where the next entry of a vertex' bucket goes: the vertices with the same first bits share one. */
@inline
function bucketOf(vertex: u32, shift: u32): usize {
  return BUCKETS_AT + ((<usize>(vertex >> shift)) << 2);
}

/** By how many bits a vertex is shifted to give its bucket. */
@inline
function bucketShift(): u32 {
  return max<u32>(<u32>state(SCALE), BUCKET_BITS) - BUCKET_BITS;
}

/** Counts the entries of each bucket. */
function countBuckets(from: u32, to: u32): void {
  const shift = bucketShift();
  const end = drawnAt(to);
  for (let at = drawnAt(from); at < end; at += stride()) increment(bucketOf(load<u32>(at), shift));
}

/** Makes `count` counts places: each becomes the sum of those before it. Returns the sum of all. */
function sumUp(counts: usize, count: u32): u32 {
  const end = counts + 4 * <usize>count;
  let sum: u32 = 0;
  for (let at = counts; at < end; at += 4) {
    const own = load<u32>(at);
    store<u32>(at, sum);
    sum += own;
  }
  return sum;
}

/** Puts edges into their buckets, a direction an entry, in the order in which they were drawn. */
function sortEdges(from: u32, to: u32): void {
  const shift = bucketShift();
  const both = state(BOTH) != 0;
  const end = drawnAt(to);
  const sorted = sortedAt(0);
  for (let at = drawnAt(from); at < end; at += 8) {
    const edge = load<u64>(at);
    store<u64>(sorted + ((<usize>increment(bucketOf(<u32>edge, shift))) << 3), edge);
    if (!both) continue;
    const back = rotr(edge, 32);
    store<u64>(sorted + ((<usize>increment(bucketOf(<u32>back, shift))) << 3), back);
  }
}

/** Writes sorted edges to the rows, each of which begins where its next edge goes. */
function fillRows(from: u32, to: u32): void {
  const neighbors = neighbor(0);
  const directions: u32 = state(BOTH) ? 2 : 1;
  const end = sortedAt(directions * to);
  for (let at = sortedAt(directions * from); at < end; at += 8) {
    const e = increment(row(load<u32>(at)));
    store<u32>(neighbors + ((<usize>e) << 2), load<u32>(at, 4));
  }
}

/**
 * Begins to build the graph of the description: scale, edges drawn, 1 if each is entered in both directions,
 * seed, the four arrays' addresses, the agent, the first range id, and the edges in a batch.
 */
export function beginGraph(): void {
  const drawn = <u32>described(1);
  setState(SCALE, described(0));
  setState(DRAWN, drawn);
  setState(BOTH, described(2));
  setState(EDGES, described(2) ? 2 * drawn : drawn);
  for (let i: u32 = 0; i < 6; i++) setState(ROWS_AT + i, described(4 + i));
  setState(BATCH, described(10));
  memory.fill(GRAPH, 0, 4 * (<usize>vertices() + 1));
  beginPass(COUNT);
}

/** Begins with the first edge, as drawn by COUNT and by REDRAW. */
function beginPass(phase: u32): void {
  seedRandom(described(3));
  setState(KEY, nextRandom());
  setState(LEFT, state(DRAWN));
  setState(AT, 0);
  setState(PHASE, phase);
}

/** Edges of the batch that is being entered. */
@inline
function batch(): u32 {
  return <u32>min(state(LEFT), state(BATCH));
}

/** A step of building the graph. Returns whether there are more. */
export function buildGraph(): bool {
  const phase = <u32>state(PHASE);
  const from = <u32>state(AT);
  const to = min(from + STEP, batch());
  if (phase == COUNT || phase == REDRAW) drawEdges(from, to);
  if (phase == COUNT) countDegrees(from, to);
  else if (phase == SIZE) countBuckets(from, to);
  else if (phase == SORT) sortEdges(from, to);
  else if (phase == FILL) fillRows(from, to);
  setState(AT, to);
  if (to == batch()) endPhase(phase);
  return state(PHASE) != DONE;
}

/** Goes on with the same batch's next phase, the next batch or the next pass. */
function endPhase(phase: u32): void {
  setState(AT, 0);
  if (phase == COUNT || phase == FILL) {
    const left = <u32>state(LEFT) - batch();
    setState(LEFT, left);
    if (left) setState(PHASE, phase == FILL ? REDRAW : COUNT);
    else if (phase == FILL) endGraph();
    else beginFilling();
  } else {
    if (phase == SIZE) sumUp(BUCKETS_AT, BUCKETS);
    setState(PHASE, phase + 1);
  }
  if (state(PHASE) == SIZE) memory.fill(BUCKETS_AT, 0, 4 * BUCKETS);
}

/** Has counted all edges: lays the rows out, and draws again what is not there any more. */
function beginFilling(): void {
  sumUp(row(0), vertices() + 1);
  if (state(DRAWN) > state(BATCH)) return beginPass(REDRAW);
  // With one batch a bucket begins where its first vertex' row does.
  const shift = bucketShift();
  for (let i: u32 = 0; i < BUCKETS && i << shift < vertices(); i++)
    store<u32>(BUCKETS_AT + ((<usize>i) << 2), load<u32>(row(i << shift)));
  beginPass(SORT);
}

/** Has filled all rows, which has moved each row's start to the next one's. */
function endGraph(): void {
  memory.copy(row(1), row(0), 4 * <usize>vertices());
  store<u32>(row(0), 0);
  setState(PHASE, DONE);
}
