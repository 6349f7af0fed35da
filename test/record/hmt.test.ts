/** docs/hmt.md is what the reference reader reads: its example, its checksum, and what is not a trace. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HmtError, accesses, readHmt, xxh32 } from "../util/hmt.ts";
import { errorOf } from "../util/driver.ts";
import { block, hmtFile } from "../util/hmt-bytes.ts";
import { Random } from "../fuzz/random.ts";

const test = suite("hmt: reference reader");

/** The example's payload, as the document has it. */
function example(): Uint8Array {
  const text = readFileSync("docs/hmt.md", "utf8");
  const [, code] = /### Example[^]*?```\n([^]*?)```/.exec(text)!;
  const bytes = code
    .split("\n")
    .flatMap((line) => /^(?:[0-9a-f]{2} {1,3})+/.exec(`${line} `)?.[0].trim().split(/ +/) ?? []);
  return Uint8Array.from(bytes, (byte) => parseInt(byte, 16));
}

const access = (address: number, kind: number, code: number) => ({
  address,
  size: 8,
  kind,
  agent: 0,
  thread: 5,
  code,
});

test("the document's example gives what the document says", () => {
  const trace = readHmt(hmtFile(block(2, example(), { thread: 5, records: 6 })));
  assert.equal(
    accesses(trace),
    [0, 8, 16].flatMap((i) => [access(0x1000 + i, 0, 0x401120), access(0x2000 + i, 1, 0x401130)]),
  );
});

test("the checksum is XXH32, by the vectors of its specification", () => {
  const of = (text: string): string => xxh32(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
  assert.is(of(""), "02cc5d05");
  assert.is(of("a"), "550d7456");
  assert.is(of("abc"), "32d153ff");
  assert.is(of("Nobody inspects the spammish repetition"), "e2293b2f");
});

test("a file that was cut off anywhere gives its whole blocks", () => {
  const blocks = [1, 2, 3, 4].map((records) => block(2, example(), { thread: 5, records: records + 3 }));
  const bytes = hmtFile(...blocks);
  const ends = blocks.map((_, i) => hmtFile(...blocks.slice(0, i + 1)).length);
  for (let length = 16; length <= bytes.length; length++) {
    const { blocks: whole, cut, end } = readHmt(bytes.subarray(0, length));
    const n = ends.filter((at) => at <= length).length;
    assert.is(whole.length, n);
    assert.is(cut, length === (ends[n - 1] ?? 16) ? null : (ends[n - 1] ?? 16));
    assert.is(end, null);
  }
});

test("a changed byte is an error of its block, with the block's offset", () => {
  const bytes = hmtFile(block(2, example(), { records: 6 }), block(2, example(), { records: 6 }));
  const second = (bytes.length - 16) / 2 + 16;
  for (let at = second; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] ^= 0x40;
    if (at >= second + 12 && at < second + 16) continue; // the length: the file may look cut off
    const error = errorOf(() => readHmt(changed));
    assert.instance(error, HmtError, `byte ${at}`);
    assert.is((error as HmtError).offset, second);
  }
});

test("any payload gives records or one error with an offset", () => {
  const random = new Random(7);
  let good = 0;
  for (let round = 0; round < 4000; round++) {
    const payload = example();
    for (let n = random.between(1, 3); n > 0; n--)
      payload[random.below(payload.length)] = random.below(random.pick([8, 256]));
    try {
      readHmt(hmtFile(block(2, payload, { records: random.between(4, 8) })));
      good++;
    } catch (error) {
      assert.instance(error, HmtError);
      assert.is((error as HmtError).offset, 16);
    }
  }
  assert.ok(good > 100 && good < 3900, `${good} of 4000 were fine`);
});
test.run();
