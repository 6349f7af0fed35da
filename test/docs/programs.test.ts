/**
 * The programs in README.md and in the guide pages do what the pages say: each block of ts is run against the
 * sources, and has to print what the block of text after it shows, or nothing if no such block follows. On a
 * page that is marked as one program, each block continues the blocks before it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README_LINES_MAX = 30;
/** The package's own entries, by the name that users import them under. */
const ENTRIES: Record<string, string> = {
  heteromem: "src/index.ts",
  "heteromem/dmirror": "src/dmirror.ts",
  "heteromem/testing": "src/testing.ts",
};

interface Program {
  /** The line of the page on which it begins. */
  line: number;
  source: string;
  output: string;
}

/** Returns the programs of a Markdown page, with the output that has to follow each. */
function programsOf(markdown: string): Program[] {
  const blocks = [...markdown.matchAll(/^```([^\n`]*)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, language, source], i) => {
    if (language !== "ts" && language !== "js") return [];
    const next = blocks.at(i + 1);
    const output = next?.[1] === "text" ? next[2] : "";
    return { line: markdown.slice(0, blocks[i].index).split("\n").length + 1, source, output };
  });
}

const ONE_PROGRAM = "<!-- one program -->";

/** Joins the programs of a page that is marked as one program. */
function joined(markdown: string): Program[] {
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
function run(source: string): string {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build", "page-"));
  try {
    const file = join(folder, "program.mts");
    writeFileSync(file, againstSources(source));
    const options = { cwd: ROOT, encoding: "utf8", timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", file], options);
    if (status !== 0) throw new Error(`the program ends with ${status}:\n${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const extraction = suite("docs: extraction");

const FIXTURE = `# Title

\`\`\`sh
npm ci
\`\`\`

\`\`\`ts
import { Hmm } from "heteromem";
import { Random } from "heteromem/testing";
const pages: number = (await Hmm.create({ systemMemory: 65536, deviceMemory: 0 })).freePages;
console.log("pages:", pages, new Random(1).below(1));
\`\`\`

It prints

\`\`\`text
pages: 16 0
\`\`\`

\`\`\`js
const quiet = 1;
\`\`\`
`;

extraction("finds the programs and their outputs, and runs them", () => {
  const [first, second, ...others] = programsOf(FIXTURE);
  assert.equal(others, []);
  assert.match(first.source, /^import \{ Hmm \} from "heteromem";\n/);
  assert.equal([first.line, first.output], [8, "pages: 16 0\n"]);
  assert.equal([second.source, second.output], ["const quiet = 1;\n", ""]);
  assert.is(run(first.source), first.output);
});
extraction("notices a program that fails or imports an unknown entry", () => {
  assert.throws(() => run('throw new Error("no");'), /ends with 1:[^]*no/);
  assert.throws(() => run('import { x } from "heteromem/secret";'), /imports "heteromem\/secret"/);
  assert.throws(() => run('import { nothing } from "heteromem"; nothing();'), /nothing/);
});
extraction("joins the programs of a page that is marked as one program", () => {
  const [whole, ...others] = joined(`${ONE_PROGRAM}\n${FIXTURE}`);
  assert.equal(others, []);
  assert.match(whole.source, /^import[^]*const quiet = 1;\n$/);
  assert.is(whole.output, "pages: 16 0\n");
});
extraction.run();

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const guides = readdirSync(join(ROOT, "docs/guide")).map((name) => `docs/guide/${name}`);

const programs = suite("docs: programs");
for (const page of ["README.md", ...guides]) {
  for (const { line, source, output } of joined(readFileSync(join(ROOT, page), "utf8")))
    programs(`${page}:${line} prints what the page says`, () => assert.is(run(source), output));
}
programs("the guide's driver fails without its retry", () => {
  const [{ source }] = joined(readFileSync(join(ROOT, "docs/guide/driver.md"), "utf8"));
  const retry = "    if (notifier.readRetry(notifierSeq)) continue;\n";
  assert.is(source.split(retry).length, 2);
  assert.throws(() => run(source.replace(retry, "")), /ScheduleError: explore: device/);
});
programs("README's first program is short, shows its output, and imports the package", () => {
  const [{ source, output }] = programsOf(readme);
  const lines = source.trimEnd().split("\n").length;
  assert.ok(lines <= README_LINES_MAX, `${lines} lines, ${README_LINES_MAX} allowed`);
  assert.match(source, /from "heteromem"/);
  assert.ok(output.length > 0);
});
programs.run();
