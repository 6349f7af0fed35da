/**
 * The decoder of lackey traces: records, counts, errors, chunks cut anywhere, and the rule for offloaded
 * code.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LackeyDecoder, type LackeyStats, type OffloadRange, TraceError } from "../../src/text/lackey.ts";
import { decode, type Decoded, encode, show, text } from "./decode.ts";

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
lines("keeps sizes below a page, and of larger ones the pages that they touch", () => {
  const sizes = [255, 464, 4095, 4096, 4097, 8176, 0xfff000];
  assert.equal(decode(sizes.map((size) => ` S 10,${size}\n`).join("")).records, [
    "cpu S 10,255",
    "cpu S 10,464",
    "cpu S 10,4095",
    "cpu S 10,+1",
    "cpu S 10,+1",
    "cpu S 10,+1",
    "cpu S 10,+4095",
  ]);
  assert.equal(decode(" L fff,4096\n L fff,4098\n L 1000,4096\n").records, [
    "cpu L fff,+1",
    "cpu L fff,+2",
    "cpu L 1000,+0",
  ]);
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
  assert.is(one.push(encode(" L 10,4\n L 2")).length, 1);
  assert.is(other.push(encode(" S 30,4\n")).length, 1);
  assert.equal([...one.push(encode("0,4\n"))].map(show), ["cpu L 20,4"]);
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
  const use = (batch: BigUint64Array): void => batch.forEach((record) => records.push(show(record)));
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

/**
 * Offloaded code: [name, entries] of each range, and the records. A program is text, one instruction a word.
 */
const agent = suite("lackey: offload");
const KERNEL: OffloadRange = { name: "kernel", start: 0x2000, end: 0x2100 };
const HELPER: OffloadRange = { name: "helper", start: 0x3000, end: 0x3100 };

/**
 * "pc access …; pc access …": instructions of 4 bytes with their accesses. S and L access 8 bytes, s and l 4
 * bytes; addresses that begin with f are the stack's.
 */
function program(source: string): string {
  const lines: string[] = [];
  for (const instruction of source.split(";")) {
    const [pc, ...accesses] = instruction.trim().split(/\s+/);
    lines.push(`I  ${pc},4`);
    for (const access of accesses) {
      const kind = access[0].toUpperCase();
      lines.push(` ${kind} ${access.slice(1)},${kind === access[0] ? 8 : 4}`);
    }
  }
  return lines.join("\n") + "\n";
}

interface Agents {
  cpu: string;
  dev: string;
  entries: number[];
}

/** Who makes the accesses of a program for x86. */
function agents(source: string, ...ranges: OffloadRange[]): Agents {
  return agentsOf(decode(program(source), ranges, [], { calls: "push" }));
}

function agentsOf({ records, stats }: Decoded): Agents {
  const of = (who: string): string =>
    records
      .filter((record) => record.startsWith(who))
      .map((record) => record.split(" ")[2].split(",")[0])
      .join(" ");
  const result = { cpu: of("cpu"), dev: of("dev"), entries: stats.offload.map((range) => range.entries) };
  assert.is(stats.device, result.dev === "" ? 0 : result.dev.split(" ").length);
  return result;
}

agent("from the call to its return; the push is the CPU's, the pop the device's", () => {
  assert.equal(agents("1000 l10; 1004 Sff8; 2000 l20; 2004 s30; 2008 Lff8; 1008 l40", KERNEL), {
    cpu: "10 ff8 40",
    dev: "20 30 ff8",
    entries: [1],
  });
});
agent("callees are the device's, in the ranges or not", () => {
  const source = "1000 Sff8; 2000 Sff0; 5000 l50; 5004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 40", dev: "ff0 50 ff0 20 ff8", entries: [1] });
});
agent("a callee in another range is an entry of that range", () => {
  const source = "1000 Sff8; 2000 Sff0; 3000 l50; 3004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  const result = { cpu: "ff8 40", dev: "ff0 50 ff0 20 ff8" };
  assert.equal(agents(source, KERNEL, HELPER), { ...result, entries: [1, 1] });
  assert.equal(agents(source, HELPER, KERNEL), { ...result, entries: [1, 1] }, "in the order given");
});
const RECURSION =
  "1000 Sff8; 2000 Sff0; 1000 Sfe8; 2000 l20; 2004 Lfe8; 1004 l41; " +
  "1008 Lff0; 2004 l21; 2008 Lff8; 1004 l42";
agent("recursion: only the outermost return ends it", () => {
  // The callee outside the kernel calls the kernel again from the place that entered it, deeper in the stack.
  assert.equal(agents(RECURSION, KERNEL), {
    cpu: "ff8 42",
    dev: "ff0 fe8 20 fe8 41 ff0 21 ff8",
    entries: [2],
  });
});
agent("direct recursion in the range is one entry", () => {
  const source = "1000 Sff8; 2000 Sff0; 2000 l20; 2004 Lff0; 2004 l21; 2008 Lff8; 1004 l42";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 42", dev: "ff0 20 ff0 21 ff8", entries: [1] });
});
agent("an indirect call loads its target and then pushes", () => {
  assert.equal(agents("1000 L10 Sff8; 2000 l20; 2004 Lff8; 1004 l40", KERNEL), {
    cpu: "10 ff8 40",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("each call is an entry", () => {
  assert.equal(agents("1000 Sff8; 2000 Lff8; 1004 Sff8; 2000 l20; 2004 Lff8; 1008 l40", KERNEL).entries, [2]);
});
agent("entered by a jump, it ends when code outside goes on", () => {
  assert.equal(agents("1000 l10; 2000 l20; 2004 l21; 1004 l11", KERNEL), {
    cpu: "10 11",
    dev: "20 21",
    entries: [1],
  });
});
agent("entered by a fall-through, even after an 8-byte store", () => {
  assert.equal(agents("1ffc Sff8; 2000 l20; 2004 Lff8; 1004 l11", KERNEL), {
    cpu: "ff8 11",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("entered by a jump, calls out of the range stay on the device until they return", () => {
  const source =
    "1000 l10; 2000 Sff0; 5000 Sfe8; 6000 l60; 6004 Lfe8; 5004 l50; 5008 Lff0; 2004 l20; 1004 l11";
  assert.equal(agents(source, KERNEL), { cpu: "10 11", dev: "ff0 fe8 60 fe8 50 ff0 20", entries: [1] });
});
agent("a call through a stub ends with the function's return", () => {
  // call stub; the stub jumps to the kernel through a loaded address
  assert.equal(agents("1000 Sff8; 4000 L400; 2000 l20; 2004 Lff8; 1004 l11", KERNEL), {
    cpu: "ff8 400 11",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("a call ends where it returns, though control was in the caller's gap already", () => {
  // The kernel jumps to a function next to the caller, and that function returns for the kernel.
  assert.equal(agents("1000 Sff8; 2000 l20; 1500 l50; 1504 Lff8; 1004 l40", KERNEL), {
    cpu: "ff8 40",
    dev: "20 50 ff8",
    entries: [1],
  });
});
agent("a store of an instruction before the last is no push", () => {
  assert.equal(agents("1000 Sff8; 1004; 2000 l20; 1008 l11", KERNEL), {
    cpu: "ff8 11",
    dev: "20",
    entries: [1],
  });
});
agent("the end of a range is outside, its last byte inside", () => {
  assert.equal(agents("20fc l20; 2100 l10; 2104 l11", KERNEL), { cpu: "10 11", dev: "20", entries: [1] });
  assert.equal(agents("1ffc l10; 20ff l20", KERNEL), { cpu: "10", dev: "20", entries: [1] });
});
agent("a return that arrives at the start of another range enters it", () => {
  const after: OffloadRange = { name: "after", start: 0x1004, end: 0x1008 };
  assert.equal(agents("1000 Sff8; 2000 l20; 2004 Lff8; 1004 l11; 1008 l12", KERNEL, after), {
    cpu: "ff8 12",
    dev: "20 ff8 11",
    entries: [1, 1],
  });
});
agent("a range that is never entered has no entries", () => {
  assert.equal(agents("1000 l10; 2000 l20; 1004 l11", HELPER, KERNEL).entries, [0, 1]);
});
agent("the last address there is lies behind all ranges", () => {
  const source = "ffffffffffffffff l10; 2000 l20; ffffffffffffffff l11; ffffffffffffffff l12";
  assert.equal(agents(source, KERNEL), { cpu: "10 11 12", dev: "20", entries: [1] });
  assert.equal(agents(source), { cpu: "10 20 11 12", dev: "", entries: [] });
});
agent("a jump to the first instruction of another range is an entry, one into its middle is none", () => {
  const source = "1000 Sff8; 2000 l20; 3000 l30; 3004 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL, HELPER), { cpu: "ff8 40", dev: "20 30 ff8", entries: [1, 1] });
  const loop = "1000 Sff8; 2000 l20; 3000 l30; 2004 l21; 3008; 2000 l22; 2008 Lff8; 1004 l40";
  assert.equal(agents(loop, KERNEL, HELPER).entries, [2, 1]);
});
agent("a range that code outside jumps to is entered", () => {
  // The kernel calls a stub outside, which jumps to the helper through a loaded address.
  const source = "1000 Sff8; 2000 Sff0; 4000 L400; 3000 l30; 3004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL, HELPER).entries, [1, 1]);
});
agent("on a 32-bit x86 a call pushes four bytes", () => {
  const source = "1000 sffc; 2000 sff8; 5000 l50; 5004 lff8; 2004 l20; 2008 lffc; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ffc 40", dev: "ff8 50 ff8 20 ffc", entries: [1] });
});

/** The same for a machine that keeps return addresses in a register. */
function linked(source: string, ...ranges: OffloadRange[]): Agents {
  return agentsOf(decode(program(source), ranges, [], { calls: "register" }));
}

agent(
  "with a link register, a call is an arrival at a range, and it ends behind the calling instruction",
  () => {
    const source =
      "1000; 2000 Sff0; 2004; 5000 l50; 5004; 2008 Lff0; 200c; 1004 l40; 1008; 2000 l21; 2004; 100c l41";
    assert.equal(linked(source, KERNEL), { cpu: "40 41", dev: "ff0 50 ff0 21", entries: [2] });
    assert.equal(linked("1000; 2000; 2004; 3000 l30; 3004; 2008 l20; 200c; 1004 l40", KERNEL, HELPER), {
      cpu: "40",
      dev: "30 20",
      entries: [1, 1],
    });
  },
);
agent("with a link register, code entered in another way is left as soon as control is outside", () => {
  const source = "1ffc l10; 2000 l20; 2004 l21; 5000 l50; 2008 l22; 3000 l30";
  assert.equal(linked(source, KERNEL), { cpu: "10 50 30", dev: "20 21 22", entries: [1] });
});
agent("the machine is recognized: by an odd length, by a push, by many even lengths", () => {
  const calls = (source: string): unknown => decode(source, [KERNEL]).stats.calls;
  assert.is(calls("I  1000,4\nI  1004,2\n"), null);
  assert.is(calls("I  1000,4\nI  1004,3\n"), "push");
  const even = Array.from({ length: 4096 }, () => "I  1000,4\n").join("");
  assert.is(calls(even), "register");
  assert.is(calls(`${even}I  1000,3\n`), "register");
  // A few instructions of four bytes: a store that jumps is a push, a plain jump to a range a call by register.
  const unknown = (source: string): Agents => agentsOf(decode(program(source), [KERNEL]));
  assert.equal(unknown("1000 Sff8; 2000 l20; 5000 l50; 2004 Lff8; 1004 l40"), {
    cpu: "ff8 40",
    dev: "20 50 ff8",
    entries: [1],
  });
  assert.equal(unknown("1000; 2000 l20; 5000 l50; 2004; 1004 l40"), {
    cpu: "40",
    dev: "20 50",
    entries: [1],
  });
  // The region was taken for a call by register; the odd length says that it was a jump.
  const late = decode("I  1000,2\nI  2000,4\n L 20,4\nI  2004,3\nI  5000,4\n L 50,4\n", [KERNEL]);
  assert.equal(late.records, ["dev L 20,4", "cpu L 50,4"]);
});

/** What the rule noticed of threads. */
function noticed(source: string): [switches: number, missed: number, stacks: number, waiting: boolean] {
  const { switches, missed, stacks, waiting } = decode(program(source), [KERNEL, HELPER], [], {
    calls: "push",
  }).stats;
  return [switches, missed, stacks, waiting];
}

agent("notices control that leaves the kernel without a call and comes back to the next instruction", () => {
  const source = "1000 S1ffefff000; 2000 S500; 6000 S700; 2004 L1ffefff000; 1004 l40";
  assert.equal(noticed(source), [1, 0, 0, false]);
  assert.equal(agents(source, KERNEL), {
    cpu: "1ffefff000 40",
    dev: "500 700 1ffefff000",
    entries: [1],
  });
  assert.equal(noticed("1000 Sff8; 2000 Sff0; 5000; 5004 Lff0; 2004 Lff8; 1004"), [0, 0, 0, false]);
});
agent("a switch of threads at the return ends the region all the same", () => {
  const source = "1000 Sff8; 2000 l20; 2004 Lff8; 7000 l70; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 70 40", dev: "20 ff8", entries: [1] });
  assert.is(noticed(source)[0], 1);
  // The other thread is in the kernel, too: the return shows when its address comes.
  const same = "1000 Sff8; 2000 l20; 2004 Lff8; 2010 l21; 1004 l40";
  assert.equal(agents(same, KERNEL).cpu, "ff8 40");
  assert.is(noticed(same)[0], 1);
});
agent("a region whose frame is gone has ended: the next call of the kernel begins another one", () => {
  const source = "1000 Sff0; 2000 l20; 5000 l50; 1800 l18; 1804 Sff8; 2000 l21; 2004 Lff8; 1808 l40";
  assert.equal(noticed(source), [0, 1, 0, false]);
  assert.equal(agents(source, KERNEL), { cpu: "ff0 40", dev: "20 50 18 ff8 21 ff8", entries: [2] });
});
agent("notices a return that never comes, and regions on different stacks", () => {
  assert.equal(noticed("1000 Sff8; 2000 l20; 5000 l50"), [0, 0, 0, true]);
  assert.equal(noticed("1000 l10; 2000 Sff8; 5000 l50"), [0, 0, 0, true]);
  assert.equal(noticed("1000 Sff8; 2000 Lff8; 1004 S7fff8; 2000 L7fff8; 1008"), [0, 0, 0, false]);
  assert.equal(
    noticed("1000 S1ffff8; 2000 L1ffff8; 1004 S9ffff8; 2000 L9ffff8; 1008 S1ffff8; 2000 L1ffff8; 100c"),
    [0, 0, 2, false],
  );
});
agent("the state survives a split at every byte", () => {
  const source = program(RECURSION);
  const whole = decode(source, [KERNEL]);
  for (let cut = 0; cut <= source.length; cut++) assert.equal(decode(source, [KERNEL], [cut]), whole);
});
agent.run();
