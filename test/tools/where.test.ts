/** tools/where.mjs finds the source lines of a trap in the debug core. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("tools: where");

/** The stack of a call into a core that was never booted: its tables lie outside linear memory. */
async function trap(): Promise<string> {
  const { instance } = await WebAssembly.instantiate(readFileSync("build/hmm.debug.wasm"));
  const munmap = instance.exports.munmap as (mm: number, start: number, end: number) => number;
  try {
    munmap(1, 4096, 8192);
  } catch (error) {
    return (error as Error).stack ?? "";
  }
  throw new Error("the call did not trap");
}

function where(args: string[], input = ""): string[] {
  const { status, stdout, stderr } = spawnSync("node", ["tools/where.mjs", ...args], {
    encoding: "utf8",
    input,
  });
  assert.is(status, 0, stderr);
  return stdout.trimEnd().split("\n");
}

test("adds source lines to the frames of a stack trace", async () => {
  const stack = await trap();
  const lines = where([], stack);
  assert.is(lines.length, stack.split("\n").length);
  const frame = lines.find((line) => line.includes("/munmap (")) ?? "";
  const [, module, file, line] = /at ([\w/-]+)\/munmap \(.* ([\w/-]+)\.ts:(\d+)\)$/.exec(frame) ?? [];
  assert.is(file, module, frame);
  const source = readFileSync(`${file}.ts`, "utf8").split("\n");
  const start = source.findIndex((text) => text.startsWith("export function munmap(")) + 1;
  assert.ok(Number(line) > start && Number(line) < start + 10, `${frame}: munmap begins at line ${start}`);
});
test("prints the lines of offsets", async () => {
  const offset = /munmap [^\n]*:(0x[0-9a-f]+)\)/.exec(await trap())?.[1] ?? "";
  const [first] = where([offset]);
  assert.match(first, new RegExp(`^${offset} {2}assembly/core/[\\w/-]+\\.ts:\\d+$`));
});

test.run();
