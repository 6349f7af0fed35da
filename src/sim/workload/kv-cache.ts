/**
 * The key-value cache of a large language model that serves requests, in pages as vLLM keeps it (Kwon et al.,
 * "Efficient Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023).
 *
 * A block holds the keys (or values) of `block` tokens in one layer. Requests take blocks as their contexts
 * grow; up to `batch` requests run at a time. Each step of the engine is a kernel: a request's first step
 * writes its prompt, each further one reads its whole context in every layer and writes one token. When no
 * block is free, the request that came last moves to host memory, and returns when there is room.
 */
import { Random } from "../../engine/random.ts";
import type { Nest, NestAccess } from "./nest.ts";
import { WorkloadError } from "./spec.ts";
import {
  GRAIN,
  nestKernel,
  place,
  SEED,
  SIZE,
  workload,
  type Kernel,
  type WorkloadRange,
} from "./workload.ts";

/** Bytes of a number: 16-bit floating point. */
const NUMBER = 2;

const PARAMETERS = {
  size: { ...SIZE, default: 2 ** 28, about: "bytes of the cache on the device" },
  requests: { kind: "count", default: 16, min: 1, max: 2 ** 20, about: "requests, all there at the start" },
  batch: { kind: "count", default: 8, min: 1, max: 4096, about: "requests that run at a time" },
  prompt: { kind: "count", default: 256, min: 1, about: "tokens of a prompt: 1 to twice this, at random" },
  output: {
    kind: "count",
    default: 64,
    min: 1,
    about: "tokens that are generated: 1 to twice this, at random",
  },
  layers: { kind: "count", default: 16, min: 1, max: 4096, about: "layers of the model" },
  heads: { kind: "count", default: 8, min: 1, max: 4096, about: "key-value heads" },
  dim: { kind: "count", default: 128, min: 1, max: 4096, about: "numbers of a head" },
  block: { kind: "count", default: 16, min: 1, max: 4096, about: "tokens of a block" },
  grain: { ...GRAIN, default: 4096 },
  seed: SEED,
} as const;

interface Request {
  prompt: number;
  output: number;
  /** Tokens in the cache. */
  context: number;
  /** Its blocks, on the device or, while it is moved out, in host memory. */
  blocks: number[];
}

/** Where the blocks of all layers lie: a layer's blocks follow each other. */
interface Layout {
  layers: number;
  /** Tokens of a block. */
  tokens: number;
  /** Bytes of a token in one layer. */
  tokenBytes: number;
  blockBytes: number;
  /** Blocks in the device's memory, and in the host's. */
  device: number;
  host: number;
  grain: number;
}

/** The cache: which blocks are free, who runs, waits and is moved out. */
class Cache {
  readonly #layout: Layout;
  readonly #ranges: readonly WorkloadRange[];
  readonly #free: number[];
  readonly #freeHost: number[];
  readonly #batch: number;
  readonly #waiting: Request[];
  readonly #running: Request[] = [];
  readonly #moved: Request[] = [];

  constructor(layout: Layout, ranges: readonly WorkloadRange[], requests: Request[], batch: number) {
    this.#layout = layout;
    this.#ranges = ranges;
    this.#waiting = [...requests];
    this.#batch = batch;
    this.#free = Array.from({ length: layout.device }, (_, i) => layout.device - 1 - i);
    this.#freeHost = Array.from({ length: layout.host }, (_, i) => layout.host - 1 - i);
  }

  *kernels(): Generator<Kernel> {
    for (;;) {
      yield* this.#admit();
      if (this.#running.length === 0) return;
      for (const request of [...this.#running]) {
        if (!this.#running.includes(request)) continue; // moved out for one before it
        const prefill = request.context === 0;
        const tokens = prefill ? request.prompt : 1;
        yield* this.#makeRoom(request, tokens);
        if (!this.#running.includes(request)) continue;
        yield nestKernel(prefill ? "prefill" : "decode", this.#step(request, tokens));
        if (request.context >= request.prompt + request.output) this.#finish(request);
      }
    }
  }

  /** Lets requests run that can: first those that were moved out, then new ones. */
  *#admit(): Generator<Kernel> {
    while (this.#running.length < this.#batch) {
      const [back] = this.#moved;
      const next = back ?? this.#waiting[0];
      if (!next || this.#blocksOf(Math.max(next.context, next.prompt) + 1) > this.#free.length) return;
      if (back) {
        this.#moved.shift();
        const from = back.blocks;
        back.blocks = from.map(() => this.#free.pop()!);
        yield nestKernel("move in", this.#copy(from, back.blocks, false));
        this.#freeHost.push(...from);
      } else this.#waiting.shift();
      this.#running.push(next);
    }
  }

  /**
   * Gives a request the blocks for more tokens; the ones that came last move out for it, itself if need be.
   */
  *#makeRoom(request: Request, tokens: number): Generator<Kernel> {
    const wanted = this.#blocksOf(request.context + tokens) - request.blocks.length;
    while (this.#free.length < wanted) {
      const victim = this.#running.pop()!;
      const host = victim.blocks.map(() => this.#freeHost.pop()!);
      yield nestKernel("move out", this.#copy(victim.blocks, host, true));
      this.#free.push(...victim.blocks);
      victim.blocks = host;
      this.#moved.unshift(victim);
      if (victim === request) return;
    }
    for (let i = 0; i < wanted; i++) request.blocks.push(this.#free.pop()!);
  }

  #blocksOf(tokens: number): number {
    return Math.ceil(tokens / this.#layout.tokens);
  }

  #finish(request: Request): void {
    this.#free.push(...request.blocks);
    this.#running.splice(this.#running.indexOf(request), 1);
  }

  /** Reads the context in every layer, and writes the new tokens. */
  *#step(request: Request, tokens: number): Generator<Nest> {
    const { context } = request;
    if (context > 0) yield this.#blocks(request.blocks.slice(0, this.#blocksOf(context)), "load");
    const { tokenBytes, tokens: each } = this.#layout;
    for (let at = context; at < context + tokens; at = (Math.floor(at / each) + 1) * each) {
      const until = Math.min(context + tokens, (Math.floor(at / each) + 1) * each);
      const offset = (at % each) * tokenBytes;
      yield this.#piece(request.blocks[Math.floor(at / each)], offset, (until - at) * tokenBytes);
    }
    request.context += tokens;
  }

  /** Keys and values of whole blocks, layer by layer. */
  #blocks(blocks: readonly number[], kind: "load" | "store"): Nest {
    const { layers, blockBytes, device } = this.#layout;
    const grain = Math.min(this.#layout.grain, blockBytes);
    const access = (range: number): NestAccess => ({
      kind,
      range,
      mode: "gather",
      base: this.#ranges[range].start,
      size: grain,
      strides: [device * blockBytes, 0, grain],
    });
    return {
      agent: "device",
      trips: [layers, blocks.length, Math.ceil(blockBytes / grain)],
      threads: [0, 1, 0],
      gathered: 1,
      offsets: blocks.map((block) => block * blockBytes),
      accesses: [access(0), access(1)],
    };
  }

  /** New tokens of one block, layer by layer. */
  #piece(block: number, offset: number, bytes: number): Nest {
    const { layers, blockBytes, device } = this.#layout;
    const grain = Math.min(this.#layout.grain, bytes);
    const access = (range: number): NestAccess => ({
      kind: "store",
      range,
      base: this.#ranges[range].start + block * blockBytes + offset,
      size: grain,
      strides: [device * blockBytes, grain],
    });
    return { agent: "device", trips: [layers, Math.ceil(bytes / grain)], accesses: [access(0), access(1)] };
  }

  /** Copies blocks between the device's memory and the host's. */
  *#copy(from: readonly number[], to: readonly number[], out: boolean): Generator<Nest> {
    const { layers, blockBytes, device, host } = this.#layout;
    const grain = Math.min(this.#layout.grain, blockBytes);
    const trips = [layers, Math.ceil(blockBytes / grain)];
    for (const [i, block] of from.entries()) {
      const accesses = [0, 1].flatMap((array): NestAccess[] => {
        const place = (onHost: boolean, index: number): Pick<NestAccess, "range" | "base" | "strides"> => {
          const range = onHost ? array + 2 : array;
          const base = this.#ranges[range].start + index * blockBytes;
          return { range, base, strides: [(onHost ? host : device) * blockBytes, grain] };
        };
        const target = place(out, to[i]);
        return [
          { kind: "load", size: grain, ...place(!out, block) },
          { kind: "store", size: grain, ...target },
        ];
      });
      yield { agent: "device", trips, accesses };
    }
  }
}

export const kvcache = workload({
  about: "an LLM's key-value cache: prefill, decode, and moves to host memory when it is full",
  parameters: PARAMETERS,
  plan({ size, requests, batch, prompt, output, layers, heads, dim, block, grain, seed }) {
    const tokenBytes = heads * dim * NUMBER;
    const blockBytes = block * tokenBytes;
    const device = Math.floor(size / (2 * layers * blockBytes));
    const longest = Math.ceil((2 * prompt + 2 * output + 1) / block);
    if (device < longest) {
      const least = 2 * layers * blockBytes * longest;
      throw new WorkloadError(`kvcache: ${size} bytes: the longest request needs ${least}`);
    }
    const host = batch * longest;
    const layout: Layout = { layers, tokens: block, tokenBytes, blockBytes, device, host, grain };
    const [onDevice, onHost] = [device, host].map((blocks) => layers * blocks * blockBytes);
    const ranges = place({ keys: onDevice, values: onDevice, "host keys": onHost, "host values": onHost });
    const random = new Random(seed);
    const list = Array.from({ length: requests }, (): Request => {
      const tokens = { prompt: 1 + random.below(2 * prompt), output: 1 + random.below(2 * output) };
      return { ...tokens, context: 0, blocks: [] };
    });
    return { ranges, kernels: () => new Cache(layout, ranges, list, batch).kernels() };
  },
});
