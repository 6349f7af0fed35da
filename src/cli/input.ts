/**
 * A trace file as a stream of bytes: plain, gzip or zstd, which its first bytes tell; "-" is standard input.
 * Reading and inflating run in other threads while the caller works on the previous chunk; at most a few
 * chunks are in memory. A chunk's memory is freed when the caller asks for the next one: leaving it to the
 * garbage collector takes longer than inflating does.
 */
import { createReadStream, fstatSync, openSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DamagedError, fileError } from "./errors.ts";
import { createUnzstd } from "./unzstd.ts";

/** Bytes of a chunk, at most. */
const CHUNK = 1 << 20;
/** Bytes at the beginning of a trace that identify its format. */
const HEAD = 8;
/** Decompressed bytes that may wait for the caller. */
const AHEAD = 4 * CHUNK;

/** A port without another end: transferring a buffer to it frees the buffer. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

type Packing = "gzip" | "zstd";
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** An open trace file. */
export class TraceInput {
  /** What messages call the file: its path, but for standard input. */
  readonly name: string;
  /** The stored file's length in bytes; undefined for a pipe. */
  readonly size: number | undefined;
  readonly #source: Readable & { bytesRead?: number };
  readonly #packing: Packing | null;
  #stopped = false;

  private constructor(name: string, size: number | undefined, source: Readable, packing: Packing | null) {
    this.name = name;
    this.size = size;
    this.#source = source;
    this.#packing = packing;
  }

  /** Opens a file, which the caller closes. Throws UserError if it cannot be read. */
  static async open(path: string): Promise<TraceInput> {
    if (path === "-") return TraceInput.#pipe("standard input", process.stdin);
    try {
      const fd = openSync(path, "r");
      const status = fstatSync(fd);
      const options = { fd, highWaterMark: CHUNK };
      if (!status.isFile() && !status.isDirectory())
        return TraceInput.#pipe(path, createReadStream("", options));
      const head = new Uint8Array(HEAD);
      readSync(fd, head, 0, HEAD, 0);
      return new TraceInput(
        path,
        status.size,
        createReadStream("", { ...options, start: 0 }),
        packingOf(head),
      );
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Opens a pipe. It can be read only once, so its first bytes are put back. */
  static async #pipe(name: string, source: Readable): Promise<TraceInput> {
    return new TraceInput(name, undefined, source, packingOf(await firstBytes(source)));
  }

  /** Bytes of the stored file that were read so far. */
  get bytesRead(): number {
    return this.#source.bytesRead ?? 0;
  }

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends the stream early: `chunks` returns as if the trace ended here. */
  stop(): void {
    this.#stopped = true;
    this.close();
  }

  /** Closes the file. An open pipe would keep the process alive. */
  close(): void {
    this.#source.destroy();
  }

  /**
   * Yields the trace's text; a chunk is valid until the next one is asked for. `lines` returns how many lines
   * were decoded, for the message about a damaged file. Throws UserError if the file is damaged or cannot be
   * read.
   */
  async *chunks(lines: () => number): AsyncGenerator<Uint8Array, void, void> {
    try {
      // The stream is made here: an error that comes before anything listens for it would end the process.
      const [source, packing] = [this.#source, this.#packing];
      for await (const chunk of chunksOf(packing === null ? source : unpack(source, packing))) {
        yield chunk;
        release(chunk);
        if (this.#stopped) return;
      }
    } catch (error) {
      if (this.#stopped) return;
      throw this.#damaged(error, lines() + 1);
    } finally {
      this.close();
    }
  }

  #damaged(error: unknown, line: number): unknown {
    const { code, message } = error as NodeJS.ErrnoException;
    const where = `${this.name}:${line}`;
    const file = `the ${this.#packing} file`;
    if (code === "Z_BUF_ERROR") return new DamagedError(where, `${file} ends too early: it is truncated`);
    if (code !== undefined && /^Z(?:STD)?_/.test(code))
      return new DamagedError(where, `${file} is damaged: ${message}`);
    return code === undefined ? error : fileError(`${this.name}:${line}`, error);
  }
}

/**
 * Frees the memory of a chunk after its use. A stream fills a buffer from its start, so the buffer is used up
 * with the chunk at its end. Buffers of another length are not this file's streams', and may be shared.
 */
function release({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (buffer.byteLength === CHUNK && byteOffset + byteLength === CHUNK) nowhere.postMessage(null, [buffer]);
}

/** How the trace is compressed, by the file's first bytes. */
function packingOf(head: Uint8Array): Packing | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return ZSTD_MAGIC.every((byte, i) => head[i] === byte) ? "zstd" : null;
}

/** The source's first bytes, or fewer if it has no more. They stay in the source. */
async function firstBytes(source: Readable): Promise<Uint8Array> {
  for (;;) {
    const head = source.read(HEAD) as Buffer | null;
    if (head !== null) {
      source.unshift(head);
      return head;
    }
    if (source.readableEnded || source.destroyed) return new Uint8Array();
    await new Promise<void>((resolve, reject) => {
      source.once("readable", resolve).once("end", resolve).once("error", reject);
    });
  }
}

/**
 * Yields a stream's chunks, and throws its error after them. (A stream that fails drops the chunks that wait,
 * and how many do depends on timing.) A destroyed stream ends.
 */
async function* chunksOf(stream: Readable): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const waiting: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  let failure: Error | null = null;
  let ended = false;
  let wake = (): void => {};
  const end = (): void => {
    ended = true;
    wake();
  };
  stream
    .on("data", (chunk: Uint8Array<ArrayBuffer>) => {
      waiting.push(chunk);
      bytes += chunk.length;
      if (bytes >= AHEAD) stream.pause();
      wake();
    })
    .once("error", (error) => {
      failure = error;
      wake();
    })
    .once("end", end)
    .once("close", end);
  for (;;) {
    const chunk = waiting.shift();
    if (chunk !== undefined) {
      bytes -= chunk.length;
      if (bytes < AHEAD) stream.resume();
      yield chunk;
    } else if (failure !== null) throw failure as Error;
    else if (ended) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

function unpack(source: Readable, packing: Packing): Readable {
  const stream = packing === "gzip" ? createGunzip({ chunkSize: CHUNK }) : createUnzstd(CHUNK);
  source.on("error", (error) => stream.destroy(error));
  source.on("close", () => {
    if (!source.readableEnded) stream.destroy(); // stopped
  });
  return source.pipe(stream);
}
