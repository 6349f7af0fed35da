/**
 * The workload module (assembly/workload): a WebAssembly instance that makes records, and the memory it makes
 * them in.
 */
import binary from "#workload.wasm";
import { wasmBytes } from "../../engine/wasm-bytes.ts";

/** The exports of assembly/workload/index.ts, where each is described. */
export interface WorkloadExports {
  /** A WebAssembly.Memory, whose type not every consumer declares. */
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  recordsAt(): number;
  recordsMax(): number;
  offsetsAt(): number;
  offsetsMax(): number;
  descriptionAt(): number;
  baseBytes(): number;
  seed(): void;
  zipf(): void;
  beginNest(): void;
  runNest(n: number): number;
  nestDone(): number;
  graphBytes(scale: number, drawn: number, both: number, pool: number): number;
  graphAt(): number;
  beginGraph(): void;
  buildGraph(): number;
  beginBfs(root: number): number;
  beginLevel(): number;
  runBfs(n: number): number;
  beginPageRank(iteration: number): void;
  runPageRank(n: number): number;
  graphDone(pageRank: number): number;
}

/** An R-MAT graph of 2^scale vertices. */
export interface Graph {
  scale: number;
  /** Edges that are drawn. */
  drawn: number;
  /** Whether each is entered in both directions. */
  both: boolean;
  /**
   * Bytes beside the graph while it is built, at most; it is the same graph with any number that holds the
   * edges of some 16 of its vertices' buckets.
   */
  pool?: number;
}

/** Bytes beside a graph, at most. */
const POOL_BYTES = 1.5 * 2 ** 30;
/** Bytes of memory that a module can have; the largest graphs take three quarters of it. */
const MEMORY_BYTES = 2 ** 32 - 2 ** 16;
const WASM_PAGE = 65536;

let compiled: WebAssembly.Module | undefined;

/** An instance that nobody uses, without room for a graph. */
let idle: WorkloadModule | undefined;

/** An instance of the workload module, whose memory holds `bytes` bytes. */
export class WorkloadModule {
  readonly exports: WorkloadExports;
  /** What the next call reads: described in assembly/workload/memory.ts. */
  readonly description: Float64Array;
  /** Byte offsets that a loop nest gathers by. */
  readonly offsets: Float64Array;
  /** The records: two words each (assembly/abi/record.ts). */
  readonly records: BigUint64Array;
  /** The second words of the records, in halves: kind, agent and thread, then the id. */
  readonly halves: Uint32Array;
  readonly #graph: boolean;

  /**
   * @param graph a graph that will be built; none without it. The limits of its parameters (graphs.ts) keep
   * the memory below 4 GiB.
   */
  constructor(graph?: Graph) {
    compiled ??= new WebAssembly.Module(wasmBytes(binary));
    this.exports = new WebAssembly.Instance(compiled, {}).exports as unknown as WorkloadExports;
    const { exports } = this;
    const bytes = Math.max(exports.baseBytes(), graph ? graphBytes(exports, graph) : 0);
    exports.memory.grow(Math.ceil(bytes / WASM_PAGE) - exports.memory.buffer.byteLength / WASM_PAGE);
    const { buffer } = exports.memory;
    this.description = new Float64Array(buffer, exports.descriptionAt(), 256);
    this.offsets = new Float64Array(buffer, exports.offsetsAt(), exports.offsetsMax());
    this.records = new BigUint64Array(buffer, exports.recordsAt(), 2 * exports.recordsMax());
    this.halves = new Uint32Array(buffer, exports.recordsAt(), 4 * exports.recordsMax());
    this.#graph = graph !== undefined;
  }

  /** Returns an instance, new or not: each kernel says first all that its records depend on. */
  static take(graph?: Graph): WorkloadModule {
    if (graph !== undefined || idle === undefined) return new WorkloadModule(graph);
    const module = idle;
    idle = undefined;
    return module;
  }

  /** Takes an instance back that is not used any more, so that the next one need not be made. */
  static give(module: WorkloadModule): void {
    if (!module.#graph) idle = module;
  }

  /** Starts the random numbers of `seed`. */
  seed(seed: number): void {
    this.description[0] = seed;
    this.exports.seed();
  }

  /**
   * Builds the graph that the module was made for. Its arrays in the simulated address space (rows, neighbors
   * and two of a word a vertex) start at `starts`; `agent` makes the accesses.
   */
  buildGraph(graph: Graph, seed: number, starts: readonly number[], agent: number): void {
    const { scale, drawn, both } = graph;
    const end = graphBytes(this.exports, graph);
    this.description.set([scale, drawn, Number(both), seed, ...starts, agent, 0, end]);
    this.exports.beginGraph();
    while (this.exports.buildGraph());
  }

  /** Prepares Zipf's distribution over `items` ranks with the given exponent. */
  zipf(items: number, exponent: number): void {
    this.description[0] = items;
    this.description[1] = exponent;
    this.exports.zipf();
  }
}

/** Bytes of memory that a graph has: if they suffice, its edges are drawn only once. */
function graphBytes(exports: WorkloadExports, { scale, drawn, both, pool }: Graph): number {
  return Math.min(exports.graphBytes(scale, drawn, Number(both), pool ?? POOL_BYTES), MEMORY_BYTES);
}
