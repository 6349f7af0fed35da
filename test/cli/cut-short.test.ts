/** `heteromem run` of traces that end early: a report of what there is, and exit code 3. */
import { readFileSync } from "node:fs";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { file, run } from "./command.ts";
import { PROGRAM } from "./program.ts";

const test = suite("heteromem run, cut short");

const LONG = readFileSync(new URL("../../examples/programs/jacobi.lackey.gz", import.meta.url));
const HALF = LONG.subarray(0, LONG.length >> 1);

/** Returns the number of whole lines in a truncated gzip file. */
const linesOf = (gz: Uint8Array): number =>
  gunzipSync(gz, { finishFlush: constants.Z_SYNC_FLUSH }).toString().split("\n").length - 1;

/** Name, trace, lines that are reported, and why the report ends there: exit code 3. */
const early: [
  what: string,
  content: () => string | Uint8Array,
  lines: number | null,
  reason: string | RegExp,
][] = [
  ["a cut line", () => " L 05000000,8\n S 0500", 1, "line 2 is cut off"],
  ["a cut size", () => " L 05000000,8\n S 05000000,", 1, "line 2 is cut off"],
  ["NUL bytes at the end", () => ` L 05000000,8\n${"\0".repeat(70)}`, 1, /^line 2: NUL bytes/],
  ["many NUL bytes", () => ` L 05000000,8\n${"\0".repeat(300_000)}`, 1, /^line 2: NUL bytes/],
  [
    "an error of valgrind's",
    () => " L 05000000,8\nvalgrind: oh no\n L 1,1\n",
    1,
    /valgrind itself failed: 'val/,
  ],
  ["a truncated gzip file", () => gzipSync(PROGRAM.text).subarray(0, -200), null, /it is truncated$/],
  // The report ends where the text does, whatever the timing is.
  ["half of a long gzip file", () => HALF, linesOf(HALF), /it is truncated$/],
  [
    "a damaged gzip file",
    () => {
      const gz = gzipSync(PROGRAM.text.repeat(50), { level: 1 });
      gz.fill(0xff, gz.length - 300, gz.length - 200);
      return gz;
    },
    null,
    /damaged|truncated|cut off|NUL/,
  ],
];
early.forEach(([what, content, lines, reason]) => {
  test(`${what}: the report so far, and exit code 3`, () => {
    const path = file("early", content());
    const { status, stdout, stderr } = run(path, "--json");
    assert.is(status, 3, stderr);
    assert.is(stderr, "");
    const got = JSON.parse(stdout) as RunReport;
    assert.is(got.partial, true);
    assert.match(got.partialReason!, reason);
    assert.ok(got.trace.accesses > 0);
    if (lines !== null) assert.is(got.trace.lines, lines);
    const text = run(path);
    assert.is(text.status, 3);
    assert.match(text.stdout, /^PARTIAL REPORT, up to line [\d,]+: /);
  });
});

test.run();
