/**
 * Wrong usage and bad input: one line on stderr, exit code 2. Traces that end early: a report, exit code 3.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { file, folder, run, startHeteromem } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const bad = suite("heteromem run, bad input");

const trace = file("program.lackey", PROGRAM.text);

const LONG = readFileSync(new URL("../../examples/programs/jacobi.lackey.gz", import.meta.url));
const HALF = LONG.subarray(0, LONG.length >> 1);

/** Returns the number of whole lines in a truncated gzip file. */
const linesOf = (gz: Uint8Array): number =>
  gunzipSync(gz, { finishFlush: constants.Z_SYNC_FLUSH }).toString().split("\n").length - 1;

/** Name, arguments, and the one line on stderr. */
const wrong: [what: string, args: () => string[], says: string | RegExp][] = [
  ["a missing file", () => [join(folder, "nothing.gz")], /^heteromem: .*nothing\.gz: no such file$/],
  ["a directory", () => [folder], /this is a directory$/],
  ["an empty file", () => [file("empty", "")], /empty:1: the trace is empty$/],
  [
    "a trace without accesses",
    () => [file("none", "==1== Lackey\nI  00401000,3\n")],
    /none:2: 1 instruction, and no load or store: were the lines with L, S and M filtered out\?$/,
  ],
  [
    "a trace of messages alone",
    () => [file("messages", "==1== Lackey\n")],
    /messages:1: no load or store in this trace: was it recorded with --trace-mem=yes\?$/,
  ],
  [
    "a malformed line",
    () => [file("bad", " L 05000000,8\nhello\n")],
    /bad:2: expected .* found 'hello'; .*--log-file=FILE, or skip such lines by --skip-foreign$/,
  ],
  ["a malformed last line, and nothing before", () => [file("cut", " S 0500")], /cut:1: expected/],
  ["a malformed size", () => [file("size", " L 05000000,x\n")], /size:1: expected a size/],
  [
    "a gzip file that is cut off in its first bytes",
    () => [file("short.gz", gzipSync(PROGRAM.text).subarray(0, 12))],
    /short\.gz:1: the gzip file ends too early: it is truncated$/,
  ],
  [
    "a range that matches nothing",
    () => [trace, "--offload", KERNEL_RANGE, "--offload", "typo=0x999000-0x999100"],
    /--offload typo=0x999000-.* no instruction of .*program.lackey is in the range typo .*at 0x401000-.*PIE/,
  ],
  [
    "a range of a file that matches nothing",
    () => [trace, "--offload", `@${file("typo", `${KERNEL_RANGE}\n\ntypo=0x999000-0x999100\n`)}`],
    /typo:3: no instruction/,
  ],
  [
    "a malformed range",
    () => [trace, "--offload", "0x10"],
    /--offload 0x10: expected \[NAME=\]0xSTART-0xEND/,
  ],
  ["a missing offload file", () => [trace, "--offload", "@nowhere"], /nowhere: no such file/],
  ["a bad size", () => [trace, "--device-memory", "lots"], /--device-memory lots: expected a size/],
  [
    "too little device memory",
    () => [trace, "--device-memory", "4KiB"],
    /--device-memory 4KiB: expected at least 64KiB/,
  ],
  [
    "too little system memory",
    () => [trace, "--system-memory", "4KiB"],
    /--system-memory 4KiB: expected at least 64KiB/,
  ],
  [
    "more memory than an engine can have",
    () => [trace, "--system-memory", "64GiB"],
    /^heteromem: --system-memory and --device-memory: .*--backing metadata/,
  ],
  [
    "system memory that the trace outgrows",
    () => [trace, "--system-memory", "64KiB"],
    /program\.lackey:29: --system-memory 64KiB is too small for this trace: no page is left for 0x500c000/,
  ],
  ["an unknown policy", () => [trace, "--policy", "both"], /--policy both: expected migrate or mirror/],
  ["an unknown placement", () => [trace, "--placement", "x"], /--placement x: expected migrate or mirror/],
  [
    "a placement and a policy",
    () => [trace, "--placement", "mirror", "--policy", "mirror"],
    /--policy is another name of --placement: give one of them/,
  ],
  [
    "an unknown memory model",
    () => [trace, "--memory-model", "shared"],
    /--memory-model shared: expected hmm or managed/,
  ],
  [
    "an option of managed memory without it",
    () => [trace, "--schedules", "2"],
    /--schedules 2: expected memoryModel managed, which has it/,
  ],
  [
    "an advice that does not exist",
    () => [trace, "--memory-model", "managed", "--advise", "a=b"],
    /--advise a=b: expected NAME=ADVICE, with read-mostly, preferred-cpu/,
  ],
  ["a region without an end", () => [trace, "--roi", "5"], /--roi 5: expected FROM-TO, two numbers/],
  ["a region that ends first", () => [trace, "--roi", "7-7"], /--roi 7-7: expected FROM-TO/],
  ["an epoch of nothing", () => [trace, "--epoch", "0"], /--epoch 0: expected a whole number of accesses/],
  [
    "accesses to skip that are none",
    () => [trace, "--skip", "-1"],
    /--skip -1: expected a whole number from 0/,
  ],
  [
    "an unknown agent",
    () => [trace, "--agent", "gpu"],
    /--agent gpu: expected trace, cpu, device or threads:LIST/,
  ],
  [
    "threads that are none",
    () => [trace, "--agent", "threads:3-1"],
    /--agent threads:3-1: expected threads from/,
  ],
  [
    "a device range that is none",
    () => [trace, "--device-range", "5"],
    /--device-range 5: expected \[NAME=\]/,
  ],
  [
    "ranges that overlap",
    () => [trace, "--range", "a=0x1000-0x3000", "--range", "b=0x2000-0x4000"],
    /--range b: expected a range that does not overlap a/,
  ],
  [
    "a workload and a trace",
    () => [trace, "--workload", "add"],
    /expected a trace or --workload, and not both/,
  ],
  ["an unknown workload", () => ["--workload", "x"], /--workload x: no workload is named "x"; there are add/],
  ["a config that does not exist", () => ["--config", "nowhere"], /nowhere: no such file/],
  ["a config that is no JSON", () => ["--config", file("text.json", "{")], /text\.json: this is no JSON: /],
  [
    "a config with a field that does not exist",
    () => ["--config", file("field.json", '{"trace":"x","policy":"mirror"}')],
    /field\.json: the config must not have the field policy/,
  ],
  [
    "a config with a value of another type",
    () => [trace, "--config", file("type.json", '{"skip":"many"}')],
    /type\.json: skip must be integer/,
  ],
  [
    "a config with a value that cannot be",
    () => [trace, "--config", file("size.json", '{"deviceMemory":"lots"}')],
    /size\.json: deviceMemory lots: expected a size/,
  ],
  ["an unknown backing", () => [trace, "--backing", "none"], /--backing none: expected data or metadata/],
  ["an unknown option", () => [trace, "--jsn"], /unknown option '--jsn'/],
  ["a missing argument", () => [], /expected a trace or --workload, and not both/],
  ["two traces", () => [trace, trace], /too many arguments/],
];
wrong.forEach(([what, args, says], i) => {
  const flags = i % 2 === 0 ? [] : ["--json"]; // the same error with and without --json
  bad(`${what} is one line on stderr`, () => {
    const { status, stdout, stderr } = run(...args(), ...flags);
    assert.is(status, 2, stderr);
    assert.is(stdout, "");
    assert.is(stderr.split("\n").length, 2, stderr);
    assert.match(stderr.trimEnd(), says);
    assert.ok(stderr.startsWith("heteromem: "), stderr);
  });
});

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
  bad(`${what}: the report so far, and exit code 3`, () => {
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

bad("a line that two chunks share is named by its number", () => {
  const stores = Array.from(
    { length: 40 },
    (_, i) => ` S ${(0x5000000 + i * 4096).toString(16).padStart(8, "0")},8\n`,
  );
  const stopsAt = 12; // with 64 KiB of memory, of which page tables take 16 KiB
  const line = stores[stopsAt].length;
  const before = 2 ** 20 - stopsAt * line;
  for (const share of [0, 1, 7, line - 1]) {
    const comment = "==1== ".padEnd(((before - share) % 14) + 13, "x");
    const instructions = "I  00401000,3\n".repeat((before - share - comment.length - 1) / 14);
    const text = `${comment}\n${instructions}${stores.join("")}`;
    const number = text.slice(0, 2 ** 20 - share).split("\n").length;
    for (const content of [text, gzipSync(text)]) {
      const { stderr } = run(file("shared", content), "--system-memory", "64KiB");
      assert.match(
        stderr,
        `shared:${number}: --system-memory 64KiB is too small for this trace: no page is left for 0x500c000`,
      );
    }
  }
});

bad("an error ends the command although the pipe that it reads stays open", async () => {
  const child = startHeteromem(["run", "-", "--system-memory", "64GiB"]);
  child.stdin.on("error", () => {}); // the command closes the pipe early
  child.stdin.write("I  00401000,3\n");
  const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(late);
  child.stdin.destroy();
  assert.is(code, 2);
});

bad.run();
