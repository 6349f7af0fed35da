/** Files that are no lackey traces are named, by their first bytes or lines. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { recognizeBytes, recognizeText } from "../../src/text/recognize.ts";

const test = suite("recognize");
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

const bytes: [head: string, what: RegExp, advice: RegExp][] = [
  ["\xfd7zXZ\0\0\x04", /^xz-compressed$/, /xz -dc FILE \| heteromem run -/],
  ["BZh91AY&SY", /^bzip2/, /bzip2 -dc/],
  ["\x28\xb5\x2f\xfd\x04", /^zstd/, /zstd -dc/],
  ["\x04\x22\x4d\x18", /^lz4/, /lz4 -dc/],
  ["\x1f\x8b\x08", /twice/, /gzip -dc/],
  ["PK\x03\x04", /zip archive/, /unzip -p/],
  ["a.lackey".padEnd(257, "\0") + "ustar", /tar archive/, /tar -xOf/],
  ["\xff\xfe \0L\0", /UTF-16/, /iconv/],
  [[..." L 10,8\n"].map((char) => `${char}\0`).join(""), /UTF-16/, /iconv/],
  ["\x7fELF\x02\x01\x01", /an ELF program/, /valgrind/],
  ["\x89PNG\r\n\x1a\n", /PNG/, /not a trace/],
  ["PERFILE2", /perf\.data/, /samples/],
  [`\x90\xe4\x9d\x01${"\x07\x02".repeat(30)}`, /^binary, maybe a ChampSim/, /text/],
  ["\x01\x02\x03", /^binary$/, /text/],
];
for (const [head, what, advice] of bytes) {
  test(`bytes ${JSON.stringify(head.slice(0, 8))}`, () => {
    const found = recognizeBytes(latin1(head));
    assert.match(found!.what, what);
    assert.match(found!.advice, advice);
  });
}

const lines: [line: string, what: RegExp][] = [
  ["0070 ffffffff 1 R2 LDG.E.SYS 1 R2 4 1 0x7f4e2b800000 4", /Accel-Sim/],
  ["0x00000004", /list of addresses/],
  ["readi 0x04000BE0 2", /Cachegrind/],
  ["0 7fff0010", /Dinero/],
  ["0:\tWrite\t0x7ffde0689818", /DRAMSys/],
  ["           5           1:     1234567 ifetch       4 byte(s) @ 0x00007f59c2d002d3 48", /drmemtrace/],
  ["1000: system.cpu: T0 : 0x400148 @_start : mov r12, rsp : IntAlu : A=0x7fffffe0", /gem5 Exec/],
  ["  77000: system.mem_ctrls: Read of size 64 on address 0x1234c0 data", /gem5 memory/],
  ["r,20,64,5000", /gem5 packet/],
  ["[  123.457] fault,140399885320192,4096,0", /HMM or UVM faults/],
  ["l 0x1fffff50 1", /l\|s ADDRESS/],
  ['{"traceEvents":[]}', /JSON/],
  ["MEMTRACE: CTX 0x000055d0c0 - grid_launch_id 0 - CTA 0,0,0 - warp 0 - LDG.E - 0x7f8a01800000", /NVBit/],
  ["16:42:32 2467    prog             WRITE ...W.....R....  0x007f6157f86000", /pagefaultsnoop/],
  ["  prog 1234 12.345: 1 cpu/mem-loads,ldlat=30/P: 7f3a2c001040 |OP LOAD|", /perf script/],
  ["0 w 0x7fff11c4b2c8 8", /Pin cache/],
  ["0x7f1234: W 0x7fff11c4b2c8", /pinatrace/],
  ["0x12345680 R", /ADDRESS R\|W/],
  ["0785db58 W", /ADDRESS R\|W/],
  ["LD 0x229f6f80", /Ramulator 2 load-store/],
  ["R 140189629292038,140189629292038", /Ramulator 2 trace with decimal/],
  ["# Type  Addr\nL       0x1FFEFFF7C0", /L\|S ADDRESS/],
  ["I10R800:8", /valgrind tool other than lackey/],
  ["4,34763351536,2567418458442,-;s,$", /NVIDIA driver/],
  ["<!DOCTYPE html>", /HTML/],
];
for (const [line, what] of lines) {
  test(`lines ${line.slice(0, 30)}`, () => {
    assert.is(recognizeBytes(latin1(`${line}\n`)), null);
    assert.match(recognizeText(`\n${line}\r\n`)!.what, what);
  });
}

test("a lackey trace and a text that says nothing are not named", () => {
  for (const text of ["==1== Lackey\nI  00401000,3\n L 10,8\n", "hello\nworld\n", ""]) {
    assert.is(recognizeBytes(latin1(text)), null);
    assert.is(recognizeText(text), null);
  }
});
test.run();
