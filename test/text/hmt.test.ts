/**
 * The decoder of .hmt traces, against the reference reader (test/util/hmt.ts): the same records, or both an
 * error.
 */
import { zstdFrame } from "../util/hmt-bytes.ts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HmtDecoder, HmtFormatError, isHmt, type HmtEvent, type HmtStats } from "../../src/text/hmt.ts";
import { loadText } from "../../src/text/index.ts";
import { Random } from "../fuzz/random.ts";
import { block, definitions, hmtFile, randomPayload } from "../util/hmt-bytes.ts";
import { partsOf, splitPayload } from "../util/hmt-split.ts";
import { HmtError, readHmt, type HmtRecord } from "../util/hmt.ts";
import { recordsOf } from "./reference.ts";

const text = loadText();

interface Decoded {
  records: HmtRecord[];
  events: HmtEvent[];
  stats: HmtStats;
}

/** Decodes a file that comes in chunks of so many bytes. */
async function decode(bytes: Uint8Array, chunk = bytes.length): Promise<Decoded> {
  const decoder = await HmtDecoder.create(text, "file.hmt");
  const got: Decoded = { records: [], events: [], stats: decoder.stats() };
  try {
    for (let at = 0; at < bytes.length; at += chunk) {
      decoder.feed(bytes.subarray(at, at + chunk), ({ records, events }) => {
        for (const { address, size, kind, agent, thread, id } of recordsOf(records))
          got.records.push({ address, size, kind, agent, thread, code: id });
        got.events.push(...events);
      });
    }
    got.stats = decoder.end();
  } finally {
    decoder.close();
  }
  return got;
}

const FIELDS = ["address", "size", "kind", "agent", "thread", "code"] as const;

/** Like assert.equal, for long lists: shows the first record that differs. */
function same(got: readonly HmtRecord[], expected: readonly HmtRecord[]): void {
  assert.is(got.length, expected.length);
  const at = expected.findIndex((record, i) => FIELDS.some((field) => record[field] !== got[i][field]));
  if (at >= 0) assert.equal(got[at], expected[at], `record ${at}`);
}

/** What both readers say about a file. */
async function compare(bytes: Uint8Array, chunk?: number): Promise<"records" | "error"> {
  let expected: ReturnType<typeof readHmt> | HmtError;
  try {
    expected = readHmt(bytes);
  } catch (error) {
    assert.instance(error, HmtError);
    expected = error as HmtError;
  }
  let got: Decoded | HmtFormatError;
  try {
    got = await decode(bytes, chunk);
  } catch (error) {
    assert.instance(error, HmtFormatError, String(error));
    got = error as HmtFormatError;
  }
  if (expected instanceof HmtError || got instanceof HmtFormatError) {
    assert.instance(got, HmtFormatError, "the reference reads it differently");
    assert.instance(expected, HmtError, "the decoder reads it differently");
    assert.is((got as HmtFormatError).offset, (expected as HmtError).offset);
    return "error";
  }
  const records = expected.blocks.flatMap((each) => each.records);
  same(got.records, records);
  const events = expected.blocks.flatMap((each) => each.events);
  const { names } = expected;
  assert.equal(
    got.events,
    events.map(({ name, ...rest }) => ({ ...rest, name: names.get(name) ?? "" })),
  );
  assert.equal(got.stats.modules, expected.modules);
  assert.equal([...got.stats.threads], [...expected.threads]);
  assert.equal([got.stats.program, got.stats.recorder], [expected.program, expected.recorder]);
  assert.is(got.stats.cut, expected.end === null);
  return "records";
}

/** A file with everything in it. */
function sample(random: Random): Uint8Array {
  const payloads = Array.from({ length: 4 }, () => randomPayload(random));
  return hmtFile(
    block(1, definitions()),
    ...payloads.map(({ bytes, records }, i) => block(2, bytes, { records, thread: i * 21845 })),
    block(200, Uint8Array.of(1, 2, 3)),
    block(3, new Uint8Array(32)),
  );
}

const test = suite("hmt decoder");

test("random files decode as the reference reads them, in chunks of any size", async () => {
  const random = new Random(1);
  for (let i = 0; i < 60; i++) {
    const bytes = sample(random);
    assert.is(await compare(bytes), "records");
    assert.is(await compare(bytes, random.between(1, 40)), "records");
  }
});

test("files that were cut off anywhere give their whole blocks", async () => {
  const bytes = sample(new Random(2));
  for (let n = 16; n < bytes.length; n += n < 60 ? 1 : 13)
    assert.is(await compare(bytes.subarray(0, n)), "records");
  for (let n = 0; n < 16; n++) assert.is(await compare(bytes.subarray(0, n)), "error");
});

test("fuzz: any payload gives the same records, or an error, in both", async () => {
  const random = new Random(3);
  const counts = { records: 0, error: 0 };
  for (let i = 0; i < 3000; i++) {
    const { bytes, records } = randomPayload(random);
    for (let n = random.between(1, 3); n > 0; n--)
      bytes[random.below(bytes.length)] = random.below(random.pick([4, 256]));
    const count = random.chance(0.8) ? records : random.below(100);
    const cut = random.chance(0.9) ? bytes : bytes.subarray(0, random.below(bytes.length));
    counts[await compare(hmtFile(block(2, cut, { records: count })))]++;
  }
  assert.ok(counts.records > 300 && counts.error > 300, JSON.stringify(counts));
});

test("fuzz: any bytes in headers and definitions give records or an error", async () => {
  const random = new Random(4);
  const counts = { records: 0, error: 0 };
  const whole = sample(random);
  for (let i = 0; i < 800; i++) {
    const bytes = Uint8Array.from(whole);
    for (let n = random.between(1, 4); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    counts[await compare(bytes, random.chance(0.5) ? undefined : 100)]++;
    const content = definitions();
    for (let n = random.between(1, 4); n > 0; n--) content[random.below(content.length)] = random.below(256);
    counts[await compare(hmtFile(block(1, content)))]++;
  }
  assert.ok(counts.error > 300, JSON.stringify(counts));
});

test("a packed block decodes; one that is damaged inside is an error of its block", async () => {
  const random = new Random(5);
  const { bytes, records } = randomPayload(random);
  const packed = zstdFrame(bytes);
  const options = { records, codec: 1, plain: bytes.length };
  assert.is(await compare(hmtFile(block(2, packed, options))), "records");
  const first = hmtFile(block(2, packed, options)).length;
  for (const wrong of [{ plain: bytes.length + 1 }, { plain: 0 }, { plain: 1 }, { codec: 2 }, { codec: 3 }]) {
    const file = hmtFile(block(2, packed, options), block(2, packed, { ...options, ...wrong }));
    const error = await decode(file).then(
      () => null,
      (e: unknown) => e as HmtFormatError,
    );
    assert.instance(error, HmtFormatError);
    assert.is(error?.offset, first);
  }
  const damaged = Uint8Array.from(packed);
  damaged[0] ^= 1;
  const error = await decode(hmtFile(block(2, damaged, options))).then(
    () => null,
    (e: unknown) => e as Error,
  );
  assert.match(error?.message ?? "", /^file\.hmt: byte 16: the payload is not a zstd frame of \d+ bytes$/);
});

test("a split payload decodes; parts that do not fit are an error of their block", async () => {
  const random = new Random(7);
  const seen = { records: 0, error: 0 };
  for (let round = 0; round < 300; round++) {
    const { bytes, records } = randomPayload(random);
    const split = splitPayload(bytes, random.chance(0.5), random.chance(0.3));
    const options = { records, codec: 2, plain: bytes.length };
    const whole = await compare(hmtFile(block(2, split, options)));
    // Without tails there is nothing to split.
    if (whole === "records") assert.is(await compare(hmtFile(block(2, bytes, { records }))), "records");
    seen[whole]++;
    const wrong = Uint8Array.from(split);
    // The lengths of the parts, or what is in the front behind its frame's own 12 bytes.
    const at = random.chance(0.3) ? random.below(8) : 20 + random.below(Math.min(60, bytes.length / 2));
    wrong[at] = random.below(256);
    await compare(hmtFile(block(2, wrong, options)));
  }
  assert.ok(seen.records > 200, JSON.stringify(seen));
  const cases: [Uint8Array, number, RegExp][] = [
    [new Uint8Array(7), 20, /a split payload of 7 bytes/],
    [partsOf(new Uint8Array(24), new Uint8Array(1)), 20, /the front is larger than its payload/],
    [partsOf(new Uint8Array(24), new Uint8Array(1)), 26, /the payload is not a zstd frame of 2 bytes/],
    [partsOf(new Uint8Array(24), new Uint8Array(1), true), 26, /tails of 1 bytes that should have 2/],
    [partsOf(new Uint8Array(24), new Uint8Array(0), true), 24, /tails of 0 bytes that should have 0/],
    [partsOf(new Uint8Array(23), new Uint8Array(1)), 24, /the parts are not those of a payload/],
    [partsOf(new Uint8Array(24), new Uint8Array(1)), 25, /the parts are not those of a payload/],
    [partsOf(new Uint8Array(24).fill(255), new Uint8Array(1)), 25, /the parts are not those of a payload/],
  ];
  for (const [bytes, plain, message] of cases)
    assert.match(
      await decode(hmtFile(block(2, bytes, { codec: 2, plain }))).then(String, String),
      message,
      String(message),
    );
  assert.match(
    await decode(hmtFile(block(1, cases[4][0], { codec: 2, plain: 25 }))).then(String, String),
    /a payload in codec 2, which a block of type 1 does not have/,
  );
});

test("errors name the file, the byte and what is wrong", async () => {
  const { bytes: good, records } = randomPayload(new Random(6));
  const message = async (file: Uint8Array): Promise<string> =>
    decode(file).then(
      () => "",
      (e: unknown) => (e as Error).message,
    );
  const changed = (at: number, value: number): Uint8Array => {
    const file = hmtFile(block(2, good, { records }));
    file[at] = value;
    return file;
  };
  assert.is(
    await message(new TextEncoder().encode("I  04001000,3\n L 1ffeffe7e0,8\n")),
    "file.hmt: byte 0: not an .hmt trace",
  );
  assert.match(
    await message(changed(8, 3)),
    /^file.hmt: byte 0: version 3 of the format; this program reads versions 1 to 2$/,
  );
  assert.match(await message(changed(16, 2)), /^file.hmt: byte 16: expected a block$/);
  assert.match(
    await message(changed(31, 1)),
    /^file.hmt: byte 16: a block of \d+ bytes; 2097152 are allowed$/,
  );
  assert.match(
    await message(changed(39, 1)),
    /^file.hmt: byte 16: a block of \d+ records; 65536 are allowed$/,
  );
  assert.match(
    await message(changed(20, 1)),
    /^file.hmt: byte 16: the block's checksum is wrong: it is damaged$/,
  );
  assert.match(
    await message(hmtFile(block(9, good))),
    /^file.hmt: byte 16: a block of type 9, which is not known$/,
  );
  assert.match(
    await message(hmtFile(block(3, new Uint8Array(32)), block(3, new Uint8Array(32)))),
    /^file.hmt: byte 72: bytes after the end block$/,
  );
  assert.match(
    await message(hmtFile(block(1, Uint8Array.of(3, 0, 2, 0, 0, 0)))),
    /a definition with tag 3 of 2 bytes$/,
  );
});

test("isHmt knows the first bytes", () => {
  assert.is(isHmt(hmtFile()), true);
  assert.is(isHmt(hmtFile().subarray(0, 7)), false);
  assert.is(isHmt(new Uint8Array(16)), false);
});

test("a decoder is of no use once it is closed", async () => {
  const decoder = await HmtDecoder.create(text);
  decoder.feed(hmtFile(), () => {});
  decoder.end();
  assert.throws(() => decoder.feed(hmtFile(), () => {}), /the decoder is closed/);
  assert.throws(() => decoder.stats(), /the decoder is closed/);
  decoder.close();
});
test.run();
