/** The decoder of lackey traces: records, counts, errors, and chunks cut anywhere. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LackeyDecoder, type LackeyStats, type OffloadRange, TraceError } from "../../src/text/lackey.ts";
import { codesOf, decode, encode, shown, text } from "./decode.ts";

function errorOf(source: string): TraceError {
  try {
    decode(source);
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error("no TraceError");
}

const TRACE = `==4242== Lackey, an example Valgrind tool
==4242== Command: ./a.out
==4242== 
I  04001000,3
 L 1ffeffe7e0,8
I  04001003,5
 S 1ffeffe7d8,8
 M 0421fe30,4
I  0400f00d,10
 L 04222cac,16
 S 04222cac,32
 L ffffffffff600400,8
 S 7fffffffffff,1
--4242-- a message
==4242== Exit code: 0
`;
const RECORDS = [
  "cpu L 1ffeffe7e0,8",
  "cpu S 1ffeffe7d8,8",
  "cpu M 421fe30,4",
  "cpu L 4222cac,16",
  "cpu S 4222cac,32",
  "cpu S 7fffffffffff,1",
];
const STATS: LackeyStats = {
  lines: 15,
  instructions: 3,
  loads: 2,
  stores: 3,
  modifies: 1,
  device: 0,
  kernelSkipped: 1,
  comments: 5,
  superblocks: 0,
  foreign: 0,
  otherPid: 0,
  processes: [4242],
  currentPid: 4242,
  calls: null,
  switches: 0,
  missed: 0,
  stacks: 0,
  waiting: false,
  offload: [],
};

const lines = suite("lackey: lines");
lines("gives a record for each access and counts the rest", () => {
  const { records, stats } = decode(TRACE);
  assert.equal(records, RECORDS);
  assert.equal(stats, STATS);
});
lines("gives the same wherever the bytes are split", () => {
  const length = encode(TRACE).length;
  for (let cut = 0; cut <= length; cut++) {
    assert.equal(decode(TRACE, [], [cut]), { records: RECORDS, stats: STATS }, `cut at ${cut}`);
  }
  const everywhere = Array.from({ length: length - 1 }, (_, i) => i + 1);
  assert.equal(decode(TRACE, [], everywhere), { records: RECORDS, stats: STATS });
});
lines("takes CRLF, blank lines, capitals, and a last line without a newline", () => {
  const { records, stats } = decode("\r\n L 0ABCDEF0,8\r\n\n  \nI  04,16\r\n S abc,64\r\n M fF,4");
  assert.equal(records, ["cpu L abcdef0,8", "cpu S abc,64", "cpu M ff,4"]);
  assert.is(stats.lines, 7);
});
lines("takes chunks larger than its input", () => {
  const count = 60_000;
  const source = Array.from({ length: count }, (_, i) => ` L ${(0x1000_0000 + i).toString(16)},8\n`).join("");
  const { records, stats } = decode(source);
  assert.is(records.length, count);
  assert.is(records[count - 1], `cpu L ${(0x1000_0000 + count - 1).toString(16)},8`);
  assert.is(stats.loads, count);
});
lines("takes addresses of 1 to 16 digits", () => {
  const digits = "7fedcba98765";
  const some = Array.from({ length: digits.length }, (_, i) => digits.slice(-i - 1).replace(/^[89a-f]/, "7"));
  const { records } = decode(
    some.map((address) => ` S ${address},1\n S ${address.padStart(16, "0")},1\n`).join(""),
  );
  assert.equal(
    records,
    some.flatMap((address) => [`cpu S ${address},1`, `cpu S ${address},1`]),
  );
});
lines("keeps sizes below 64 KiB, and splits longer accesses at page bounds", () => {
  const sizes = [255, 464, 4095, 4096, 8176, 65535];
  assert.equal(
    decode(sizes.map((size) => ` S 10,${size}\n`).join("")).records,
    sizes.map((size) => `cpu S 10,${size}`),
  );
  assert.equal(decode(" L fff,65536\n M 1000,65536\n S 1fff,122881\n").records, [
    "cpu L fff,61441",
    "cpu L 10000,4095",
    "cpu M 1000,61440",
    "cpu M 10000,4096",
    "cpu S 1fff,61441",
    "cpu S 11000,61440",
  ]);
  const { records, stats } = decode(" S 10,16773120\n");
  assert.equal([records[0], records.at(-1)], ["cpu S 10,65520", "cpu S ff1000,57360"]);
  assert.equal([records.length, stats.stores, stats.lines], [273, 273, 1]);
});
lines("pauses where long accesses fill the output, and goes on", () => {
  const count = 400;
  const source = Array.from({ length: count }, (_, i) => ` L 10,16773120\n S ${i + 1},8\n`).join("");
  for (const cuts of [[], [1000, 1013, 5000]]) {
    const { records, stats } = decode(source, [], cuts);
    assert.equal([records.length, stats.loads, stats.stores], [count * 274, count * 273, count]);
    assert.is(records.at(-1), "cpu S 400,8");
    assert.is(stats.lines, 2 * count);
  }
});
lines("a record has the low half of its instruction's address", () => {
  const decoder = new LackeyDecoder(text);
  const source = " L 10,4\nI  00401000,3\n L 20,4\n S 30,500\nI  7fff00401005,16\n M 30,4\n";
  assert.equal(codesOf(decoder.push(encode(source))), [0, 0x401000, 0x401000, 0x401005]);
  decoder.close();
});
lines(
  "takes the forms that tools and hands give: no indent, one blank, trailing blanks, a byte order mark",
  () => {
    const source = "\ufeffI 401000,3\nL 10,4\n S 20,4 \n\tM  30,4\t\r\nI\t401003,2  \n   L 40,4\n";
    const { records, stats } = decode(source);
    assert.equal(records, ["cpu L 10,4", "cpu S 20,4", "cpu M 30,4", "cpu L 40,4"]);
    assert.equal([stats.instructions, stats.lines], [2, 6]);
  },
);
lines("counts superblocks, which give no record", () => {
  const { records, stats } = decode("SB 00401000\nI  00401000,3\n L 10,4\nSB 00401003\n");
  assert.equal([records, stats.superblocks, stats.lines], [["cpu L 10,4"], 2, 4]);
});
lines("skips lines that are no trace's if it is told to", () => {
  const source = " L 10,4\nhello\nwait...I  00401000,3\n L 10\n L 10,0\n\0\0\nvalgrind: oh\n S 20,4\n";
  const { records, stats } = decode(source, [], [], { skipForeign: true });
  assert.equal([records, stats.foreign, stats.lines], [["cpu L 10,4", "cpu S 20,4"], 6, 8]);
  const long = `${"x".repeat(300_000)}\n L 10,4\n`;
  assert.is(decode(long, [], [], { skipForeign: true }).stats.foreign, 1);
});
lines("names the processes, and decodes one of them", () => {
  const source = "==7== a\n L 10,4\n==8== b\n S 20,4\n--8-- c\n S 28,4\n**7** d\n L 30,4\n==7= e\n==9x== f\n";
  const all = decode(source);
  assert.equal(all.records, ["cpu L 10,4", "cpu S 20,4", "cpu S 28,4", "cpu L 30,4"]);
  assert.equal([all.stats.processes, all.stats.otherPid], [[7, 8], 0]);
  const one = decode(source, [], [], { pid: 8 });
  assert.equal([one.records, one.stats.otherPid], [["cpu S 20,4", "cpu S 28,4"], 2]);
  assert.equal(decode(source, [], [], { pid: 5 }).records, []);
  assert.equal(decode(" L 10,4\n==8== b\n", [], [], { pid: 7, currentPid: 7 }).records, ["cpu L 10,4"]);
});
lines("skips the kernel's half and counts it", () => {
  const { records, stats } = decode(" L 7fffffffffff,1\n L 800000000000,1\n S ffffffffffffffff,8\n");
  assert.equal(records, ["cpu L 7fffffffffff,1"]);
  assert.is(stats.kernelSkipped, 2);
});
lines("drops a comment that is longer than any access, split over chunks", () => {
  const source = `==1== ${"x".repeat(5000)}\n L 10,4\n`;
  const cuts = Array.from({ length: Math.floor(source.length / 1100) }, (_, i) => (i + 1) * 1100);
  for (const at of [[], cuts]) {
    const { records, stats } = decode(source, [], at);
    assert.equal(records, ["cpu L 10,4"]);
    assert.equal([stats.lines, stats.comments], [2, 1]);
  }
});
lines("several decoders share a text module", () => {
  const one = new LackeyDecoder(text);
  const other = new LackeyDecoder(text);
  assert.is(one.push(encode(" L 10,4\n L 2")).length, 2);
  assert.is(other.push(encode(" S 30,4\n")).length, 2);
  assert.equal(shown(one.push(encode("0,4\n"))), ["cpu L 20,4"]);
  assert.is(one.end().lines, 2);
  assert.is(other.end().lines, 1);
  assert.throws(() => one.push(encode("\n")), /closed/);
});
lines.run();

const errors = suite("lackey: errors");
const faulty: [line: string, reason: RegExp][] = [
  ["hello", /expected 'I {2}addr,size' or ' L\|S\|M addr,size', found 'hello'/],
  ["L10,4", /expected 'I/],
  [" X 10,4", /expected 'I/],
  ["i 10,4", /expected 'I/],
  ["SBx", /expected 'I/],
  ["=5== text", /expected 'I/],
  [" L ,4", /hexadecimal address/],
  [" L 1g,4", /hexadecimal address/],
  [" L 10", /hexadecimal address/],
  [" L 12345678123456789,4", /16 digits/],
  [" L 10,", /expected a size/],
  [" L 10,x", /expected a size/],
  [" L 10,0", /expected a size/],
  [" L 10,-4", /expected a size/],
  [" L 10,4 5", /expected a size/],
  [" L 10,4x", /expected a size/],
  [" L 10,16773121", /expected a size below 16 MiB/],
  [" S 10,4294967297", /expected a size below 16 MiB/],
  ["\0\0\0", /NUL bytes: the file was not written to its end/],
  ["valgrind: the 'impossible' happened:", /valgrind itself failed: 'valgrind: the/],
  ["I  10,", /expected a size/],
  [`\u0007${"y".repeat(100)}`, /found '\?y{60}…'/],
  ["z".repeat(300_000), /too long, it starts 'z{61}…'/],
];
for (const [line, reason] of faulty) {
  errors(JSON.stringify(line.slice(0, 30)), () => {
    const error = errorOf(` L 10,4\n\n==1== a\n${line}\n L 20,4\n`);
    assert.is(error.line, 4);
    assert.match(error.reason, reason);
    assert.match(error.message, /^trace:4: /);
  });
}
errors("names the file, and stays an error", () => {
  const decoder = new LackeyDecoder(text, { file: "a.lackey" });
  const failing = (): unknown => decoder.push(encode("what\n"));
  assert.throws(failing, /^a\.lackey:1: expected/);
  assert.throws(failing, /^a\.lackey:1: expected/);
  decoder.close();
  decoder.close();
});
errors("the records before a wrong line come first", () => {
  const decoder = new LackeyDecoder(text);
  const records: string[] = [];
  const use = (batch: BigUint64Array): void => void records.push(...shown(batch));
  assert.throws(() => decoder.feed(encode(" L 10,4\n S 20,4\nwhat\n L 30,4\n"), use), /^trace:3: /);
  assert.equal(records, ["cpu L 10,4", "cpu S 20,4"]);
  assert.is(decoder.stats().lines, 2);
  decoder.close();
});
errors("an incomplete last line is checked, too", () => assert.is(errorOf(" L 10,4\n L 10,").line, 2));
errors("refuses ranges that make no sense", () => {
  const open = (...offload: OffloadRange[]): LackeyDecoder => new LackeyDecoder(text, { offload });
  assert.throws(() => open({ name: "f", start: 16, end: 16 }), /offload range f is empty/);
  assert.throws(() => open({ name: "f", start: -1, end: 16 }), RangeError);
  assert.throws(() => open({ name: "f", start: 0, end: 2 ** 49 }), RangeError);
  assert.throws(
    () => open({ name: "f", start: 0, end: 16 }, { name: "g", start: 8, end: 20 }),
    /f and g overlap/,
  );
});
errors.run();
