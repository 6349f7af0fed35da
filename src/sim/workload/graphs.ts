/** Graph algorithms over an R-MAT graph (assembly/workload/graph.ts). */
import type { Graph } from "./module.ts";
import { AGENT } from "./nest.ts";
import { WorkloadError } from "./spec.ts";
import {
  INIT,
  initialise,
  ITERATIONS,
  place,
  SEED,
  workload,
  type Step,
  type WorkloadRange,
} from "./workload.ts";

const WORD = 4;
const PAGE = 4096;
const EDGES_MAX = 2 ** 29;

const PARAMETERS = {
  scale: { kind: "count", default: 16, min: 1, max: 27, about: "the graph has 2^scale vertices" },
  edges: { kind: "count", default: 16, min: 1, max: 1024, about: "edges for each vertex" },
  seed: SEED,
  init: INIT,
} as const;

/** The arrays of a graph and of what runs over it. */
function arrays(
  name: string,
  scale: number,
  edges: number,
  words: readonly [string, string],
): WorkloadRange[] {
  if (edges > EDGES_MAX) throw new WorkloadError(`${name}: ${edges} edges: ${EDGES_MAX} is the limit`);
  const vertices = 2 ** scale * WORD;
  return place({
    rows: vertices + WORD,
    neighbors: edges * WORD,
    [words[0]]: vertices,
    [words[1]]: vertices,
  });
}

/** Where arrays start. */
const starts = (ranges: readonly WorkloadRange[]): number[] => ranges.map(({ start }) => start);

export const bfs = workload({
  about: "breadth-first search over an R-MAT graph (Graph500), a kernel a level",
  parameters: PARAMETERS,
  plan({ scale, edges, seed, init }) {
    const drawn = 2 ** scale * edges;
    const graph: Graph = { scale, drawn, both: true };
    const ranges = arrays("bfs", scale, 2 * drawn, ["level", "queue"]);
    const level: Step = {
      begin() {},
      run: (module, n) => module.exports.runBfs(n),
      done: (module) => module.exports.graphDone(0) !== 0,
    };
    return {
      ranges,
      graph,
      *kernels(module) {
        yield* initialise(init, ranges, [0, 1], PAGE);
        module.buildGraph(graph, seed, starts(ranges), AGENT.device);
        module.exports.beginBfs(0);
        for (let i = 0; module.exports.beginLevel() > 0; i++) yield { name: `level ${i}`, steps: [level] };
      },
    };
  },
});

export const pagerank = workload({
  about: "PageRank over an R-MAT graph: each vertex reads its neighbors' ranks",
  parameters: { ...PARAMETERS, iterations: { ...ITERATIONS, default: 2 } },
  plan({ scale, edges, seed, init, iterations }) {
    const drawn = 2 ** scale * edges;
    const graph: Graph = { scale, drawn, both: false };
    const ranges = arrays("pagerank", scale, drawn, ["rank", "next"]);
    const iteration = (i: number): Step => ({
      begin: (module) => module.exports.beginPageRank(i),
      run: (module, n) => module.exports.runPageRank(n),
      done: (module) => module.exports.graphDone(1) !== 0,
    });
    return {
      ranges,
      graph,
      *kernels(module) {
        yield* initialise(init, ranges, [0, 1, 2], PAGE);
        module.buildGraph(graph, seed, starts(ranges), AGENT.device);
        for (let i = 0; i < iterations; i++) yield { name: "pagerank", steps: [iteration(i)] };
      },
    };
  },
});
