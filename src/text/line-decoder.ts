/**
 * Decodes the traces that other tools write, chunk by chunk, in the text module. The files of assembly/text
 * that are named after the formats describe them.
 */
import { RECORD_MARK_KERNEL_BEGIN } from "../../assembly/abi/record.ts";
import {
  DecodeError,
  TraceDecoder,
  type DecodedBlock,
  type DecodeErrorKind,
  type DecoderStats,
} from "./decoder.ts";
import type { TextModule } from "./index.ts";

/** Bytes of a chunk that the module decodes at a time. */
const CAPACITY = 1 << 16;
const CHAMPSIM_BYTES = 64;
const LINE_FEED = 0x0a;
const SIZE_MAX = 65535;

/** By FORMAT_* of assembly/text/trace.ts. */
const FORMATS = ["addr-rw", "pinatrace", "dinero", "perf-script", "nvbit", "drmemtrace", "champsim"] as const;

export type LineFormat = (typeof FORMATS)[number];

/** What a line of each format is, for messages. */
const EXPECTED: Readonly<Record<LineFormat, string>> = {
  "addr-rw": "'ADDRESS R|W [SIZE]' or 'R|W ADDRESS [SIZE]'",
  pinatrace: "'0xPC: R|W 0xADDRESS'",
  dinero: "a label from 0 to 4 and an address",
  "perf-script": "a sample of perf script: command, thread, time, event",
  nvbit: "'MEMTRACE: CTX … - grid_launch_id N - CTA X,Y,Z - warp N - OPCODE - 0xADDRESS …'",
  drmemtrace: "'RECORD INSTRUCTION: THREAD KIND …'",
  champsim: "an instruction of 64 bytes",
};

/** By ERROR_* of assembly/text/lines.ts. */
const KINDS: readonly (DecodeErrorKind | null)[] = [
  null,
  "line",
  "address",
  "size",
  "long",
  "nul",
  "vector",
  "no-data",
  "champsim",
];

/** How to decode. */
export interface LineOptions {
  /** Addresses without 0x are decimal. Default: they are hexadecimal. */
  decimal?: boolean;
  /** The bytes of an access where the format does not say, 1 to 65,535. Default: 1. */
  size?: number;
  /** Whether instructions give records, too: runs of 256 at most, of one thread each. Default: no. */
  instructions?: boolean;
  /** What errors call the trace. */
  file?: string;
}

/**
 * Decodes a trace of one of the formats of lines, or of ChampSim. Throws DecodeError; TypeError once it is
 * closed.
 */
export class LineDecoder extends TraceDecoder {
  readonly #text: TextModule;
  readonly #format: LineFormat;
  readonly #handle: number;
  readonly #file: string;
  readonly #kernels: string[] = [];
  #closed = false;

  /**
   * @param text the module; the decoder lives in its memory until `close`. Throws RangeError for a size that
   * no record can have.
   */
  constructor(text: TextModule, format: LineFormat, options: LineOptions = {}) {
    super();
    const { decimal = false, size = 1, instructions = false, file = "trace" } = options;
    if (!Number.isInteger(size) || size < 1 || size > SIZE_MAX)
      throw new RangeError(`size ${size}: expected a whole number from 1 to ${SIZE_MAX}`);
    this.#text = text;
    this.#format = format;
    this.#file = file;
    this.#handle = text.traceOpen(FORMATS.indexOf(format), CAPACITY, decimal, size, instructions);
  }

  *blocks(bytes: Uint8Array): Generator<DecodedBlock, void, void> {
    if (this.#closed) throw new TypeError("the decoder is closed");
    const { memory } = this.#text;
    for (let at = 0; at < bytes.length; at += CAPACITY) {
      const chunk = bytes.subarray(at, at + CAPACITY);
      new Uint8Array(memory.buffer, this.#text.traceInput(this.#handle), CAPACITY).set(chunk);
      yield* this.#block(this.#text.traceDecode(this.#handle, chunk.length));
      this.#check();
    }
  }

  *rest(): Generator<DecodedBlock, string | null, void> {
    if (this.#closed) throw new TypeError("the decoder is closed");
    const pending = this.#text.tracePending(this.#handle);
    if (pending > 0 && this.#format === "champsim") {
      const { lines } = this.stats();
      return `instruction ${lines + 1} is cut off: it has ${pending} of ${CHAMPSIM_BYTES} bytes`;
    }
    const cut = pending > 0 ? yield* this.#lastLine() : null;
    yield* this.#block(this.#text.traceEnd(this.#handle));
    return cut;
  }

  stats(): DecoderStats {
    if (this.#closed) throw new TypeError("the decoder is closed");
    const [lines, loads, stores, modifies, , kernelSkipped, instructions, skipped] = this.#text.traceCounts(
      this.#handle,
    );
    const accesses = loads + stores + modifies;
    return { lines, accesses, loads, stores, modifies, kernelSkipped, instructions, skipped };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#text.traceClose(this.#handle);
    this.#text.__collect();
  }

  /** Decodes a last line without a newline. One that is wrong was cut off. */
  *#lastLine(): Generator<DecodedBlock, string | null, void> {
    try {
      yield* this.blocks(Uint8Array.of(LINE_FEED));
      return null;
    } catch (error) {
      if (!(error instanceof DecodeError) || this.stats().accesses === 0) throw error;
      return `line ${error.line} is cut off`;
    }
  }

  /** The records that the last call of the module made; none if it made none. */
  *#block(count: number): Generator<DecodedBlock, void, void> {
    if (count === 0) return;
    const at = this.#text.traceOutput(this.#handle);
    const records = new BigUint64Array(this.#text.memory.buffer, at, 2 * count);
    if (this.#format !== "nvbit") return yield { records };
    this.#nameKernels(new Uint32Array(this.#text.memory.buffer, at, 4 * count));
    yield { records, kernels: this.#kernels };
  }

  /**
   * Names the kernels that begin among these records, given as halves of words, by their launches' numbers.
   */
  #nameKernels(halves: Uint32Array): void {
    for (let i = 0; i < halves.length; i += 4) {
      if ((halves[i + 2] & 255) !== RECORD_MARK_KERNEL_BEGIN) continue;
      const launch = halves[i + 3];
      this.#kernels[launch] = `grid ${launch}`;
    }
  }

  #check(): void {
    const kind = KINDS[this.#text.traceError(this.#handle)];
    if (kind === null) return;
    const { lines } = this.stats();
    const where =
      this.#format === "champsim"
        ? { file: this.#file, offset: CHAMPSIM_BYTES * lines }
        : { file: this.#file, line: lines + 1 };
    throw new DecodeError(kind, where, this.#reason(kind));
  }

  #reason(kind: DecodeErrorKind): string {
    const found = `found ${this.#text.traceShown(this.#handle)}`;
    switch (kind) {
      case "line":
        return `expected ${EXPECTED[this.#format]}, ${found}`;
      case "address":
        return `expected an address, ${found}`;
      case "size":
        return `expected a size from 1 to ${SIZE_MAX} and the end of the line, ${found}`;
      case "long":
        return `the line is longer than 4096 bytes, ${found}`;
      case "nul":
        return "NUL bytes: the file was not written to its end";
      case "vector":
        return `numbers that differ: a place in DRAM (channel, rank, row …) is no address, ${found}`;
      case "no-data":
        return `a sample without the address that was accessed: record with perf record -d, ${found}`;
      case "champsim":
        return "this is no ChampSim instruction: bytes 8 and 9 (is a branch, is taken) are 0 or 1";
    }
  }
}
