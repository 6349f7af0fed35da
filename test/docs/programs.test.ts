/** The programs in README.md and in the guide pages do what the pages say. */
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { programsOf, readPage, testPage } from "./programs.ts";

const README_LINES_MAX = 30;
/** Pages with tests of their own: driver-guide.test.ts, simulating-guide.test.ts. */
const OWN = ["driver.md", "simulating.md"];

const guides = readdirSync("docs/guide")
  .filter((name) => !OWN.includes(name))
  .map((name) => `docs/guide/${name}`);

const programs = suite("docs: programs");
for (const page of ["README.md", ...guides]) await testPage(programs, page);
programs("README's first program is short, shows its output, and imports the package", () => {
  const [{ source, output }] = programsOf(readPage("README.md"));
  const lines = source.trimEnd().split("\n").length;
  assert.ok(lines <= README_LINES_MAX, `${lines} lines, ${README_LINES_MAX} allowed`);
  assert.match(source, /from "heteromem"/);
  assert.ok(output.length > 0);
});
programs.run();
