/**
 * The WebAssembly modules as base64 text. package.json's "imports" maps the two names to files that
 * tools/build.mjs writes to build/; they are typed here, so that neither type checking nor the published
 * declarations need a build.
 */
declare module "#hmm.wasm" {
  const base64: string;
  export default base64;
}

declare module "#text.wasm" {
  const base64: string;
  export default base64;
}
