/**
 * Reads a stack trace of the debug core from stdin and adds the source position to each of its frames:
 *
 *   node program.mjs 2>&1 | node tools/where.mjs
 *
 * `node tools/where.mjs 0x1f2a …` prints the positions of the given offsets in build/hmm.debug.wasm instead.
 * `node tools/build.mjs --core` builds the debug core and its source map.
 */
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";

const map = new SourceMap(
  JSON.parse(readFileSync(new URL("../build/hmm.debug.wasm.map", import.meta.url), "utf8")),
);

/**
 * Returns "assembly/core/…ts:line" for a byte offset in the module. A wasm source map counts bytes as columns
 * of line 0.
 */
function positionOf(offset) {
  const { originalSource, originalLine } = map.findEntry(0, offset);
  return originalSource === undefined ? "no source" : `${originalSource}:${originalLine + 1}`;
}

const offsets = process.argv.slice(2);
if (offsets.length > 0) for (const offset of offsets) console.log(`${offset}  ${positionOf(Number(offset))}`);
else
  for (const line of readFileSync(0, "utf8").trimEnd().split("\n"))
    console.log(
      line.replace(
        /wasm-function\[\d+\]:(0x[0-9a-f]+)/,
        (frame, offset) => `${frame} ${positionOf(Number(offset))}`,
      ),
    );
