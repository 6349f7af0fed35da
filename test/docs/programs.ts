/**
 * The programs of a Markdown page: its blocks of ts or js. Each has to print what the block of text after it
 * shows, or nothing if no such block follows. On a page that is marked as one program, each block continues
 * the blocks before it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import type { Test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The package's own entries, by the name that users import them under. */
const ENTRIES: Record<string, string> = {
  heteromem: "src/index.ts",
  "heteromem/dmirror": "src/dmirror.ts",
  "heteromem/testing": "src/testing.ts",
  "heteromem/sim": "src/sim.ts",
  "heteromem/lab": "src/lab.ts",
};

export interface Program {
  /** The line of the page on which it begins. */
  line: number;
  source: string;
  output: string;
}

/** Returns the programs of a Markdown page, with the output that has to follow each. */
export function programsOf(markdown: string): Program[] {
  const blocks = [...markdown.matchAll(/^```([^\n`]*)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, language, source], i) => {
    if (language !== "ts" && language !== "js") return [];
    const next = blocks.at(i + 1);
    const output = next?.[1] === "text" ? next[2] : "";
    return { line: markdown.slice(0, blocks[i].index).split("\n").length + 1, source, output };
  });
}

/** The mark of a page that is one program. */
export const ONE_PROGRAM = "<!-- one program -->";

/** Joins the programs of a page that is marked as one program. */
export function joined(markdown: string): Program[] {
  const parts = programsOf(markdown);
  if (!markdown.includes(ONE_PROGRAM)) return parts;
  const join = (key: "source" | "output"): string => parts.map((part) => part[key]).join("");
  return [{ line: parts[0].line, source: join("source"), output: join("output") }];
}

/** Resolves the names of programs, and the package's names to the files that they stand for. */
const programNames = (sources: readonly string[]): Plugin => ({
  name: "programs",
  setup(bundle) {
    bundle.onResolve({ filter: /^program:/ }, ({ path }) => ({ path, namespace: "program" }));
    bundle.onResolve({ filter: /^heteromem(\/|$)/ }, ({ path }) => {
      if (path in ENTRIES) return { path: join(ROOT, ENTRIES[path]) };
      return { errors: [{ text: `the program imports "${path}", which the package does not export` }] };
    });
    bundle.onLoad({ filter: /^/, namespace: "program" }, ({ path }) => ({
      contents: sources[Number(path.slice("program:".length))],
      loader: "ts",
      resolveDir: ROOT,
    }));
  },
});

/**
 * Compiles programs, each as a module of its own, into files that go when the process ends. Returns their
 * paths. Throws Error if one of them does not compile.
 */
async function compiled(sources: readonly string[]): Promise<string[]> {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build", "page-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const entryPoints = Object.fromEntries(sources.map((_, i) => [`program${i}`, `program:${i}`]));
  const form = {
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.10",
  } as const;
  const plugins = [programNames(sources)];
  await build({ ...form, entryPoints, outdir: folder, plugins, logLevel: "silent" });
  return sources.map((_, i) => join(folder, `program${i}.js`));
}

/** Runs a compiled program. Returns what it printed. Throws Error if it fails. */
function printed(file: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`the program ends with ${status}:\n${stderr}`);
  return stdout;
}

/** Compiles and runs a program. Returns what it printed. Throws Error if it fails. */
export async function run(source: string): Promise<string> {
  const [file] = await compiled([source]);
  return printed(file);
}

/** Returns the title of the section that has a line, "" before the first. */
function sectionAt(markdown: string, line: number): string {
  const above = markdown.split("\n").slice(0, line - 1);
  const titles = above.filter((text) => text.startsWith("## "));
  return titles.at(-1)?.slice("## ".length) ?? "";
}

/**
 * Tests that the programs of a page print what the page shows: all of them, or those of the sections that
 * `wanted` selects by their titles.
 */
export async function testPage(
  test: Test,
  page: string,
  wanted: (section: string) => boolean = () => true,
): Promise<void> {
  const markdown = readPage(page);
  const programs = joined(markdown).filter(({ line }) => wanted(sectionAt(markdown, line)));
  const files = await compiled(programs.map(({ source }) => source));
  for (const [i, { line, output }] of programs.entries())
    test(`${page}:${line} prints what the page says`, () => assert.is(printed(files[i]), output));
}

/** Reads a page of the repository. */
export const readPage = (path: string): string => readFileSync(join(ROOT, path), "utf8");
