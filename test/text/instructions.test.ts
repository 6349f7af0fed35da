/** Runs of instructions: records that say how many there were, for models that have a time for them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/engine/random.ts";
import { LackeyDecoder } from "../../src/text/lackey.ts";
import { LineDecoder, type LineFormat } from "../../src/text/line-decoder.ts";
import { loadText } from "../../src/text/index.ts";
import { recordsOf, type PlainRecord } from "./reference.ts";

const RUN = 11;
const text = loadText();
const encode = (source: string): Uint8Array => new TextEncoder().encode(source);

/** Accesses as `L address`, runs as `agent.thread × instructions`. */
function shown(records: readonly PlainRecord[]): string[] {
  return records.map(({ kind, address, size, agent, thread }) =>
    kind === RUN ? `${agent}.${thread} × ${size}` : `${"LSM"[kind]} ${address.toString(16)}`,
  );
}

function collector(): { records: PlainRecord[]; use: (words: BigUint64Array) => void } {
  const records: PlainRecord[] = [];
  return {
    records,
    use: (words) => {
      for (const record of recordsOf(words)) records.push(record);
    },
  };
}

/** Decodes lackey's lines in pieces that end at `cuts`; code from 2000 to 2100 is the device's. */
function lackey(source: string, cuts: readonly number[] = [], instructions = true) {
  const offload = [{ name: "f", start: 0x2000, end: 0x2100 }];
  const decoder = new LackeyDecoder(text, { offload, calls: "register", instructions });
  const { records, use } = collector();
  const bytes = encode(source);
  const bounds = [0, ...cuts, bytes.length];
  for (let i = 1; i < bounds.length; i++) decoder.feed(bytes.subarray(bounds[i - 1], bounds[i]), use);
  return { records, stats: decoder.end(use) };
}

function lines(format: LineFormat, bytes: Uint8Array): string[] {
  const decoder = new LineDecoder(text, format, { instructions: true });
  const { records, use } = collector();
  decoder.feed(bytes, use);
  decoder.finish(use);
  decoder.close();
  return shown(records);
}

const test = suite("runs of instructions");

test("lackey: a run ends where the agent changes, and at the end", () => {
  const source = "I  1000,4\n L 9000,8\nI  1004,4\nI  2000,4\n S 9008,8\nI  2004,4\nI  1008,4";
  const { records, stats } = lackey(source);
  // Two of the CPU's, two of the device's, and the last one.
  assert.equal(shown(records), ["L 9000", "0.0 × 2", "S 9008", "1.0 × 2", "0.0 × 1"]);
  assert.equal([stats.instructions, stats.loads, stats.stores], [5, 1, 1]);
});

test("lackey: 600 instructions are runs of 256, 256 and 88", () => {
  const { records } = lackey("I  1000,4\n".repeat(600));
  assert.equal(shown(records), ["0.0 × 256", "0.0 × 256", "0.0 × 88"]);
});

test("lackey: runs add up to the instructions of each agent, in any chunks, and change no access", () => {
  const random = new Random(20261130);
  for (let round = 0; round < 50; round++) {
    const line = (): string => {
      const kind = random.below(4);
      if (kind > 1) return ` ${"LS"[kind - 2]} ${(0x9000 + random.below(64)).toString(16)},8`;
      return `I  ${((random.below(40) === 0 ? 0x2000 : 0x1000) + 4 * random.below(8)).toString(16)},4`;
    };
    const source = `I  1000,4\n${Array.from({ length: 2000 }, line).join("\n")}\n`;
    const whole = lackey(source);
    const cuts = Array.from({ length: random.below(9) }, () => random.below(source.length));
    assert.equal(
      lackey(
        source,
        cuts.sort((a, b) => a - b),
      ),
      whole,
    );
    const runs = whole.records.filter(({ kind }) => kind === RUN);
    assert.is(
      runs.reduce((sum, { size }) => sum + size, 0),
      whole.stats.instructions,
    );
    const without = lackey(source, [], false);
    assert.equal(
      whole.records.filter(({ kind }) => kind !== RUN),
      without.records,
    );
    assert.equal(whole.stats, without.stats);
  }
});

test("lines: label 2 of Dinero, I of addr-rw", () => {
  assert.equal(lines("dinero", encode("2 400\n0 9000\n2 404\n1 9008\n")), ["L 9000", "S 9008", "0.0 × 2"]);
  assert.equal(lines("addr-rw", encode("0x400 I\n0x9000 R\n")), ["L 9000", "0.0 × 1"]);
});

test("drmemtrace: a run is of one thread", () => {
  const line = (n: number, thread: number, what: string): string =>
    `   ${n}   1:   ${thread} ${what} 4 byte(s) @ 0x0000000000009000 by PC 0x0000000000000400\n`;
  const source = line(1, 71, "ifetch") + line(2, 71, "read") + line(3, 72, "ifetch") + line(4, 72, "ifetch");
  assert.equal(lines("drmemtrace", encode(source)), ["L 9000", "0.0 × 1", "0.1 × 2"]);
});

test("ChampSim: each record is an instruction", () => {
  const records = new BigUint64Array(16); // two of 64 bytes: the first reads 9000
  records[0] = 0x400n;
  records[4] = 0x9000n;
  records[8] = 0x404n;
  assert.equal(lines("champsim", new Uint8Array(records.buffer)), ["L 9000", "0.0 × 2"]);
});

test.run();
