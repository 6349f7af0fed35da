/** `heteromem convert` as a process: packed files, pipes, and Ctrl-C. */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zstdFrame } from "../util/hmt-bytes.ts";
import { readHmt } from "../util/hmt.ts";
import { file, heteromem, startHeteromem } from "./command.ts";
import { convert, path } from "./converting.ts";

const test = suite("heteromem convert, pipes");

test("plain, gzip and zstd input; standard input and output", () => {
  const source = new TextEncoder().encode("0x10000 R\n0x20000 W\n");
  const expected = "0 10000\n1 20000\n";
  const two = Buffer.concat([zstdFrame(source.subarray(0, 10)), zstdFrame(source.subarray(10))]);
  for (const bytes of [source, gzipSync(source), zstdFrame(source), two]) {
    const { status, stdout } = convert(file("packed", bytes), "-", "--to", "dinero");
    assert.equal([status, stdout], [0, expected]);
    const piped = heteromem(["convert", "-", "-", "--to", "dinero", "--quiet"], bytes);
    assert.equal([piped.status, piped.stdout], [0, expected]);
  }
});

test("Ctrl-C writes what was read, and the exit code is 130", async () => {
  const out = path("stopped.hmt");
  const child = startHeteromem(["convert", "-", out, "--quiet"]);
  const exit = once(child, "exit");
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.stdin.write("0x10000 R\n".repeat(5000), resolve));
  for (let i = 0; i < 100 && !existsSync(out); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill("SIGINT");
  const [code] = (await exit) as [number];
  assert.is(code, 130);
  assert.match(stderr, /standard input: interrupted; .*stopped.hmt has what comes before\n$/);
  assert.ok(readHmt(readFileSync(out)).blocks[0].records.length > 0);
  child.stdin.destroy();
  const long = startHeteromem(["convert", "workload:gups:size=1GiB,updates=4G", path("long.hmt"), "--quiet"]);
  const end = once(long, "exit");
  await new Promise((resolve) => setTimeout(resolve, 700));
  long.kill("SIGINT");
  assert.equal((await end)[0], 130);
});

test("a reader who has seen enough is no error", async () => {
  const child = startHeteromem(["convert", "workload:gups:updates=1M", "-", "--to", "dinero", "--quiet"]);
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  assert.not.match(stderr, /EPIPE/);
  assert.is(code, 0);
});
test.run();
