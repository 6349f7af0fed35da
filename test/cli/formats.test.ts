/** `heteromem run` of traces that other tools wrote: recognized, or named by --format. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zstdFrame } from "../util/hmt-bytes.ts";
import { mixedFile } from "../util/hmt-mixed.ts";
import { file, report, run } from "./command.ts";

const SAMPLES = new URL("../text/samples/", import.meta.url);
const sample = (name: string): string => new URL(name, SAMPLES).pathname;

const test = suite("run of other formats");

/** What is replayed of the samples: format, loads and stores of the CPU, of the device. */
const READ: [name: string, flags: string[], expected: unknown[]][] = [
  ["ramulator-addr-rw.txt", [], ["addr-rw", 1, 1, 0, 0]],
  ["ramulator2-rw-decimal.trace", ["--format", "addr-rw:decimal"], ["addr-rw", 1, 1, 0, 0]],
  ["dinero.din", [], ["dinero", 1, 1, 0, 0]],
  ["pinatrace.out", ["--agent", "device"], ["pinatrace", 0, 0, 1, 1]],
  ["drmemtrace-view.txt", [], ["drmemtrace", 0, 1, 0, 0]],
  ["perf-script.txt", [], ["perf-script", 1, 0, 0, 0]],
  ["nvbit.txt", [], ["nvbit", 0, 0, 2, 0]],
];
for (const [name, flags, expected] of READ) {
  test(`the sample ${name}`, () => {
    const { trace, accesses, partial } = report(sample(name), ...flags);
    const { cpu, device } = accesses;
    assert.equal([trace.format, cpu.loads, cpu.stores, device.loads, device.stores], expected);
    assert.is(partial, false);
  });
}

test("a grid of NVBit's is a kernel of the report", () => {
  const { kernels } = report(sample("nvbit.txt"), "--epoch", "kernel");
  assert.equal(
    kernels?.map(({ name }) => name),
    ["grid 0"],
  );
});

test("--devices: threads of a trace on two devices, and a trace that names a device too many", () => {
  const lines = ["0 w 0x5000000", "1 w 0x5000000", "2 r 0x5100000", "2 r 0x5100008"];
  const trace = file("threads.trace", `${lines.join("\n")}\n`);
  const flags = ["--devices", "2", "--agent", "threads:0-1,2@2"];
  const { accesses, devices } = report(trace, ...flags);
  assert.equal([accesses.cpu.loads + accesses.cpu.stores, devices.length], [0, 2]);
  assert.equal(
    devices.map((one) => [one.name, one.accesses, one.faults, one.residency]),
    [
      ["device 1", { loads: 0, stores: 2 }, 1, 65536],
      ["device 2", { loads: 2, stores: 0 }, 1, 65536],
    ],
  );
  const { stdout } = run(trace, ...flags);
  assert.match(stdout, /device memory +256 MiB {2}on each of 2 devices\n/);
  assert.match(stdout, /\nDevices +accesses +faults .*\n {2}device 1 +2 +1 +64 KiB .*\n {2}device 2 +2 +1 /);
  const record = { address: 0x5000000, size: 8, kind: 0, agent: 3, thread: 0, id: 0 };
  const third = file("third.hmt", mixedFile([record]));
  assert.is(report(third).devices[0].accesses.loads, 1);
  assert.is(
    run(third, "--devices", "2").stderr,
    `heteromem: ${third}: block 1: --devices 2: record 0 names agent 3: expected 0 to 2\n`,
  );
  const wrong = run(trace, "--devices", "9");
  assert.equal([wrong.status, wrong.stdout], [2, ""]);
  assert.is(wrong.stderr, "heteromem: --devices 9: expected a whole number from 1 to 7\n");
});

test("gzip and zstd; a trace that ends early is partial", () => {
  const text = new TextEncoder().encode("0x100000 R\n0x200000 W\n0x300000 W\n");
  for (const bytes of [text, gzipSync(text), zstdFrame(text)])
    assert.is(report(file("packed", bytes)).trace.accesses, 3);
  const { status, stdout } = run(file("cut", text.subarray(0, -5)), "--quiet", "--json");
  const cut = JSON.parse(stdout) as { partialReason: string; trace: { accesses: number } };
  assert.equal([status, cut.partialReason, cut.trace.accesses], [3, "line 3 is cut off", 2]);
});

test("what is wrong is one line, and says what to do", () => {
  const good = sample("ramulator-addr-rw.txt");
  const cases: [string[], RegExp][] = [
    [
      [good, "--offload", "k=0x1-0x2"],
      /: .* is a trace of lines with an address and R or W, which does not have/,
    ],
    [[good, "--pid", "3"], /^heteromem: --pid: .* is no trace of lackey$/],
    [[good, "--skip-foreign"], /^heteromem: --skip-foreign: .* is no trace of lackey$/],
    [[good, "--format", "nothing"], /^heteromem: --format nothing: expected hmt, lackey/],
    [[good, "--format", "dinero"], /:1: expected a label from 0 to 4 and an address, found '0x12345680 R'$/],
    [[sample("ramulator2-rw-decimal.trace"), "--format", "addr-rw"], /all 2 accesses are at 2\^47 or above/],
    [
      [sample("ramulator2-rw-decimal.trace")],
      /this is a Ramulator 2 trace with decimal addresses; read it by --format/,
    ],
    [[sample("accelsim.traceg")], /this is an Accel-Sim trace/],
    [[file("fetches", "2 1000\n")], /no access in this trace$/],
  ];
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = run(...args);
    assert.equal([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr.trimEnd(), message);
    assert.is(stderr.trimEnd().split("\n").length, 1);
  }
});

test("--help names --format", () => {
  assert.match(run("--help").stdout, /--format <NAME\[:OPTION,…\]>/);
  assert.ok(readFileSync("schema/config.schema.json", "utf8").includes('"format"'));
});
test.run();
