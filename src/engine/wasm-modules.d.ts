/**
 * The WebAssembly modules as text, which wasmBytes() (wasm-bytes.ts) turns into bytes. package.json's
 * "imports" maps the names to files that tools/build.mjs writes to build/; they are typed here, so that
 * neither type checking nor the published declarations need a build.
 */
declare module "#hmm.wasm" {
  const binary: string;
  export default binary;
}

declare module "#text.wasm" {
  const binary: string;
  export default binary;
}

declare module "#workload.wasm" {
  const binary: string;
  export default binary;
}
