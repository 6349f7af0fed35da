/**
 * The compressor of .hmt blocks: zstd as a WebAssembly module, which is loaded when the first is asked for.
 */

/** Compresses bytes to a zstd frame. */
export type Compress = (bytes: Uint8Array) => Uint8Array;

/** The level of zstd's command, and of the recorder. */
const LEVEL = 3;

/** Loaded once: while the package starts a second time, it compresses wrongly. */
let loaded: Promise<Compress> | undefined;

async function load(): Promise<Compress> {
  const { init, compress } = await import("@bokuweb/zstd-wasm");
  await init();
  return (bytes) => compress(bytes, LEVEL);
}

export function loadCompress(): Promise<Compress> {
  return (loaded ??= load());
}
