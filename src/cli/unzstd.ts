/** Decompressing zstd as a stream: by Node where it can (from 22.15 on), else by fzstd. */
import { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";

/** Compressed bytes that fzstd gets at a time: it calls itself for each frame that ends in them. */
const SLICE = 1 << 16;
/** fzstd's code for data that ends too early. */
const UNEXPECTED_END = 5;

/** What Node 22 has, and the types of Node 20 do not. */
interface NewerZlib {
  createZstdDecompress?: (options: { chunkSize: number }) => Transform;
}

/**
 * Returns a stream that takes zstd frames and gives what they hold. Its errors have Node's codes: Z_BUF_ERROR
 * for data that end too early, else one that begins with ZSTD_.
 */
export function createUnzstd(chunkSize: number): Transform {
  const { createZstdDecompress } = zlib as unknown as NewerZlib;
  return createZstdDecompress === undefined ? new Unzstd() : createZstdDecompress({ chunkSize });
}

/** fzstd as a stream. */
class Unzstd extends Transform {
  readonly #decoder = new Decompress((bytes) => {
    if (bytes.length > 0) this.push(bytes);
  });

  override _transform(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#attempt(() => {
      for (let at = 0; at < chunk.length; at += SLICE)
        this.#decoder.push(chunk.subarray(at, at + SLICE), false);
    }, done);
  }

  override _flush(done: (error?: Error) => void): void {
    this.#attempt(() => {
      this.#decoder.push(new Uint8Array(), true);
    }, done);
  }

  #attempt(work: () => void, done: (error?: Error) => void): void {
    try {
      work();
    } catch (error) {
      const { message, code } = error as { message: string; code?: number };
      const failure: NodeJS.ErrnoException = new Error(message);
      failure.code = code === UNEXPECTED_END ? "Z_BUF_ERROR" : "ZSTD_error";
      done(failure);
      return;
    }
    done();
  }
}
