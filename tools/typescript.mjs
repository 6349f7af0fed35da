/**
 * `node --import ./tools/typescript.mjs FILE.ts` runs TypeScript, compiled file by file as tools/build.mjs
 * compiles the package. The code of each file is kept at the same path under build/.typescript, with a hash
 * of its source in front, so that only the first process after a change compiles it.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { register } from "node:module";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const KEPT = fileURLToPath(new URL("../build/.typescript/", import.meta.url));
const OPTIONS = { format: "esm", target: "node20.10", jsx: "automatic", jsxImportSource: "preact" };

/** A module hook of Node: compiles .ts and .tsx files. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !/\.tsx?$/.test(url)) return next(url, context);
  return { format: "module", source: await codeOf(fileURLToPath(url)), shortCircuit: true };
}

async function codeOf(path) {
  const source = await readFile(path);
  const inside = relative(ROOT, path);
  if (inside.startsWith("..")) return compile(path, source);
  const head = `// ${createHash("sha256").update(source).digest("hex")}\n`;
  const file = `${KEPT}${inside}.js`;
  const kept = await readFile(file, "utf8").catch(() => "");
  if (kept.startsWith(head)) return kept;
  const code = head + (await compile(path, source));
  await mkdir(dirname(file), { recursive: true });
  const written = `${file}.${process.pid}`;
  await writeFile(written, code);
  await rename(written, file);
  return code;
}

async function compile(path, source) {
  const { transform } = await import("esbuild");
  const loader = path.endsWith("x") ? "tsx" : "ts";
  const { code } = await transform(source, { ...OPTIONS, loader, sourcemap: "inline", sourcefile: path });
  return code;
}

if (isMainThread) register(import.meta.url);
