/** `heteromem run` refuses bad traces: one line on stderr, exit code 2. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, folder, run } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";
import { refuses } from "./refuses.ts";

const bad = suite("heteromem run, bad input");

const trace = file("program.lackey", PROGRAM.text);

refuses(bad, [
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
]);

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

bad.run();
