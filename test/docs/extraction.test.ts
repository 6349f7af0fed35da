/** The tests of pages find a page's programs, and notice those that fail. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rejectionOf } from "../util/driver.ts";
import { joined, ONE_PROGRAM, programsOf, run } from "./programs.ts";

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

extraction("finds the programs and their outputs, and runs them", async () => {
  const [first, second, ...others] = programsOf(FIXTURE);
  assert.equal(others, []);
  assert.match(first.source, /^import \{ Hmm \} from "heteromem";\n/);
  assert.equal([first.line, first.output], [8, "pages: 16 0\n"]);
  assert.equal([second.source, second.output], ["const quiet = 1;\n", ""]);
  assert.is(await run(first.source), first.output);
});
extraction("notices a program that fails or imports an unknown entry", async () => {
  for (const [source, says] of [
    ['throw new Error("no");', /ends with 1:[^]*no/],
    ['import { x } from "heteromem/secret"; x();', /imports "heteromem\/secret"/],
    ['import { nothing } from "heteromem"; nothing();', /"nothing"/],
  ] as const)
    assert.match(String(await rejectionOf(() => run(source))), says);
});
extraction("joins the programs of a page that is marked as one program", () => {
  const [whole, ...others] = joined(`${ONE_PROGRAM}\n${FIXTURE}`);
  assert.equal(others, []);
  assert.match(whole.source, /^import[^]*const quiet = 1;\n$/);
  assert.is(whole.output, "pages: 16 0\n");
});
extraction.run();
