/**
 * The programs of a Markdown page: its blocks of ts or js. Each has to print what the block of text after it
 * shows, or nothing if no such block follows. On a page that is marked as one program, each block continues
 * the blocks before it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

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

/** Replaces the package's names in a program by the files that they stand for. */
function againstSources(source: string): string {
  return source.replace(
    /(from\s+|import\s+|import\()"(heteromem[^"]*)"/g,
    (_, before: string, name: string) => {
      if (!(name in ENTRIES))
        throw new Error(`the program imports "${name}", which the package does not export`);
      return `${before}${JSON.stringify(new URL(`../../${ENTRIES[name]}`, import.meta.url).href)}`;
    },
  );
}

/** Runs a program as a module of its own. Returns what it printed. Throws Error if it fails. */
export function run(source: string): string {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build", "page-"));
  try {
    const file = join(folder, "program.ts");
    writeFileSync(file, againstSources(source));
    const options = { cwd: ROOT, encoding: "utf8", timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "./tools/typescript.mjs", file],
      options,
    );
    if (status !== 0) throw new Error(`the program ends with ${status}:\n${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads a page of the repository. */
export const readPage = (path: string): string => readFileSync(join(ROOT, path), "utf8");
