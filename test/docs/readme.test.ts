/**
 * README's first program does what README says: it is taken from there, run against the sources, and has to print what
 * the block after it shows.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LINES_MAX = 30;
/** The package's own entries, by the name that users import them under. */
const ENTRIES: Record<string, string> = {
  heteromem: "src/index.ts",
  "heteromem/dmirror": "src/dmirror.ts",
  "heteromem/testing": "src/testing.ts",
};

interface Program {
  language: string;
  source: string;
  output: string;
}

interface Block {
  language: string;
  text: string;
}

/** The fenced code blocks of a Markdown text. */
function blocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```([^\n`]*)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language,
    text,
  }));
}

/** The first program, and the output that has to follow it. Throws Error where there is none. */
function firstProgram(markdown: string): Program {
  const all = blocks(markdown);
  const at = all.findIndex(({ language }) => language === "ts" || language === "js");
  if (at < 0) throw new Error("README has no program: no block of ts or js");
  const output = all[at + 1];
  if (output?.language !== "text")
    throw new Error("README's first program is not followed by its output, a block of text");
  return { language: all[at].language, source: all[at].text, output: output.text };
}

/** The same program with the package's names replaced by the files that they stand for. */
function againstSources(source: string): string {
  return source.replace(
    /(from\s+|import\s+|import\()"(heteromem[^"]*)"/g,
    (_, before: string, name: string) => {
      if (!(name in ENTRIES)) throw new Error(`README imports "${name}", which the package does not export`);
      return `${before}${JSON.stringify(new URL(`../../${ENTRIES[name]}`, import.meta.url).href)}`;
    },
  );
}

/** Runs a program as a module of its own; returns what it printed. Throws Error if it fails. */
function run({ language, source }: Program): string {
  const folder = mkdtempSync(join(ROOT, "build", "readme-"));
  try {
    const file = join(folder, `program.${language === "ts" ? "mts" : "mjs"}`);
    writeFileSync(file, againstSources(source));
    const options = { cwd: ROOT, encoding: "utf8", timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", file], options);
    if (status !== 0) throw new Error(`the program ends with ${status}:\n${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const extraction = suite("readme: extraction");

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

And it prints

\`\`\`text
pages: 16 0
\`\`\`

\`\`\`ts
throw new Error("the second program is not the first");
\`\`\`
`;

extraction("the first program and its output are found, and run", () => {
  const program = firstProgram(FIXTURE);
  assert.is(program.language, "ts");
  assert.match(program.source, /^import \{ Hmm \} from "heteromem";\n/);
  assert.is(program.output, "pages: 16 0\n");
  assert.is(run(program), program.output);
});
extraction("a program that fails, or imports what is not there, is noticed", () => {
  const program = firstProgram(FIXTURE);
  assert.throws(() => run({ ...program, source: 'throw new Error("no");' }), /ends with 1:[^]*no/);
  const stranger = { ...program, source: 'import { x } from "heteromem/secret";' };
  assert.throws(() => run(stranger), /imports "heteromem\/secret"/);
  assert.throws(
    () => run({ ...program, source: 'import { nothing } from "heteromem"; nothing();' }),
    /nothing/,
  );
});
extraction("a README without program or output is noticed", () => {
  assert.throws(() => firstProgram("# Title\n\n```sh\nnpm ci\n```\n"), /has no program/);
  assert.throws(() => firstProgram("```ts\n1;\n```\n"), /not followed by its output/);
  assert.throws(() => firstProgram("```js\n1;\n```\n```sh\nx\n```\n"), /not followed by its output/);
});
extraction.run();

const readme = suite("readme: the first program");

readme("prints what README says", () => {
  const program = firstProgram(readFileSync(join(ROOT, "README.md"), "utf8"));
  assert.match(program.source, /from "heteromem"/);
  assert.is(run(program), program.output);
});
readme("is short", () => {
  const { source } = firstProgram(readFileSync(join(ROOT, "README.md"), "utf8"));
  const lines = source.trimEnd().split("\n").length;
  assert.ok(lines <= LINES_MAX, `${lines} lines, ${LINES_MAX} allowed`);
});
readme.run();
