/**
 * Decodes valgrind's lackey traces chunk by chunk, in the text module. assembly/text/lackey.ts describes the
 * format, assembly/text/offload.ts the rule that tells device code from CPU code, assembly/abi/record.ts the
 * records.
 */
import type { TextModule } from "./index.ts";

/** Bytes of a chunk that the module decodes at a time. */
const CAPACITY = 1 << 18;
const ADDRESS_END = 2 ** 48;

/** Code that runs on the device: start <= pc < end. */
export interface OffloadRange {
  name: string;
  start: number;
  end: number;
}

/** How the program's machine keeps return addresses: on the stack (x86) or in a register. */
export type Calls = "push" | "register";

/** By CALLS_* of assembly/text/offload.ts; null while that is not known. */
const CALLS: readonly (Calls | null)[] = [null, "push", "register"];

/** What is wrong with a line. `nul` and `valgrind` mean that the trace ends there. */
export type LineError = "line" | "address" | "size" | "long" | "nul" | "valgrind";

/** By ERROR_* of assembly/text/lackey.ts. */
const LINE_ERRORS: readonly (LineError | null)[] = [
  null,
  "line",
  "address",
  "size",
  "long",
  "nul",
  "valgrind",
];

/** What to decode, and how. */
export interface LackeyOptions {
  /** Code that runs on the device. */
  offload?: readonly OffloadRange[];
  /** How the machine calls; if left out, the trace tells. */
  calls?: Calls;
  /** Count lines that are no trace's, instead of throwing. */
  skipForeign?: boolean;
  /** Decode only what this process did; if left out, what all did. */
  pid?: number;
  /** Whether instructions give records, too: runs of 256 at most, of one agent each. Default: no. */
  instructions?: boolean;
  /** The process of the first line, where the text begins in the middle of a file. */
  currentPid?: number;
  /** What errors call the trace. */
  file?: string;
}

/** What a decoder has counted. */
export interface LackeyStats {
  /** Lines of any kind. */
  lines: number;
  /** `I` lines. */
  instructions: number;
  /** Records by what they do. An `L`, `S` or `M` line gives one, or several if its access is long. */
  loads: number;
  stores: number;
  modifies: number;
  /** How many of the loads, stores and modifies are the device's. */
  device: number;
  /** Accesses at 2^47 and above, which give no record. */
  kernelSkipped: number;
  /** Lines that valgrind wrote about itself. */
  comments: number;
  /** `SB` lines. */
  superblocks: number;
  /** Lines that are no trace's. */
  foreign: number;
  /** Lines of other processes. */
  otherPid: number;
  /** The processes that lines have named, at most 64. */
  processes: number[];
  /** The process that the last such line has named; 0: none did. */
  currentPid: number;
  /** How the machine calls, as told or recognized; null: not known. */
  calls: Calls | null;
  /** Times that a switch of threads showed in the device's code (assembly/text/offload.ts). */
  switches: number;
  /** Regions of device code that ended without their return. */
  missed: number;
  /** Regions that began on another stack than the region before. */
  stacks: number;
  /** Whether a return from device code, or to it, is still to come. */
  waiting: boolean;
  /** How often each offload range was entered; 0: no instruction is in the range. */
  offload: { name: string; entries: number }[];
}

/** Thrown for a line that cannot be decoded: the message is "file:line: reason". */
export class TraceError extends Error {
  override readonly name = "TraceError";
  readonly kind: LineError;
  /** The line's number, counted from 1. */
  readonly line: number;
  readonly reason: string;
  readonly file?: string;

  constructor(kind: LineError, line: number, reason: string, file?: string) {
    super(`${file ?? "trace"}:${line}: ${reason}`);
    this.kind = kind;
    this.line = line;
    this.reason = reason;
    if (file !== undefined) this.file = file;
  }
}

/**
 * Returns the ranges in order of their addresses. Throws RangeError for bounds that cannot be, and for an
 * overlap.
 */
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
 * Decodes one trace. `push` takes its bytes in chunks of any length, split anywhere; `end` closes the decoder
 * and returns the counts. A line that cannot be decoded throws TraceError; after it, only `stats` and `close`
 * are of use.
 */
export class LackeyDecoder {
  readonly #text: TextModule;
  readonly #handle: number;
  /** The ranges as given. */
  readonly #offload: readonly OffloadRange[];
  /** The ranges in order of their addresses, as the module has them. */
  readonly #ranges: OffloadRange[];
  readonly #file?: string;
  #closed = false;
  #finishing = false;
  #input: Uint8Array;

  /**
   * @param text the module; the decoder lives in its memory until `end` or `close`. Throws RangeError for
   * offload ranges that are empty or overlap.
   */
  constructor(text: TextModule, options: LackeyOptions = {}) {
    const { offload = [], calls, skipForeign = false, pid = 0, currentPid = 0, instructions, file } = options;
    this.#text = text;
    this.#offload = offload;
    this.#ranges = sorted(offload);
    this.#file = file;
    const starts = Float64Array.from(this.#ranges, (range) => range.start);
    const ends = Float64Array.from(this.#ranges, (range) => range.end);
    const how = CALLS.indexOf(calls ?? null);
    this.#handle = text.lackeyOpen(
      CAPACITY,
      starts,
      ends,
      how,
      skipForeign,
      pid,
      currentPid,
      instructions ?? false,
    );
    this.#input = this.#room();
  }

  /**
   * Decodes `bytes` and returns their records (two words each), in order, in an array of the caller's. Throws
   * TraceError.
   */
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
   * Decodes `bytes` and passes their records to `use`, in one or more batches. A batch is a view of the text
   * module's memory, valid until `use` returns. Throws TraceError; `use` has then got the records of all
   * chunks before.
   */
  feed(bytes: Uint8Array, use: (records: BigUint64Array) => void): void {
    for (const records of this.blocks(bytes)) use(records);
  }

  /**
   * Decodes `bytes` and yields their records in one or more blocks: views of the text module's memory, valid
   * until the next one is asked for. Throws TraceError after the records before the wrong line.
   */
  *blocks(bytes: Uint8Array): Generator<BigUint64Array, void, void> {
    for (let at = 0; at < bytes.length; at += CAPACITY) {
      const chunk = bytes.length - at <= CAPACITY && at === 0 ? bytes : bytes.subarray(at, at + CAPACITY);
      this.input.set(chunk);
      yield* this.#decode(chunk.length);
    }
  }

  /**
   * Where `decode` expects its bytes, for callers that can write them there themselves. This is a view of the
   * text module's memory: read the property again after any other call of the module.
   */
  get input(): Uint8Array {
    if (this.#input.length === 0) this.#input = this.#room(); // the memory has grown
    return this.#input;
  }

  /** Decodes the first `length` bytes of `input`, as `feed` does. */
  decode(length: number, use: (records: BigUint64Array) => void): void {
    for (const records of this.#decode(length)) use(records);
  }

  *#decode(length: number): Generator<BigUint64Array, void, void> {
    if (this.#closed) throw new TypeError("the decoder is closed");
    if (!(length >= 0 && length <= CAPACITY))
      throw new RangeError(`length ${length} exceeds the decoder's input`);
    const text = this.#text;
    for (let n = text.lackeyDecode(this.#handle, length); n > 0; n = text.lackeyMore(this.#handle))
      yield new BigUint64Array(text.memory.buffer, text.lackeyOutput(this.#handle), 2 * n);
    const kind = LINE_ERRORS[text.lackeyErrorKind(this.#handle)];
    if (kind !== null) throw this.#error(kind);
  }

  /**
   * Decodes a last line without a newline (`use` gets its record), closes the decoder, and returns the
   * counts.
   */
  end(use?: (records: BigUint64Array) => void): LackeyStats {
    this.finish(use);
    const stats = this.stats();
    this.close();
    return stats;
  }

  /**
   * Decodes a last line without a newline, and ends the last run of instructions; `use` gets the records.
   * Throws TraceError, and `finishing` is true then.
   */
  finish(use?: (records: BigUint64Array) => void): void {
    this.#finishing = true;
    const text = this.#text;
    if (text.lackeyPending(this.#handle)) {
      this.input[0] = 0x0a;
      this.decode(1, (records) => use?.(records));
    }
    const n = text.lackeyEnd(this.#handle);
    if (n > 0) use?.(new BigUint64Array(text.memory.buffer, text.lackeyOutput(this.#handle), 2 * n));
  }

  /** Whether the last line was decoded by `finish`: it has no newline. */
  get finishing(): boolean {
    return this.#finishing;
  }

  /** The counts so far. Throws TypeError once the decoder is closed. */
  stats(): LackeyStats {
    if (this.#closed) throw new TypeError("the decoder is closed");
    const handle = this.#handle;
    const [lines, instructions, accesses, stores, modifies, device, kernelSkipped, comments, ...rest] =
      this.#text.lackeyCounts(handle);
    const [superblocks, foreign, otherPid, currentPid, calls, switches, missed, stacks, waiting] = rest;
    const entries = this.#text.lackeyEntries(handle);
    return {
      lines,
      instructions,
      loads: accesses - stores - modifies,
      stores,
      modifies,
      device,
      kernelSkipped,
      comments,
      superblocks,
      foreign,
      otherPid,
      processes: [...this.#text.lackeyProcesses(handle)],
      currentPid,
      calls: CALLS[calls],
      switches,
      missed,
      stacks,
      waiting: waiting !== 0,
      offload: this.#offload.map((range) => ({
        name: range.name,
        entries: entries[this.#ranges.indexOf(range)],
      })),
    };
  }

  /** Frees the decoder's memory, as `end` does. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#text.lackeyClose(this.#handle);
    this.#text.__collect();
  }

  #room(): Uint8Array {
    return new Uint8Array(this.#text.memory.buffer, this.#text.lackeyInput(this.#handle), CAPACITY);
  }

  #error(kind: LineError): TraceError {
    const line = this.#text.lackeyCounts(this.#handle)[0] + 1;
    return new TraceError(kind, line, this.#text.lackeyError(this.#handle), this.#file);
  }
}
