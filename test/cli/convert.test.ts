/** `heteromem convert` from end to end: what it reads and writes, says and refuses. */
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload } from "../../src/sim/workload/index.ts";
import { Random } from "../../src/engine/random.ts";
import { recordsOf, type PlainRecord } from "../text/reference.ts";
import { zstdFrame } from "../util/hmt-bytes.ts";
import { mixedFile, someRecords } from "../util/hmt-mixed.ts";
import { events, readHmt } from "../util/hmt.ts";
import { file } from "./command.ts";
import { convert, made, path, read } from "./converting.ts";

const SEED = 20261203;
const SAMPLES = new URL("../text/samples/", import.meta.url);

const test = suite("heteromem convert");

test("a workload is written with its kernels and ranges, and has the records of the generator", async () => {
  const spec = "stencil2d:size=256KiB,grain=8";
  const records: PlainRecord[] = [];
  for (const words of openWorkload(spec).blocks())
    for (const record of recordsOf(words)) records.push(record);
  const hmt = made(`workload:${spec}`, "stencil.hmt");
  assert.equal(
    await read(hmt, "hmt"),
    records.filter(({ kind }) => kind < 16),
  );
  const trace = readHmt(readFileSync(hmt));
  assert.is(trace.program, `workload ${spec}`);
  assert.match(trace.recorder, /^heteromem convert \d/);
  assert.equal(
    events(trace).map(({ kind, text: name, address, bytes }) => [kind, name, address, bytes]),
    [
      [18, "a", 2 ** 40, 262088],
      [18, "b", 2 ** 40 + 2 ** 21, 262088],
      [16, "initialize", 0, 0],
      [17, "initialize", 0, 0],
      [16, "stencil2d", 0, 0],
      [17, "stencil2d", 0, 0],
      [16, "stencil2d", 0, 0],
      [17, "stencil2d", 0, 0],
      [16, "read back", 0, 0],
      [17, "read back", 0, 0],
    ].map((event) => (event[0] === 18 ? [...event.slice(0, 3), events(trace)[0].bytes] : event)),
  );
  const again = readHmt(readFileSync(made(hmt, "stencil-again.hmt")));
  assert.equal(events(again), events(trace));
  assert.equal(again.end, trace.end);
});

test("what a format cannot hold is said on stderr", () => {
  const records = someRecords(new Random(SEED), 300);
  const source = file("lossy.hmt", mixedFile(records));
  const accesses = records.filter(({ kind }) => kind !== 11);
  const count = (what: (record: PlainRecord) => boolean): number => accesses.filter(what).length;
  const runs = records.filter(({ kind }) => kind === 11).reduce((sum, { size }) => sum + size, 0);
  const out = path("lossy.din");
  const { stderr } = convert(source, out);
  const threads = new Set(accesses.map(({ thread }) => thread)).size;
  const bytes = readFileSync(out).length;
  assert.equal(
    stderr.trimEnd().split("\n"),
    [
      `no agents: ${count(({ agent }) => agent > 0)} accesses of devices are written like the CPU's`,
      `no threads: those of ${threads} threads are not told apart`,
      `no sizes: ${count(({ size }) => size > 1)} accesses of more than one byte are written without theirs`,
      `no code addresses: ${count(({ id }) => id > 0)} accesses are written without theirs`,
      `no modifies: ${count(({ kind }) => (kind & 3) === 2)} are written as a load and a store each`,
      `no counts of instructions: those of ${runs.toLocaleString("en")} instructions are left out`,
      `no atomic and range accesses: ${count(({ kind }) => kind > 3)} are written as any others`,
    ]
      .map((loss) => `heteromem: ${out}: Dinero has ${loss}`)
      .concat(
        `heteromem: ${out}: 300 accesses, ${bytes.toLocaleString("en")} bytes, ` +
          `${(bytes / 300).toPrecision(3)} each`,
      ),
  );
});

test("a trace that ends early is written as far as it goes, and the exit code is 3", async () => {
  const lines = "0x10000 R\n0x20000 W\n";
  const encode = (source: string): Uint8Array => new TextEncoder().encode(source);
  const many = encode(lines.repeat(9000));
  const frame = Buffer.concat([zstdFrame(many), zstdFrame(many)]);
  const hmt = readFileSync(made(file("whole.trace", lines), "whole.hmt"));
  const cases: [name: string, bytes: Uint8Array, why: RegExp, records: number | null][] = [
    ["cut.trace", encode(`${lines}0x3`), /line 3 is cut off/, 2],
    ["nul.trace", encode(`${lines.repeat(50)}\0\0\0\n`), /line 101: NUL bytes/, 100],
    ["cut.hmt", hmt.subarray(0, hmt.length - 5), /it is cut off after 1 whole block/, 2],
    ["cut.gz", gzipSync(many).subarray(0, -20), /the gzip file ends too early: it is truncated/, null],
    ["cut.zst", frame.subarray(0, frame.length - 1), /the zstd file ends too early: it is truncated/, null],
    [
      "cut.champsim",
      new Uint8Array(150).fill(1, 32, 33).fill(1, 96, 97),
      /instruction 3 is cut off: it has 22 of 64 bytes/,
      2,
    ],
  ];
  for (const [name, bytes, why, records] of cases) {
    const out = path(`${name}.hmt`);
    const { status, stdout, stderr } = convert(file(name, bytes), out, "--quiet");
    assert.is(stdout, "");
    assert.match(stderr, why);
    assert.match(stderr, `; ${out} has what comes before\n`);
    assert.is(status, 3, name);
    const trace = readHmt(readFileSync(out));
    assert.is(trace.end, null, "a trace that is not whole has no end block");
    if (records !== null) assert.is(trace.blocks.flatMap((each) => each.records).length, records);
  }
});

test("what is wrong is one line, exit code 2, and leaves no output", () => {
  const good = file("good.trace", "0x10000 R\n");
  const hmt = readFileSync(made(good, "good.hmt"));
  const damaged = Uint8Array.from(hmt);
  damaged[hmt.length - 40] ^= 1;
  const sample = (name: string): string => new URL(name, SAMPLES).pathname;
  const cases: [string[], RegExp][] = [
    [
      [file("text.txt", "hello\n")],
      /the format of this trace is not recognized; --format says it: hmt, lackey/,
    ],
    [[file("empty.txt", "")], /empty.txt: the file is empty$/],
    [
      [sample("gem5-pktdump.txt")],
      /this is a gem5 packet trace; its addresses are physical; read it by: awk/,
    ],
    [
      [sample("champsim.bin"), "--format", "champsim"],
      /champsim.bin: byte 0: this is no ChampSim instruction/,
    ],
    [[file("wrong.txt", "0x1 R\nhello\n"), "--format", "addr-rw"], /wrong.txt:2: expected 'ADDRESS R\|W/],
    [[file("wrong.lackey", " L 10,8\nhello\n")], /wrong.lackey:2: expected 'I {2}addr,size'/],
    [[file("high.txt", "0xffff800000000000 R\n")], /high.txt: no access in this trace$/],
    [[file("damaged.hmt", damaged)], /damaged.hmt: byte \d+: the block's checksum is wrong/],
    [[good, "--format", "nothing"], /^heteromem: --format nothing: expected hmt, lackey/],
    [[good, "--format", "addr-rw:size=0"], /^heteromem: --format addr-rw:size=0: 'size=0' is no option/],
    [
      [good, "--to", "nothing"],
      /^heteromem: --to nothing: expected hmt, lackey, nvbit, drmemtrace, perf-script, pinatrace, /,
    ],
    [["workload:nothing"], /no workload is named "nothing"/],
    [["workload:gups", "--format", "hmt"], /--format hmt: a workload has no format/],
    [[path("none")], /none: no such file/],
  ];
  for (const [[from, ...flags], message] of cases) {
    const { status, stdout, stderr } = convert(from, path("wrong.hmt"), ...flags);
    assert.equal([status, stdout], [2, ""], from);
    assert.match(stderr.trimEnd(), message);
    assert.is(stderr.trimEnd().split("\n").length, 1);
    assert.not(existsSync(path("wrong.hmt")), from);
  }
  const unnamed = convert(good, path("unnamed"));
  assert.match(
    unnamed.stderr,
    /unnamed: its name ends in none of \.hmt, \.lackey.*; --to says the format: hmt, /,
  );
  assert.match(convert(good, good).stderr, /good.trace: this is the input, which would be lost$/m);
  assert.is(readFileSync(good, "utf8"), "0x10000 R\n");
  assert.match(convert(good, path("no/folder.hmt")).stderr, /no such file/);
});

test("--help tells formats, examples and exit codes", () => {
  const { status, stdout } = convert("--help");
  assert.is(status, 0);
  assert.match(stdout, /heteromem convert \[options\] <in> <out>/);
  assert.match(stdout, /workload:gups:size=64MiB,seed=1 gups\.hmt[^]*Exit codes: 0 done/);
});

test.run();
