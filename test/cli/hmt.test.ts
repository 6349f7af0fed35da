/** `heteromem run` of .hmt traces: the same report as of a text trace with the same accesses. */
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { block, hmtFile, payloadOf, type PlainAccess } from "../util/hmt-bytes.ts";
import { file, heteromem, report, run } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const hmt = suite("run of .hmt traces");

/** The accesses of the text trace as records: the device's where the text says so by its code addresses. */
const ACCESSES: PlainAccess[] = PROGRAM.accesses.map(({ agent, access: [kind, address, size] }) => ({
  address,
  size,
  kind: "LSM".indexOf(kind),
  agent: agent === "cpu" ? 0 : 1,
}));
const BLOCKS = [ACCESSES.slice(0, 400), ACCESSES.slice(400)].map((part) =>
  block(2, payloadOf(part), { records: part.length }),
);
const END = block(3, new Uint8Array(32));
const TRACE = hmtFile(...BLOCKS, END);

hmt("the report is the text trace's, but for what is about lines", () => {
  const text = report(
    file("same.lackey", PROGRAM.text),
    "--offload",
    KERNEL_RANGE,
    "--device-memory",
    "256KiB",
  );
  for (const [name, bytes] of [
    ["same.hmt", TRACE],
    ["same.hmt.gz", gzipSync(TRACE)],
  ] as const) {
    const got = report(file(name, bytes), "--device-memory", "256KiB");
    const figures = ({
      accesses,
      faultsByKind,
      device,
      evictions,
      invalidationsByEvent,
      residency,
    }: typeof got) => ({
      accesses,
      faultsByKind,
      device,
      evictions,
      invalidationsByEvent,
      residency,
    });
    assert.equal(figures(got), figures(text));
    assert.is(got.trace.format, "hmt");
    assert.is(got.trace.lines, 2);
    assert.is(got.trace.accesses, text.trace.accesses);
  }
});

hmt("standard input", () => {
  const { status, stdout, stderr } = heteromem(["run", "-"], TRACE);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^standard input: 2 blocks\n[^]*offloaded +recorded/);
});

hmt("a trace that was cut off is replayed as far as its whole blocks go, and that is said", () => {
  const path = file("cut.hmt", TRACE.subarray(0, TRACE.length - END.length - 5));
  const { status, stdout, stderr } = run(path);
  assert.is(status, 3);
  assert.match(stdout, /: 1 block\n/);
  assert.match(stdout, `: ${path} is cut off after 1 whole block\n`);
  assert.is(stderr, "");
});

hmt("a copy of many pages is one access, which touches them all", () => {
  const copy: PlainAccess[] = [
    { address: 0x100000, size: 4096, kind: 8, agent: 0 },
    { address: 0x200800, size: 4096, kind: 9, agent: 0 },
    { address: 0x300000, size: 65535, kind: 9, agent: 3 },
  ];
  const got = report(file("copy.hmt", hmtFile(block(2, payloadOf(copy), { records: 3 }), END)));
  const none = { loads: 0, stores: 0 };
  const device = { loads: 0, stores: 1, ram: none, peer: none };
  assert.equal(got.accesses, { cpu: { loads: 1, stores: 1 }, device });
  assert.is(got.rss / 4096, 2 + 16); // the page that was only read is the zero page
});

hmt("what is wrong is one line, with the byte", () => {
  const damaged = Uint8Array.from(TRACE);
  damaged[TRACE.length - END.length - 3] ^= 1;
  const path = file("damaged.hmt", damaged);
  const second = 16 + BLOCKS[0].length;
  const cases: [string[], string][] = [
    [[path], `${path}: byte ${second}: the block's checksum is wrong: it is damaged`],
    [[file("empty.hmt", hmtFile(END))], `${file("empty.hmt", hmtFile(END))}: no access in this trace`],
    [
      [file("good.hmt", TRACE), "--offload", "k=0x1-0x2"],
      `--offload k=0x1-0x2: ${file("good.hmt", TRACE)} says itself what the device does; ` +
        "HETEROMEM_DEVICE marks it",
    ],
  ];
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = run(...args);
    assert.is(status, 2);
    assert.is(stdout, "");
    assert.is(stderr, `heteromem: ${message}\n`);
  }
});
hmt.run();
