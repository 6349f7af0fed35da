/** Each sample of another tool's trace is read by the format that is recognized, or named with what to do. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FORMATS, parseFormat, recognizeFormat } from "../../src/text/formats.ts";
import { loadText } from "../../src/text/index.ts";
import { recognizeBytes, recognizeText } from "../../src/text/recognize.ts";
import { hmtFile } from "../util/hmt-bytes.ts";
import { recordsOf } from "./reference.ts";

const SAMPLES = new URL("./samples/", import.meta.url);
const text = loadText();
const encode = (source: string): Uint8Array => new TextEncoder().encode(source);

/** The accesses of a file as "R 12345680,1 …", with agent, thread and id if they are not 0. */
async function read(bytes: Uint8Array, name: string): Promise<string> {
  const { format, options } = parseFormat(name);
  const decoder = await format.make(text, options);
  const shown: string[] = [];
  const use = (words: BigUint64Array): void => {
    for (const { address, size, kind, agent, thread, id } of recordsOf(words)) {
      const rest = [agent, thread, id].some((field) => field > 0)
        ? ` ${agent}/${thread}/${id.toString(16)}`
        : "";
      shown.push(
        kind < 16 ? `${"RWM"[kind]} ${address.toString(16)},${size}${rest}` : kind === 16 ? "begin" : "end",
      );
    }
  };
  decoder.feed(bytes, use);
  assert.is(decoder.finish(use), null);
  decoder.close();
  return shown.join("; ");
}

/** What each sample is read as. */
const READ: Record<string, [format: string, accesses: string]> = {
  "cachegrind-ewha.log": ["addr-rw", "W befffacc,4; R 401582c,4"],
  "dinero.din": ["dinero", "R 7fff0010,1; W 7fff0018,1"],
  "dramsys.stl": ["addr-rw", "W 7ffde0689818,1; R 7fec7438ce68,1"],
  "drmemtrace-view.txt": ["drmemtrace", "W 7ffec2c3f8a8,8 0/0/c2d002d6"],
  "l-s.trace": ["addr-rw", "R 1fffff50,1; W 1fffff58,4"],
  "nvbit.txt": ["nvbit", "begin; R 7f8a01800000,4 1/0/0; R 7f8a01800008,4 1/0/0; end"],
  "perf-script.txt": ["perf-script", "R 7f3a2c001040,1"],
  "pin-cachetracer.trace": ["addr-rw", "W 7fff11c4b2c8,8; R 7fff11c4b2c0,8"],
  "pinatrace.out": ["pinatrace", "W 7fff11c4b2c8,1 0/0/7f1234; R 7fff11c4b2c8,1 0/0/7f1238"],
  "ramulator-addr-rw.txt": ["addr-rw", "R 12345680,1; W 4cbd56c0,1"],
  "ramulator2-ld-st.trace": ["addr-rw", "R 229f6f80,1; W da5e700,1"],
  "stratum.txt": ["addr-rw", "R 1ffefff7c0,1; W 1ffefff7c0,1"],
  "ufmg-addr-rw.log": ["addr-rw", "W 785db58,1; R 652d8,1"],
};

/** What the others are called, and what is said to do. */
const NAMED: Record<string, [what: RegExp, advice: RegExp]> = {
  "accelsim.traceg": [/Accel-Sim/, /NVBit's mem_trace/],
  "addr-only.txt": [/addresses without kinds/, /sed 's\/\^\/R \/' FILE \| heteromem run --format addr-rw -/],
  "champsim.bin": [/^binary, maybe a ChampSim trace$/, /--format champsim/],
  "gem5-exec.txt": [/gem5 Exec/, /sed -nE .* FILE \| heteromem run --format addr-rw -/],
  "gem5-mem.txt": [/gem5 memory/, /physical; .*sed -nE/],
  "gem5-pktdump.txt": [/gem5 packet/, /physical; .*awk .*addr-rw:decimal/],
  "hmm-eval-fault.log": [/HMM or UVM faults/, /record the program/],
  "nsys.json": [/^JSON$/, /no JSON/],
  "pagefaultsnoop.txt": [/pagefaultsnoop/, /awk .*--format addr-rw/],
  "ramulator2-rw-decimal.trace": [/Ramulator 2 trace with decimal/, /--format addr-rw:decimal/],
  "trace-valgrind-tool.txt": [/valgrind tool other than lackey/, /--tool=lackey/],
  "uvm-fault.csv": [/NVIDIA driver's UVM faults/, /all accesses/],
};

const test = suite("formats");

for (const name of readdirSync(SAMPLES).filter((name) => name !== "README.md")) {
  test(`the sample ${name} is read, or named`, async () => {
    const bytes = readFileSync(new URL(name, SAMPLES));
    const found = recognizeFormat(bytes);
    if (name in READ) {
      assert.is(found?.name, READ[name][0]);
      assert.is(await read(bytes, READ[name][0]), READ[name][1]);
      return;
    }
    assert.is(found, null);
    const named = recognizeBytes(bytes) ?? recognizeText(new TextDecoder("latin1").decode(bytes));
    assert.match(named?.what ?? "", NAMED[name][0]);
    assert.match(named?.advice ?? "", NAMED[name][1]);
  });
}

test("decimal addresses are read when that is said", async () => {
  const bytes = readFileSync(new URL("ramulator2-rw-decimal.trace", SAMPLES));
  const address = (140189629292038).toString(16);
  assert.is(await read(bytes, "addr-rw:decimal,size=64"), `R ${address},64; W ${address},64`);
});

test("lackey, .hmt and ChampSim are recognized by their content, and other files are not", () => {
  const champsim = new Uint8Array(128);
  champsim[0] = 1;
  champsim[64] = 1;
  champsim[72] = 1;
  const cases: [Uint8Array, string | null][] = [
    [hmtFile(), "hmt"],
    [encode("==1== Lackey\nI  00401000,3\n L 10,8\n"), "lackey"],
    [encode(" L 10,8\n0x10 R\n"), "lackey"],
    [champsim, "champsim"],
    [Uint8Array.from(champsim).fill(2, 72, 73), null],
    [encode("hello\nworld\n"), null],
    [encode("0x10 R\nhello\n"), null],
    [encode("0x10 R\n0x20 W\n0x3"), "addr-rw"],
    [encode("the program prints\nMEMTRACE: CTX 0x1 - LAUNCH - Kernel\n"), "nvbit"],
    [new Uint8Array(), null],
    [encode("\n# only a comment\n"), null],
  ];
  for (const [head, name] of cases) assert.is(recognizeFormat(head)?.name ?? null, name);
});

test("--format names a format and its options", () => {
  assert.equal(parseFormat("addr-rw:decimal,size=8").options, { decimal: true, size: 8 });
  assert.is(parseFormat("hmt").format, FORMATS[0]);
  const wrong: [string, RegExp][] = [
    ["nothing", /^nothing: expected hmt, lackey, nvbit, /],
    ["hmt:size=3", /'size=3' is no option of hmt; it has no options$/],
    ["addr-rw:", /'' is no option of addr-rw; it has decimal, size=1 … size=65535$/],
    ["dinero:decimal", /'decimal' is no option of dinero/],
    ["addr-rw:size=0", /'size=0' is no option/],
    ["addr-rw:size=99999", /'size=99999' is no option/],
    ["addr-rw:decimal=3", /'decimal=3' is no option/],
    ["addr-rw:size", /'size' is no option/],
  ];
  for (const [value, message] of wrong) assert.throws(() => parseFormat(value), message);
});

test("a wrong format is an error with its place", async () => {
  const { format } = parseFormat("lackey");
  const decoder = await format.make(text, { file: "file" });
  assert.throws(() => decoder.feed(encode("0x10 R\n"), () => {}), /^file:1: expected 'I {2}addr,size'/);
  decoder.close();
});
test.run();
