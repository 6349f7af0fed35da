/** P22: what a user's bundle takes for `import { Hmm } from "heteromem"`. The "rival" is 1 KiB. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Row } from "../harness.ts";
import { size, unit } from "../units.ts";

/** Returns the bytes of a bundle for browsers, minified and compressed, core included. */
async function bundleBytes(source: string): Promise<number> {
  const result = await build({
    stdin: { contents: source, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "node20",
  });
  return gzipSync(result.outputFiles[0].contents, { level: 9 }).length;
}

const row: Row = {
  title: "the engine in a user's bundle, compressed",
  unit: "bundle",
  async run(context) {
    const hmm = await bundleBytes('import { Hmm } from "./src/index.ts"; globalThis.Hmm = Hmm;');
    const all = await bundleBytes('export * from "./src/index.ts";');
    context.note(`everything that the entry exports: ${(all / 1024).toFixed(1)} KiB`);
    return context.compare({ ours: size(hmm), units: 1, rivals: [unit("import-Hmm-in-KiB", 1024, 52)] });
  },
};
export default row;
