/** The bytes of a trace's file, decompressed, in chunks: plain, gzip or zstd, which its first bytes tell. */

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** Compressed bytes that the decoder of zstd gets at a time: it calls itself for each frame in them. */
const SLICE = 1 << 16;

/** A trace's file while it is read. */
export class TraceBytes {
  readonly #file: Blob;
  #read = 0;

  constructor(file: Blob) {
    this.#file = file;
  }

  /** The share of the file that was read, from 0 to 1. */
  get share(): number {
    return this.#file.size === 0 ? 1 : this.#read / this.#file.size;
  }

  /** Yields the chunks. Rejects with TypeError for a damaged file of gzip, and with Error for one of zstd. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const head = new Uint8Array(await this.#file.slice(0, 4).arrayBuffer());
    const begins = (magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte);
    const counted = this.#file.stream().pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform: (chunk, controller) => {
          this.#read += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
    if (begins(ZSTD)) yield* unzstd(chunksOf(counted));
    else if (begins(GZIP)) yield* chunksOf(counted.pipeThrough(new DecompressionStream("gzip")));
    else yield* chunksOf(counted);
  }
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

/** The decoder of zstd is loaded with the first such file. */
async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const decoder = new Decompress((bytes) => {
    if (bytes.length > 0) ready.push(bytes);
  });
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += SLICE) {
      decoder.push(chunk.subarray(at, at + SLICE), false);
      yield* ready.splice(0);
    }
  decoder.push(new Uint8Array(), true);
  yield* ready.splice(0);
}
