/**
 * Decoding of valgrind's lackey traces, chunk by chunk. The format, the records and the rule that tells device
 * code from CPU code are described in assembly/text/lackey.ts and assembly/text/offload.ts.
 */
import type { TextModule } from "./index.ts";

/** Records are u64 words: address, size, kind and agent. */
export const RECORD_ADDRESS_BITS = 48;
export const RECORD_SIZE_SHIFT = 48;
export const RECORD_KIND_SHIFT = 56;
export const RECORD_AGENT_SHIFT = 60;
export const KIND_LOAD = 0;
export const KIND_STORE = 1;
export const KIND_MODIFY = 2;

const CAPACITY = 1 << 18;
const ADDRESS_END = 2 ** 48;

/** Code that runs on the device: start <= pc < end. */
export interface OffloadRange {
  name: string;
  start: number;
  end: number;
}

export interface LackeyStats {
  lines: number;
  instructions: number;
  loads: number;
  stores: number;
  modifies: number;
  /** How many of the loads, stores and modifies are the device's. */
  device: number;
  /** Accesses at 2^47 and above, which give no record. */
  kernelSkipped: number;
  /** Lines that valgrind wrote about itself. */
  comments: number;
  /** How often each offload range was entered; 0 says that its addresses match nothing. */
  offload: { name: string; entries: number }[];
}

/** A line that cannot be decoded. */
export class TraceError extends Error {
  override readonly name = "TraceError";
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
  readonly file?: string;

  constructor(line: number, reason: string, file?: string) {
    super(`${file ?? "trace"}:${line}: ${reason}`);
    this.line = line;
    this.reason = reason;
    if (file !== undefined) this.file = file;
  }
}

/** Checks the ranges and returns them in order of their addresses. */
function sorted(ranges: readonly OffloadRange[]): OffloadRange[] {
  const result = [...ranges].sort((a, b) => a.start - b.start);
  result.forEach((range, i) => {
    const { name, start, end } = range;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end > ADDRESS_END) {
      throw new RangeError(`offload range ${name}: its bounds must be addresses below 2^48`);
    }
    if (end <= start) throw new RangeError(`offload range ${name} is empty`);
    const before = result[i - 1];
    if (before && before.end > start)
      throw new RangeError(`offload ranges ${before.name} and ${name} overlap`);
  });
  return result;
}

/**
 * Decodes one trace. `push` takes its bytes in chunks of any size, split anywhere; `end` closes the decoder and
 * returns the counts. A line that cannot be decoded throws a TraceError; the decoder is of no more use then.
 */
export class LackeyDecoder {
  readonly #text: TextModule;
  readonly #handle: number;
  /** As given, and in order of their addresses, as the module has them. */
  readonly #offload: readonly OffloadRange[];
  readonly #ranges: OffloadRange[];
  readonly #file?: string;
  #closed = false;
  #input: Uint8Array;

  constructor(text: TextModule, options: { offload?: readonly OffloadRange[]; file?: string } = {}) {
    this.#text = text;
    this.#offload = options.offload ?? [];
    this.#ranges = sorted(this.#offload);
    this.#file = options.file;
    const starts = Float64Array.from(this.#ranges, (range) => range.start);
    const ends = Float64Array.from(this.#ranges, (range) => range.end);
    this.#handle = text.lackeyOpen(CAPACITY, starts, ends);
    this.#input = this.#room();
  }

  /** Decodes `bytes` and returns a copy of their records, in order. */
  push(bytes: Uint8Array): BigUint64Array {
    const parts: BigUint64Array[] = [];
    this.feed(bytes, (records) => parts.push(records.slice()));
    if (parts.length === 1) return parts[0];
    const all = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  /**
   * Decodes `bytes` and hands their records to `use`, in one or more batches. The array is a view of the text
   * module's memory: it is valid until `use` returns.
   */
  feed(bytes: Uint8Array, use: (records: BigUint64Array) => void): void {
    for (let at = 0; at < bytes.length; at += CAPACITY) {
      const chunk = bytes.length - at <= CAPACITY && at === 0 ? bytes : bytes.subarray(at, at + CAPACITY);
      this.input.set(chunk);
      this.decode(chunk.length, use);
    }
  }

  /**
   * Where `decode` expects bytes, for a caller who can write them there itself. It is a view of the text module's
   * memory: ask for it again after any other call of the module.
   */
  get input(): Uint8Array {
    if (this.#input.length === 0) this.#input = this.#room(); // the memory has grown
    return this.#input;
  }

  /** Decodes the first `length` bytes of `input`. */
  decode(length: number, use: (records: BigUint64Array) => void): void {
    if (this.#closed) throw new TypeError("the decoder is closed");
    if (!(length >= 0 && length <= CAPACITY))
      throw new RangeError(`length ${length} exceeds the decoder's input`);
    const text = this.#text;
    const count = text.lackeyDecode(this.#handle, length);
    if (count < 0) throw this.#error();
    if (count > 0) use(new BigUint64Array(text.memory.buffer, text.lackeyOutput(this.#handle), count));
  }

  /** Completes a last line that has no newline (its record goes to `use`), closes, and returns the counts. */
  end(use?: (records: BigUint64Array) => void): LackeyStats {
    if (this.#text.lackeyPending(this.#handle)) {
      this.input[0] = 0x0a;
      this.decode(1, (records) => use?.(records));
    }
    const stats = this.stats();
    this.close();
    return stats;
  }

  /** The counts so far. */
  stats(): LackeyStats {
    if (this.#closed) throw new TypeError("the decoder is closed");
    const [lines, instructions, accesses, stores, modifies, device, kernelSkipped, comments] =
      this.#text.lackeyCounts(this.#handle);
    const entries = this.#text.lackeyEntries(this.#handle);
    const offload = this.#offload.map((range) => ({
      name: range.name,
      entries: entries[this.#ranges.indexOf(range)],
    }));
    const loads = accesses - stores - modifies;
    return { lines, instructions, loads, stores, modifies, device, kernelSkipped, comments, offload };
  }

  /** Frees the decoder's memory. `end` does it, too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#text.lackeyClose(this.#handle);
    this.#text.__collect();
  }

  #room(): Uint8Array {
    return new Uint8Array(this.#text.memory.buffer, this.#text.lackeyInput(this.#handle), CAPACITY);
  }

  #error(): TraceError {
    const line = this.#text.lackeyCounts(this.#handle)[0] + 1;
    return new TraceError(line, this.#text.lackeyError(this.#handle), this.#file);
  }
}
