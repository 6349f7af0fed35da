/**
 * A trace file as a stream of bytes: plain or gzip (told by its first bytes, not by its name), or "-" for standard
 * input. Reading and inflating run in other threads while the caller works on the chunk before; a few chunks at
 * most are in memory, whatever the size of the trace. A chunk's memory is given back as soon as the caller asks for the
 * next one, and not when it is collected: new memory for each chunk, and a collection every few chunks, would take longer
 * than inflating does.
 */
import { createReadStream, fstatSync, openSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { fileError, UserError } from "./errors.ts";

/** Bytes in a chunk, at most. Each takes a turn of another thread. */
const CHUNK = 1 << 20;
/** Bytes at the beginning that tell a format. */
const HEAD = 8;
/** Bytes that may wait, decompressed, for the caller. */
const AHEAD = 4 * CHUNK;

/** A port without another end: what is transferred to it is gone. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

export class TraceInput {
  /** What messages call it. */
  readonly name: string;
  /** Bytes of the file as it is stored; undefined where that is not known. */
  readonly size: number | undefined;
  readonly #source: Readable & { bytesRead?: number };
  readonly #gzip: boolean;
  #stopped = false;

  private constructor(name: string, size: number | undefined, source: Readable, gzip: boolean) {
    this.name = name;
    this.size = size;
    this.#source = source;
    this.#gzip = gzip;
  }

  /** Opens the file; throws a UserError if it cannot be read. The caller closes it. */
  static async open(path: string): Promise<TraceInput> {
    if (path === "-") return TraceInput.#pipe("standard input", process.stdin);
    try {
      const fd = openSync(path, "r");
      const status = fstatSync(fd);
      const options = { fd, highWaterMark: CHUNK };
      if (!status.isFile() && !status.isDirectory())
        return TraceInput.#pipe(path, createReadStream("", options));
      const head = new Uint8Array(2);
      readSync(fd, head, 0, 2, 0);
      return new TraceInput(path, status.size, createReadStream("", { ...options, start: 0 }), isGzip(head));
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** What comes out of a pipe can be read only once: its first bytes are put back. */
  static async #pipe(name: string, source: Readable): Promise<TraceInput> {
    return new TraceInput(name, undefined, source, isGzip(await firstBytes(source)));
  }

  /** Bytes of the file, as it is stored, that were read so far. */
  get bytesRead(): number {
    return this.#source.bytesRead ?? 0;
  }

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends the stream early: `chunks` finishes as if the trace ended here. */
  stop(): void {
    this.#stopped = true;
    this.close();
  }

  /** Reads no more. A pipe that is open keeps the process alive, whether anything comes or not. */
  close(): void {
    this.#source.destroy();
  }

  /**
   * The trace's text; a chunk is valid until the next one is asked for. `lines` says how many lines were decoded, for the
   * message about a damaged file.
   */
  async *chunks(lines: () => number): AsyncGenerator<Uint8Array, void, void> {
    try {
      // Made only now: an error before anybody listens would end the process.
      for await (const chunk of chunksOf(this.#gzip ? inflate(this.#source) : this.#source)) {
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
    if (code === "Z_BUF_ERROR")
      return new UserError(`${this.name}:${line}: the gzip file ends too early: it is truncated`);
    if (code?.startsWith("Z_"))
      return new UserError(`${this.name}:${line}: the gzip file is damaged: ${message}`);
    return code === undefined ? error : fileError(`${this.name}:${line}`, error);
  }
}

/**
 * Frees the memory of a chunk that was used. A stream fills a buffer from its start, so one whose end has been used is used
 * up. Smaller buffers than ours are not our streams': others may have a part of them.
 */
function release({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (buffer.byteLength === CHUNK && byteOffset + byteLength === CHUNK) nowhere.postMessage(null, [buffer]);
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The source's first bytes, as many as tell its format (fewer if it has fewer), which stay in it. */
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
 * A stream's chunks, and only then its error: a stream that fails drops what nobody has read yet, and how much that is,
 * is a matter of time. A stream that was destroyed ends.
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

function inflate(source: Readable): Readable {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  source.on("error", (error) => gunzip.destroy(error));
  source.on("close", () => {
    if (!source.readableEnded) gunzip.destroy(); // stopped
  });
  return source.pipe(gunzip);
}
