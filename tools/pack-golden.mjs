/**
 * Packs golden records: `node tools/pack-golden.mjs DIR [NAME]` compresses every .jsonl of DIR into
 * test/golden/NAME (default: records) and puts its index.json beside them, one entry a line, if it lists
 * scenarios with tags. The same input gives the same bytes.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const [source, name = "records"] = process.argv.slice(2);
const TARGET = fileURLToPath(new URL(`../test/golden/${name}`, import.meta.url));

if (source === undefined || !existsSync(source)) {
  console.error("usage: node tools/pack-golden.mjs DIR [NAME]");
  process.exit(2);
}

rmSync(TARGET, { recursive: true, force: true });
mkdirSync(TARGET, { recursive: true });
let bytes = 0;
const files = readdirSync(source).filter((name) => name.endsWith(".jsonl"));
for (const file of files) {
  const packed = gzipSync(readFileSync(join(source, file)), { level: 9 });
  packed[9] = 255; // the header's operating system: unknown, so that every machine writes the same file
  writeFileSync(join(TARGET, `${file}.gz`), packed);
  bytes += packed.length;
}
const index = JSON.parse(readFileSync(join(source, "index.json"), "utf8"));
if (Array.isArray(index)) {
  const lines = index.map((entry) => JSON.stringify(entry));
  writeFileSync(join(TARGET, "index.json"), `[\n${lines.join(",\n")}\n]\n`);
}
console.log(`${files.length} files, ${bytes} bytes in ${TARGET}`);
