/**
 * The decoders of other tools' traces agree with plain ones on random lines, whatever the chunks; and any
 * bytes give records, or one error with its place, without a trap and without growing memory.
 */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/engine/random.ts";
import { DecodeError } from "../../src/text/decoder.ts";
import { loadText } from "../../src/text/index.ts";
import { LineDecoder, type LineFormat, type LineOptions } from "../../src/text/line-decoder.ts";
import { plainly, RandomLines, recordsOf, TEXT_FORMATS, type PlainRecord } from "./reference.ts";

const SEED = 20261201;
const SAMPLES = new URL("./samples/", import.meta.url);
const FORMATS: LineFormat[] = [...TEXT_FORMATS, "champsim"];

const text = loadText();

interface Outcome {
  records: PlainRecord[];
  /** Where it is wrong, and why; null if it is right. */
  wrong: string | null;
  cut: string | null;
}

/** Decodes bytes that come in pieces which end at `cuts`. */
function decode(
  format: LineFormat,
  bytes: Uint8Array,
  cuts: number[] = [],
  options: LineOptions = {},
): Outcome {
  const decoder = new LineDecoder(text, format, { file: "file", ...options });
  const records: PlainRecord[] = [];
  const use = (words: BigUint64Array): void => {
    for (const record of recordsOf(words)) records.push(record);
  };
  try {
    const bounds = [0, ...cuts, bytes.length];
    for (let i = 1; i < bounds.length; i++) decoder.feed(bytes.subarray(bounds[i - 1], bounds[i]), use);
    const cut = decoder.finish(use);
    const { accesses, loads, stores, modifies } = decoder.stats();
    const counts = [0, 1, 2].map((kind) => records.filter((record) => record.kind === kind).length);
    assert.equal([loads, stores, modifies], counts);
    assert.is(accesses, counts[0] + counts[1] + counts[2]);
    return { records, wrong: null, cut };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    assert.ok(error.line !== null ? error.line >= 1 : error.offset! >= 0);
    return { records, wrong: error.message, cut: null };
  } finally {
    decoder.close();
  }
}

function cutsOf(random: Random, length: number): number[] {
  const count = random.below(2) === 0 ? random.below(6) : random.below(length + 1);
  return Array.from({ length: count }, () => random.below(length + 1)).sort((a, b) => a - b);
}

const encode = (source: string): Uint8Array => new TextEncoder().encode(source);

const test = suite("line formats");

for (const format of TEXT_FORMATS) {
  test(`${format}: random lines give the records of the plain decoder, in any chunks`, () => {
    const random = new Random(SEED);
    const lines = new RandomLines(random);
    for (let round = 0; round < 400; round++) {
      const many = Array.from({ length: 1 + random.below(20) }, () => lines.line(format));
      const [mark, end] = [random.below(9) === 0 ? "\ufeff" : "", random.below(3) > 0 ? "\n" : ""];
      const source = `${mark}${many.join("\n")}${end}`;
      const bytes = encode(source);
      const got = decode(format, bytes, cutsOf(random, bytes.length));
      const expected = plainly(format, source.replace(/^\ufeff/, ""));
      assert.equal(
        got,
        { records: expected, wrong: null, cut: null },
        `seed ${SEED}, round ${round}:\n${source}`,
      );
    }
  });
}

test("champsim: instructions give their reads, then their writes, in any chunks", () => {
  const random = new Random(SEED);
  for (let round = 0; round < 200; round++) {
    const count = random.below(30);
    const bytes = new Uint8Array(64 * count + (random.below(3) === 0 ? random.below(64) : 0));
    const view = new DataView(bytes.buffer);
    const expected: PlainRecord[] = [];
    for (let i = 0; i < count; i++) {
      const at = 64 * i;
      view.setBigUint64(at, BigInt(random.below(2 ** 32)) + 2n ** 40n, true);
      bytes[at + 8] = random.below(2);
      const slots = Array.from({ length: 6 }, () => (random.below(2) === 0 ? 0 : 16 * random.below(2 ** 32)));
      slots.forEach((address, slot) => view.setBigUint64(at + 16 + 8 * slot, BigInt(address), true));
      const id = view.getUint32(at, true);
      for (const slot of [2, 3, 4, 5, 0, 1])
        if (slots[slot] !== 0)
          expected.push({ address: slots[slot], size: 64, kind: slot < 2 ? 1 : 0, agent: 0, thread: 0, id });
    }
    const got = decode("champsim", bytes, cutsOf(random, bytes.length), { size: 64 });
    const rest = bytes.length % 64;
    const cut = rest === 0 ? null : `instruction ${count + 1} is cut off: it has ${rest} of 64 bytes`;
    assert.equal(got, { records: expected, wrong: null, cut });
  }
});

/** Decodes whole and in pieces: the same outcome. Returns whether all of it was right. */
function agrees(format: LineFormat, bytes: Uint8Array, cuts: number[], options: LineOptions = {}): boolean {
  const whole = decode(format, bytes, [], options);
  assert.equal(decode(format, bytes, cuts, options), whole);
  return whole.wrong === null;
}

for (const format of FORMATS) {
  test(`${format}: any bytes, in any chunks, give the same records and the same error`, () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .string({ maxLength: 300, unit: fc.constantFrom(..."0x1fR W:,\n\r\t<>.#LDST-abyte(s)@ MEMTRACE") })
        .map(encode),
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(300), { maxLength: 8 }), fc.boolean(), (input, cuts, decimal) => {
        const sorted = cuts.filter((cut) => cut <= input.length).sort((a, b) => a - b);
        agrees(format, input, sorted, { decimal });
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
}

/** Changes some bytes of a text: other characters, gone, twice. */
function mutate(random: Random, source: Uint8Array): Uint8Array {
  const bytes = [...source];
  for (let n = 1 + random.below(4); n > 0 && bytes.length > 0; n--) {
    const at = random.below(bytes.length);
    const kind = random.below(4);
    if (kind === 0) bytes[at] = random.below(256);
    else if (kind === 1) bytes[at] = " :,0xfRW\n-".charCodeAt(random.below(10));
    else if (kind === 2) bytes.splice(at, 1 + random.below(5));
    else bytes.splice(at, 0, ...bytes.slice(at, at + random.below(30)));
  }
  return Uint8Array.from(bytes);
}

test("mutations of the samples, and of random lines, decode alike in any chunks", () => {
  const random = new Random(SEED);
  const lines = new RandomLines(random);
  const samples = readdirSync(SAMPLES).map((name) => readFileSync(new URL(name, SAMPLES)));
  const before = text.memory.buffer.byteLength;
  const seen = { right: 0, wrong: 0 };
  for (let round = 0; round < 1500; round++) {
    const format = FORMATS[random.below(FORMATS.length)];
    const own = format === "champsim" ? null : encode(`${lines.line(format)}\n${lines.line(format)}\n`);
    const source = own === null || random.below(3) === 0 ? samples[random.below(samples.length)] : own;
    const bytes = mutate(random, source);
    seen[agrees(format, bytes, cutsOf(random, bytes.length)) ? "right" : "wrong"]++;
  }
  assert.ok(seen.right > 200 && seen.wrong > 200, JSON.stringify(seen));
  assert.is(text.memory.buffer.byteLength, before, "the decoders' memory does not grow");
});

test("what is wrong is said, with the line or the byte", () => {
  const cases: [LineFormat, string, string][] = [
    [
      "addr-rw",
      "0x10 R\nhello\n",
      "file:2: expected 'ADDRESS R|W [SIZE]' or 'R|W ADDRESS [SIZE]', found 'hello'",
    ],
    [
      "addr-rw",
      "R 1,2,3\n",
      "file:1: numbers that differ: a place in DRAM (channel, rank, row …) is no address, found 'R 1,2,3'",
    ],
    [
      "addr-rw",
      "R 0x10 65536\n",
      "file:1: expected a size from 1 to 65535 and the end of the line, found 'R 0x10 65536'",
    ],
    ["addr-rw", `R 0x${"1".repeat(17)}\n`, "file:1: expected an address, found 'R 0x11111111111111111'"],
    ["addr-rw", "R 10\n\0\0\0", "file:2: NUL bytes: the file was not written to its end"],
    [
      "perf-script",
      "p 1 1.5: 1 page-faults: main+0x16 (/p)\n",
      "file:1: a sample without the address that was accessed: record with perf record -d, " +
        "found 'p 1 1.5: 1 page-faults: main+0x16 (/p)'",
    ],
    ["dinero", "7 10\n", "file:1: expected a label from 0 to 4 and an address, found '7 10'"],
    [
      "nvbit",
      "MEMTRACE: CTX 0x1 - grid 0\n",
      "file:1: expected 'MEMTRACE: CTX … - grid_launch_id N - CTA X,Y,Z - warp N - OPCODE - 0xADDRESS …', " +
        "found 'MEMTRACE: CTX 0x1 - grid 0'",
    ],
    [
      "champsim",
      "x".repeat(64),
      "file: byte 0: this is no ChampSim instruction: bytes 8 and 9 (is a branch, is taken) are 0 or 1",
    ],
  ];
  for (const [format, source, message] of cases) {
    const bytes = encode(source);
    // A line that ends with the file and is wrong was cut off if accesses come before it.
    const { wrong, cut } = decode(format, bytes);
    assert.is(wrong ?? cut, source.endsWith("\0") ? "line 2 is cut off" : message);
  }
  assert.is(decode("addr-rw", encode("R 10\n\0\0\0\n")).wrong, cases[4][2]);
});

test("a long line is an error, wherever the chunks end", () => {
  const ok = encode(`R 10${" ".repeat(4092)}\nW 10\n`);
  assert.is(decode("addr-rw", ok, [2000]).records.length, 2);
  for (const source of [`R 10${" ".repeat(4093)}\nW 10\n`, `R 10${" ".repeat(70000)}`]) {
    const bytes = encode(`R 11\n${source}`);
    const whole = decode("addr-rw", bytes);
    assert.match(whole.wrong ?? "", /^file:2: the line is longer than 4096 bytes, found 'R 10 {56}…'$/);
    assert.is(whole.records.length, 1);
    assert.equal(decode("addr-rw", bytes, [3, 2000, 4099, 4100, 4101]), whole);
  }
});

test("threads are numbered as they appear, and start again after 65,536", () => {
  const source = Array.from({ length: 65540 }, (_, i) => `${7 * i} r 0x10\n`).join("");
  const { records } = decode("addr-rw", encode(source));
  assert.equal([records[1].thread, records[65535].thread, records[65536].thread], [1, 65535, 0]);
  assert.is(decode("addr-rw", encode("9 r 0x10\n5 w 0x10\n9 r 0x10\n")).records[2].thread, 0);
});

test("sizes and decimal addresses are as the caller says", () => {
  const [record] = decode("addr-rw", encode("R 100\n"), [], { decimal: true, size: 64 }).records;
  assert.equal([record.address, record.size], [100, 64]);
  const [marked] = decode("addr-rw", encode("0x100 W\n"), [], { decimal: true }).records;
  assert.is(marked.address, 256);
  for (const size of [0, 65536, 1.5])
    assert.throws(
      () => new LineDecoder(text, "addr-rw", { size }),
      /size .*: expected a whole number from 1/,
    );
});

test("a decoder is of no use once it is closed", () => {
  const decoder = new LineDecoder(text, "dinero");
  decoder.close();
  decoder.close();
  for (const use of [
    () => decoder.stats(),
    () => decoder.feed(encode("0 1\n"), () => {}),
    () => decoder.finish(() => {}),
  ])
    assert.throws(use, /the decoder is closed/);
});
test.run();
