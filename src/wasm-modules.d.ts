/**
 * The WebAssembly modules as hexadecimal text. package.json's "imports" maps the two names to files that
 * tools/build.mjs writes to build/; they are typed here, so that neither type checking nor the published
 * declarations need a build.
 */
declare module "#hmm.wasm" {
  const hex: string;
  export default hex;
}

declare module "#text.wasm" {
  const hex: string;
  export default hex;
}
