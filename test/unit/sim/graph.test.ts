/**
 * BFS and PageRank against a plain implementation of the same graph, written from the definitions with big
 * integers.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload } from "../../../src/sim/workload/index.ts";
import { WorkloadModule } from "../../../src/sim/workload/module.ts";

const MASK = (1n << 64n) - 1n;

/** SplitMix64. */
class Random {
  #state: bigint;
  constructor(seed: bigint) {
    this.#state = seed;
  }
  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
    let word = this.#state;
    word = ((word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    word = ((word ^ (word >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return word ^ (word >> 31n);
  }
}

/** The permutation that scrambles vertex numbers (assembly/workload/random.ts). */
function permute(index: bigint, bits: bigint, key: bigint): bigint {
  const mask = (1n << bits) - 1n;
  const shift = (bits >> 1n) + 1n;
  let at = (index ^ key) & mask;
  at = (at * 0x9e3779b97f4a7c15n) & mask;
  at ^= at >> shift;
  at = (at * ((key >> 7n) | 1n)) & mask;
  at ^= at >> shift;
  return (at * 0xbf58476d1ce4e5b9n) & mask;
}

/** Adjacency lists of an R-MAT graph, in the order in which edges are drawn. */
function graph(scale: number, edges: number, seed: number, both: boolean): number[][] {
  const random = new Random(BigInt(seed));
  const key = random.next();
  const lists: number[][] = Array.from({ length: 2 ** scale }, () => []);
  for (let i = 0; i < edges * 2 ** scale; i++) {
    let [from, to, bits] = [0n, 0n, 0n];
    for (let level = 0; level < scale; level++) {
      if (level % 4 === 0) bits = random.next();
      const draw = Number(bits & 0xffffn) / 65536;
      bits >>= 16n;
      // Graph500's quadrants: 0.57 above left, 0.19 above right, 0.19 below left, 0.05 below right.
      const [down, right] =
        draw < 0.57 ? [0n, 0n] : draw < 0.76 ? [0n, 1n] : draw < 0.95 ? [1n, 0n] : [1n, 1n];
      from = 2n * from + down;
      to = 2n * to + right;
    }
    const [u, v] = [from, to].map((vertex) => Number(permute(vertex, BigInt(scale), key)));
    lists[u].push(v);
    if (both) lists[v].push(u);
  }
  return lists;
}

/** The device's accesses as `kind range+offset`, and how many kernels it ran. */
function run(spec: string): { places: string[]; kernels: number } {
  const open = openWorkload(spec);
  const places: string[] = [];
  for (const block of open.blocks()) {
    for (let i = 0; i < block.length; i += 2) {
      const kind = Number(block[i + 1] & 0xffn);
      if (kind >= 16) continue;
      const range = Number(block[i + 1] >> 32n);
      const address = Number(block[i] & 0xffffffffffffn);
      places.push(`${kind === 1 ? "S" : "L"} ${range}+${address - open.ranges[range].start}`);
    }
  }
  return { places, kernels: open.kernels.length };
}

const starts = (lists: readonly number[][]): number[] => {
  let sum = 0;
  return lists.map(({ length }) => (sum += length) - length);
};

const test = suite("graph workloads");

test("bfs makes the accesses of a level-synchronous search, over several buffers of records", () => {
  for (const [scale, edges, seed] of [
    [3, 2, 1],
    [10, 8, 5],
  ]) {
    const lists = graph(scale, edges, seed, true);
    const row = starts(lists);
    const root = lists.findIndex(({ length }) => length > 0);
    const level = new Map([[root, 0]]);
    const queue = [root];
    const expected: string[] = [];
    for (let head = 0; head < queue.length; head++) {
      const v = queue[head];
      expected.push(`L 3+${4 * head}`, `L 0+${4 * v}`);
      lists[v].forEach((u, i) => {
        expected.push(`L 1+${4 * (row[v] + i)}`, `L 2+${4 * u}`);
        if (level.has(u)) return;
        level.set(u, level.get(v)! + 1);
        expected.push(`S 2+${4 * u}`, `S 3+${4 * queue.length}`);
        queue.push(u);
      });
    }
    const { places, kernels } = run(`bfs:scale=${scale},edges=${edges},seed=${seed},init=none`);
    assert.is(places.length, expected.length);
    assert.equal(places, expected);
    assert.is(kernels, Math.max(...level.values()) + 1);
  }
});

test("pagerank reads every vertex's row, neighbors and their ranks, and swaps the two arrays", () => {
  const lists = graph(9, 8, 3, false);
  const row = starts(lists);
  const expected = [0, 1].flatMap((iteration) =>
    lists.flatMap((neighbors, v) => [
      `L 0+${4 * v}`,
      ...neighbors.flatMap((u, i) => [`L 1+${4 * (row[v] + i)}`, `L ${2 + iteration}+${4 * u}`]),
      `S ${3 - iteration}+${4 * v}`,
    ]),
  );
  const { places } = run("pagerank:scale=9,edges=8,seed=3,iterations=2,init=none");
  assert.is(places.length, expected.length);
  assert.equal(places, expected);
});

/** A graph's rows and neighbors, as the module builds it in a pool of so many blocks of 4 KiB. */
function built(scale: number, edges: number, blocks: number): Buffer {
  const graph = { scale, drawn: edges * 2 ** scale, both: true, pool: 4096 * blocks };
  const module = new WorkloadModule(graph);
  module.buildGraph(graph, 7, [0, 0, 0, 0], 1);
  const bytes = 4 * (2 ** scale + 1 + 2 * graph.drawn);
  return Buffer.from(module.records.buffer.slice(module.exports.graphAt(), module.exports.graphAt() + bytes));
}

/** The same by the plain implementation. */
function plain(scale: number, edges: number): Buffer {
  const lists = graph(scale, edges, 7, true);
  return Buffer.from(Uint32Array.from([...starts(lists), lists.flat().length, ...lists.flat()]).buffer);
}

test("a graph is the same whether its edges are drawn once or several times", () => {
  // 256 buckets of two vertices. Each has a block, for 2,041 entries of two bytes.
  const expected = plain(9, 6);
  for (const blocks of [1000, 256, 100, 7]) assert.ok(built(9, 6, blocks).equals(expected), `${blocks}`);
});
test("a bucket has as many blocks as its vertices have edges", () => {
  // 16 buckets of one vertex, and 131,072 entries of a byte: one of them has a third, in eleven blocks.
  const expected = plain(4, 4096);
  for (const blocks of [1000, 20]) assert.ok(built(4, 4096, blocks).equals(expected), `${blocks}`);
});

test("refuses a graph with too many edges", () => {
  assert.throws(() => openWorkload("bfs:scale=27,edges=1024"), /edges: 536870912 is the limit/);
});

test.run();
