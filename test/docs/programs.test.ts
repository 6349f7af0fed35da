/** The programs in README.md and in the guide pages do what the pages say. */
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { joined, ONE_PROGRAM, programsOf, readPage, run } from "./programs.ts";

const README_LINES_MAX = 30;

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

/** The driver's page has a test of its own: driver-guide.test.ts. */
const guides = readdirSync("docs/guide")
  .filter((name) => name !== "driver.md")
  .map((name) => `docs/guide/${name}`);

const programs = suite("docs: programs");
for (const page of ["README.md", ...guides]) {
  for (const { line, source, output } of joined(readPage(page)))
    programs(`${page}:${line} prints what the page says`, () => assert.is(run(source), output));
}
programs("README's first program is short, shows its output, and imports the package", () => {
  const [{ source, output }] = programsOf(readPage("README.md"));
  const lines = source.trimEnd().split("\n").length;
  assert.ok(lines <= README_LINES_MAX, `${lines} lines, ${README_LINES_MAX} allowed`);
  assert.match(source, /from "heteromem"/);
  assert.ok(output.length > 0);
});
programs.run();
