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
  graphBytes(scale: number, edges: number): number;
  buildGraph(): void;
  beginBfs(root: number): number;
  beginLevel(): number;
  runBfs(n: number): number;
  beginPageRank(iteration: number): void;
  runPageRank(n: number): number;
  graphDone(pageRank: number): number;
}

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
   * @param graph scale and edges of a graph that will be built; none without it. The limits of its parameters
   * (graphs.ts) keep it below 4 GiB.
   */
  constructor(graph?: { scale: number; edges: number }) {
    compiled ??= new WebAssembly.Module(wasmBytes(binary));
    this.exports = new WebAssembly.Instance(compiled, {}).exports as unknown as WorkloadExports;
    const { exports } = this;
    const bytes = Math.max(exports.baseBytes(), graph ? exports.graphBytes(graph.scale, graph.edges) : 0);
    exports.memory.grow(Math.ceil(bytes / WASM_PAGE) - exports.memory.buffer.byteLength / WASM_PAGE);
    const { buffer } = exports.memory;
    this.description = new Float64Array(buffer, exports.descriptionAt(), 256);
    this.offsets = new Float64Array(buffer, exports.offsetsAt(), exports.offsetsMax());
    this.records = new BigUint64Array(buffer, exports.recordsAt(), 2 * exports.recordsMax());
    this.halves = new Uint32Array(buffer, exports.recordsAt(), 4 * exports.recordsMax());
    this.#graph = graph !== undefined;
  }

  /** Returns an instance, new or not: each kernel says first all that its records depend on. */
  static take(graph?: { scale: number; edges: number }): WorkloadModule {
    if (graph !== undefined || idle === undefined) return new WorkloadModule(graph);
    const module = idle;
    idle = undefined;
    return module;
  }

  /** Takes an instance back that is not used any more, so that the next one need not be made. */
  give(): void {
    if (!this.#graph) idle = this;
  }

  /** Starts the random numbers of `seed`. */
  seed(seed: number): void {
    this.description[0] = seed;
    this.exports.seed();
  }

  /** Prepares Zipf's distribution over `items` ranks with the given exponent. */
  zipf(items: number, exponent: number): void {
    this.description[0] = items;
    this.description[1] = exponent;
    this.exports.zipf();
  }
}
