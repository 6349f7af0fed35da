/** Lines are short enough to read side by side, and blank lines come one at a time. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cSources, sources } from "./sources.ts";

const LENGTH_MAX = 110;

const test = suite("tidy: lines");
test(`no line of code or comment is longer than ${LENGTH_MAX} characters`, () => {
  const long = [...sources, ...cSources].flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, i) => ([...line].length > LENGTH_MAX ? `${file}:${i + 1}: ${[...line].length}` : [])),
  );
  assert.equal(long, []);
});
test("no two blank lines follow each other in assembly/", () => {
  const doubled = sources
    .filter((file) => file.startsWith("assembly/"))
    .flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line, i, lines) =>
          i > 0 && line === "" && lines[i - 1] === "" && i < lines.length - 1 ? `${file}:${i + 1}` : [],
        ),
    );
  assert.equal(doubled, []);
});
test.run();
