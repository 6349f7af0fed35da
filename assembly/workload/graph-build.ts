// Builds a random graph: an R-MAT one (Chakrabarti, Zhan, Faloutsos, SDM 2004) with Graph500's probabilities
// 0.57, 0.19, 0.19, 0.05 and scrambled vertex numbers, as compressed sparse rows.
//
// Each edge that is drawn goes to the bucket of the vertex that it leaves, and with both directions also to
// that of the other one. A bucket is a chain of blocks; it has the rows of neighboring vertices, so that what
// is counted and written lies in the cache when the bucket's entries become rows.
//
//   bucket: ┌────────┐     ┌──────┬───────┬───────┬─ ─┐     ┌──────┬───────┬─ ─
//           │ chain ─┼────▶│ next─┼ entry │ entry │   ├────▶│ next │ entry │
//           │ place ─┼──┐  └──────┴───────┴───────┴─ ─┘     └──────┴───────┴─ ─
//           └────────┘  └──────────────────────────────────────────────────▲
//
// Where the pool of blocks is too small for all buckets, a pass leaves the last ones out, and the next pass
// draws the same edges for them.
//
// The host calls for steps: engines compile a loop well only when it is entered often.

import { described, setState, state } from "./memory";
import {
  AT,
  BLOCK_BYTES,
  BLOCK_HEAD,
  BLOCK_LAST,
  BOTH,
  bucketShift,
  buckets,
  chainOf,
  CLOSED,
  DRAWN,
  EDGES,
  entryBytes,
  FILLED,
  FIRST,
  FREE,
  KEY,
  LIMIT,
  neighbor,
  PHASE,
  placeOf,
  poolAt,
  POOL_END,
  row,
  ROWS_AT,
  SCALE,
  UNUSED,
  vertices,
} from "./graph-memory";
import { nextRandom, permuteLanes, randomAhead, seedRandom, skipRandom } from "./random";

/** Edges in a step. */
const STEP: u32 = 4096;

/** What a step does: it draws edges, or makes rows of a bucket. */
const DRAW: u32 = 0;
const ROWS: u32 = 1;
const DONE: u32 = 2;

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

/** Takes a block from the pool; 0: there is none. */
function takeBlock(): usize {
  const free = <usize>state(FREE);
  if (free) {
    setState(FREE, load<u32>(free));
    return free;
  }
  const unused = <usize>state(UNUSED);
  if (unused == <usize>state(POOL_END)) return 0;
  setState(UNUSED, unused + BLOCK_BYTES);
  return unused;
}

/** Leaves the last bucket to the next pass, and gives its blocks back. */
function leaveOut(): void {
  const bucket = <u32>state(LIMIT) - 1;
  // The pool has more room than the edges of one bucket take (src/sim/workload/module.ts).
  if (bucket == <u32>state(FIRST)) unreachable();
  setState(LIMIT, bucket);
  for (let block: usize = load<u32>(chainOf(bucket)); block;) {
    const next: usize = load<u32>(block);
    store<u32>(block, <u32>state(FREE));
    setState(FREE, block);
    block = next;
  }
  store<u32>(chainOf(bucket), 0);
  store<u32>(placeOf(bucket), CLOSED);
}

/** Gives a bucket another block. Returns where its next entry goes; 0: the pass leaves the bucket out. */
function openBlock(bucket: u32): usize {
  if (bucket < <u32>state(FIRST)) return 0;
  let block: usize = 0;
  while (bucket < <u32>state(LIMIT)) {
    block = takeBlock();
    if (block) break;
    leaveOut();
  }
  if (!block) return 0;
  store<u32>(block, 0);
  const place = load<u32>(placeOf(bucket));
  store<u32>(place == CLOSED ? chainOf(bucket) : place & ~(<u32>BLOCK_BYTES - 1), <u32>block);
  return block + BLOCK_HEAD;
}

/** Enters an edge in the bucket of the vertex that it leaves. `width`: bytes of an entry. */
@inline
function putEntry(vertex: u32, other: u32, scale: u32, shift: u32, width: u32): void {
  const bucket = vertex >> shift;
  let at: usize = load<u32>(placeOf(bucket));
  if ((at & (BLOCK_BYTES - 1)) > BLOCK_LAST) {
    at = openBlock(bucket);
    if (!at) return;
  }
  const open: u64 = vertex - (bucket << shift);
  store<u64>(at, (open << scale) | other);
  store<u32>(placeOf(bucket), <u32>at + width);
}

/** Draws the edges [from, to), an even number, and enters them in their buckets. */
function drawEdges(from: u32, to: u32): void {
  const scale = <u32>state(SCALE);
  const key = state(KEY);
  const shift = bucketShift(scale);
  const width = entryBytes(scale);
  const both = state(BOTH) != 0;
  for (let i = from; i < to; i += 2) {
    const two = i64x2.replace_lane(i64x2.splat(drawEdge(scale)), 1, drawEdge(scale));
    const edges = permuteLanes(two, scale, key);
    const first = i64x2.extract_lane(edges, 0);
    const second = i64x2.extract_lane(edges, 1);
    putEntry(<u32>first, <u32>(first >> 32), scale, shift, width);
    if (both) putEntry(<u32>(first >> 32), <u32>first, scale, shift, width);
    putEntry(<u32>second, <u32>(second >> 32), scale, shift, width);
    if (both) putEntry(<u32>(second >> 32), <u32>second, scale, shift, width);
  }
}

/** Adds 1 to a word and returns what it was. */
@inline
function increment(word: usize): u32 {
  const old = load<u32>(word);
  store<u32>(word, old + 1);
  return old;
}

/** Where the entries of a block end. `place`: where the next one of its bucket goes. */
@inline
function endOf(block: usize, place: usize): usize {
  return load<u32>(block) ? block + BLOCK_LAST + 1 : place;
}

/** Counts a bucket's entries at their vertices, whose rows begin at `rows`. */
function countEntries(bucket: u32, rows: usize): void {
  const scale = <u32>state(SCALE);
  const width = entryBytes(scale);
  const mask = (<u64>-1) >> (64 - 8 * width);
  const place: usize = load<u32>(placeOf(bucket));
  for (let block: usize = load<u32>(chainOf(bucket)); block; block = load<u32>(block)) {
    const end = endOf(block, place);
    for (let at = block + BLOCK_HEAD; at < end; at += width)
      increment(rows + ((<usize>((load<u64>(at) & mask) >> scale)) << 2));
  }
}

/** Writes a bucket's neighbors to its rows, each of which begins where its next neighbor goes. */
function fillRows(bucket: u32, rows: usize): void {
  const scale = <u32>state(SCALE);
  const width = entryBytes(scale);
  const mask = (<u64>-1) >> (64 - 8 * width);
  const low = ((<u64>1) << scale) - 1;
  const neighbors = neighbor(0);
  const place: usize = load<u32>(placeOf(bucket));
  for (let block: usize = load<u32>(chainOf(bucket)); block; block = load<u32>(block)) {
    const end = endOf(block, place);
    for (let at = block + BLOCK_HEAD; at < end; at += width) {
      const entry = load<u64>(at) & mask;
      const e = increment(rows + ((<usize>(entry >> scale)) << 2));
      store<u32>(neighbors + ((<usize>e) << 2), <u32>(entry & low));
    }
  }
}

/** Makes the rows of a bucket. Each ends then where the next one begins. */
function makeRows(bucket: u32): void {
  const shift = bucketShift(<u32>state(SCALE));
  const rows = row(bucket << shift);
  const end = row((bucket + 1) << shift);
  memory.fill(rows, 0, end - rows);
  countEntries(bucket, rows);
  let sum = <u32>state(FILLED);
  for (let at = rows; at < end; at += 4) {
    const own = load<u32>(at);
    store<u32>(at, sum);
    sum += own;
  }
  setState(FILLED, sum);
  fillRows(bucket, rows);
}

/**
 * Begins to build the graph of the description: scale, edges drawn, 1 if each is entered in both directions,
 * seed, the four arrays' addresses, the agent, the first range id, and where the pool ends at most.
 */
export function beginGraph(): void {
  const drawn = <u32>described(1);
  setState(SCALE, described(0));
  setState(DRAWN, drawn);
  setState(BOTH, described(2));
  setState(EDGES, described(2) ? 2 * drawn : drawn);
  for (let i: u32 = 0; i < 6; i++) setState(ROWS_AT + i, described(4 + i));
  setState(POOL_END, described(10) & ~(<u64>(BLOCK_BYTES - 1)));
  setState(FILLED, 0);
  beginPass(0);
}

/** Begins with the first edge, for the buckets from `first` on. */
function beginPass(first: u32): void {
  const all = buckets(<u32>state(SCALE));
  seedRandom(described(3));
  setState(KEY, nextRandom());
  setState(PHASE, DRAW);
  setState(AT, 0);
  setState(FIRST, first);
  setState(LIMIT, all);
  setState(UNUSED, poolAt());
  setState(FREE, 0);
  memory.fill(chainOf(0), 0, 4 * <usize>all);
  memory.fill(placeOf(0), 0xff, 4 * <usize>all);
}

/** A step of building the graph. Returns whether there are more. */
export function buildGraph(): bool {
  const from = <u32>state(AT);
  if (state(PHASE) == DRAW) {
    const drawn = <u32>state(DRAWN);
    const to = min(from + STEP, drawn);
    drawEdges(from, to);
    setState(AT, to);
    if (to == drawn) {
      setState(PHASE, ROWS);
      setState(AT, state(FIRST));
    }
    return true;
  }
  makeRows(from);
  setState(AT, from + 1);
  if (from + 1 < <u32>state(LIMIT)) return true;
  if (from + 1 < buckets(<u32>state(SCALE))) beginPass(from + 1);
  else endGraph();
  return state(PHASE) != DONE;
}

/** Has made all rows, which has moved each row's start to the next one's. */
function endGraph(): void {
  memory.copy(row(1), row(0), 4 * <usize>vertices());
  store<u32>(row(0), 0);
  setState(PHASE, DONE);
}
