import {
  HDR_MAGIC,
  HDR_PANIC_FILE,
  HDR_PANIC_LINE,
  HDR_PANIC_MESSAGE,
  HEADER,
  HEADER_MAGIC,
  POOLS,
} from "../../assembly/abi/header.ts";
import type { Bytes, Words } from "./host.ts";
import { POOL_BASE, POOL_OBJECT_SIZE, POOL_STRIDE } from "../../assembly/abi/pool.ts";

const HIGH = 2 ** 32;

/** The linear memories of all engines. */
const engineMemories = new WeakSet<ArrayBufferLike>();

/** Does the array lie in the linear memory of some engine? */
export function isEngineMemory(array: Uint32Array): boolean {
  return engineMemories.has(array.buffer);
}

/**
 * The core's linear memory as JavaScript reads it. The memory has its final size when this object is made and
 * never grows afterwards, so the views never detach. Addresses are byte addresses in linear memory.
 */
export class Memory {
  readonly buffer: ArrayBuffer;
  readonly bytes: Bytes;
  readonly words: Words;
  readonly doubles: Float64Array<ArrayBuffer>;
  #lastView: Bytes;

  constructor(memory: WebAssembly.Memory) {
    this.buffer = memory.buffer;
    engineMemories.add(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Uint32Array(this.buffer);
    this.doubles = new Float64Array(this.buffer);
    this.#lastView = this.bytes;
  }

  /** A u32. */
  u32(address: number): number {
    return this.words[address >>> 2];
  }

  /** Writes a u32. */
  setU32(address: number, value: number): void {
    this.words[address >>> 2] = value;
  }

  /** An f64. */
  f64(address: number): number {
    return this.doubles[address >>> 3];
  }

  /** Writes an f64. */
  setF64(address: number, value: number): void {
    this.doubles[address >>> 3] = value;
  }

  /** A u64 as a number: exact below 2^53, which every address and counter is. */
  u64(address: number): number {
    const index = address >>> 2;
    return this.words[index] + this.words[index + 1] * HIGH;
  }

  /** A u32 of the header, by its HDR_* offset. */
  header(offset: number): number {
    return this.words[(HEADER + offset) >>> 2];
  }

  /** Writes a u32 of the header, by its HDR_* offset. */
  setHeader(offset: number, value: number): void {
    this.words[(HEADER + offset) >>> 2] = value;
  }

  /** An f64 of the header, by its HDR_* offset. */
  headerF64(offset: number): number {
    return this.doubles[(HEADER + offset) >>> 3];
  }

  /** A u32 of the descriptor of a pool, RESOURCE_*, by its POOL_* offset. */
  pool(resource: number, offset: number): number {
    return this.u32(HEADER + POOLS + resource * POOL_STRIDE + offset);
  }

  /** The address of object `id` of a pool, RESOURCE_*. */
  objectAddress(resource: number, id: number): number {
    return this.pool(resource, POOL_BASE) + id * this.pool(resource, POOL_OBJECT_SIZE);
  }

  /** Copies `n` bytes of `source`, from its byte `from` on, to `address`. */
  writeBytes(address: number, source: Uint8Array, from: number, n: number): void {
    this.bytes.set(n === source.length ? source : source.subarray(from, from + n), address);
  }

  /**
   * Copies `n` bytes at `address` to `target`, from its byte `to` on. Making a view costs more than copying
   * a few bytes, so the last one is kept.
   */
  readBytes(address: number, target: Uint8Array, to: number, n: number): void {
    const kept = this.#lastView;
    if (kept.length !== n || kept.byteOffset !== address)
      this.#lastView = this.bytes.subarray(address, address + n);
    target.set(this.#lastView, to);
  }

  /** Copies `n` words of `source`, from its word `from` on, to `address`. A view costs more. */
  writeWords(address: number, source: Uint32Array, from: number, n: number): void {
    const first = address >>> 2;
    for (let i = 0; i < n; i++) this.words[first + i] = source[from + i];
  }

  /** A copy of the n words at `address`. */
  copyWords(address: number, n: number): Words {
    const copy = new Uint32Array(n);
    const first = address >>> 2;
    for (let i = 0; i < n; i++) copy[i] = this.words[first + i];
    return copy;
  }

  /** n words at `address`, as a live view. */
  wordsAt(address: number, n: number): Words {
    return new Uint32Array(this.buffer, address, n);
  }
}

/** Reads a string of AssemblyScript at `address`; 0 is the empty string. */
function assemblyString(view: DataView, address: number): string {
  if (address === 0) return "";
  const bytes = view.getUint32(address - 4, true);
  let text = "";
  for (let i = 0; i < bytes; i += 2) text += String.fromCharCode(view.getUint16(address + i, true));
  return text;
}

/**
 * Makes the error of a trap from what the core left behind: message, file and line of the broken assertion.
 * Returns anything that is not a trap unchanged.
 */
export function panicError(memory: WebAssembly.Memory, trap: unknown): unknown {
  if (!(trap instanceof WebAssembly.RuntimeError)) return trap;
  const view = new DataView(memory.buffer);
  let where = "no panic record";
  if (
    view.byteLength > HEADER + HDR_PANIC_LINE + 4 &&
    view.getUint32(HEADER + HDR_MAGIC, true) === HEADER_MAGIC
  ) {
    const line = view.getUint32(HEADER + HDR_PANIC_LINE, true);
    if (line !== 0) {
      const message = assemblyString(view, view.getUint32(HEADER + HDR_PANIC_MESSAGE, true));
      const file = assemblyString(view, view.getUint32(HEADER + HDR_PANIC_FILE, true));
      where = `${message || "assertion failed"} (${file}:${line})`;
    }
  }
  return new Error(`heteromem core panic: ${where}`, { cause: trap });
}
