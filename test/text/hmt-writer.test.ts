/**
 * The writer of .hmt traces: what it writes, both readers read back, records, events, definitions and all.
 */
import { compress, init } from "@bokuweb/zstd-wasm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload } from "../../src/sim/workload/index.ts";
import { Random } from "../../src/engine/random.ts";
import { HmtWriter, type EventOf, type HmtAbout } from "../../src/text/hmt-writer.ts";
import { HmtDecoder, HmtFormatError, type HmtEvent, type HmtStats } from "../../src/text/hmt.ts";
import { loadText } from "../../src/text/index.ts";
import { block, hmtFile, payloadOf } from "../util/hmt-bytes.ts";
import { HmtError, readHmt } from "../util/hmt.ts";

const SEED = 20261202;
const text = loadText();
await init();

const NO_EVENT: EventOf = (kind) => ({ kind, advice: 0, device: 0, name: "", address: 0, bytes: 0 });
const NOTHING: HmtAbout = { program: "", modules: [], threads: new Map() };

interface Written {
  bytes: Uint8Array;
  blocks: { thread: number | null; records: bigint[]; events: HmtEvent[] }[];
  records: bigint[];
  events: HmtEvent[];
  stats: HmtStats;
}

/** Writes batches of records, and reads them back. */
async function there(
  batches: readonly BigUint64Array[],
  { pack = false, whole = true, eventOf = NO_EVENT, about = NOTHING } = {},
): Promise<Written> {
  const parts: Uint8Array[] = [];
  const options = pack
    ? { recorder: "a test", compress: (bytes: Uint8Array) => compress(bytes, 3) }
    : { recorder: "a test" };
  const writer = new HmtWriter(text, (bytes) => parts.push(bytes.slice()), options);
  for (const batch of batches) {
    writer.describe(about);
    writer.write(batch, eventOf);
  }
  writer.end({ whole, lost: 7 });
  const bytes = Buffer.concat(parts);
  assert.is(bytes.length, writer.bytes);
  const decoder = await HmtDecoder.create(text);
  const blocks: Written["blocks"] = [];
  decoder.feed(bytes, ({ thread, records, events }) =>
    blocks.push({ thread, records: [...records], events }),
  );
  const stats = decoder.end();
  const records = blocks.flatMap((each) => each.records);
  return { bytes, blocks, records, events: blocks.flatMap((each) => each.events), stats };
}

/** Records of a random program: sites that stride, chase, or jump anywhere, by some threads. */
function program(random: Random, count: number, threads: number): BigUint64Array {
  const pick = <T>(...from: T[]): T => from[random.below(from.length)];
  const sites = Array.from({ length: pick(1, 3, 3, 300) }, () => ({
    what: BigInt(random.below(16)) | (BigInt(random.below(3)) << 8n) | (BigInt(random.below(2 ** 32)) << 32n),
    size: BigInt(pick(1, 4, 8, 12, 4096, 65535)),
    address: BigInt(random.below(2 ** 32)) << 16n,
    step: BigInt(pick(0, 4, 8, 4096, -8)),
  }));
  const words = new BigUint64Array(2 * count);
  let thread = 0;
  for (let i = 0; i < count; i++) {
    const site = sites[random.below(8) === 0 ? random.below(sites.length) : i % sites.length];
    site.address =
      random.below(6) === 0
        ? BigInt(random.below(2 ** 32)) << 16n
        : BigInt.asUintN(48, site.address + site.step);
    if (random.below(pick(2, 40)) === 0) thread = pick(0, 65535, random.below(threads));
    words[2 * i] = site.address | (site.size << 48n);
    words[2 * i + 1] = site.what | (BigInt(threads === 1 ? 3 : thread) << 16n);
  }
  return words;
}

const test = suite("hmt writer");

test("random records come back, plain and packed, from both readers", async () => {
  const random = new Random(SEED);
  const codecs = new Set<number>();
  for (let round = 0; round < 60; round++) {
    const batches = Array.from({ length: 1 + random.below(3) }, () =>
      program(random, random.below(400), random.below(3) === 0 ? 1 : 40),
    );
    const records = batches.flatMap((batch) => [...batch]);
    for (const pack of [false, true]) {
      const got = await there(batches, { pack });
      assert.equal(got.records, records, `seed ${SEED}, round ${round}`);
      const { blocks, end, recorder } = readHmt(got.bytes);
      const plain = blocks.flatMap((each) =>
        each.records.flatMap(({ address, size, kind, agent, thread, code }) => [
          BigInt(address) | (BigInt(size) << 48n),
          BigInt(kind) | (BigInt(agent) << 8n) | (BigInt(thread) << 16n) | (BigInt(code) << 32n),
        ]),
      );
      assert.equal(plain, records);
      const threads = new Set(records.filter((_, i) => i % 2 === 1).map((word) => (word >> 16n) & 65535n))
        .size;
      assert.equal(end, { records: records.length / 2, events: 0, lost: 7, threads, signal: 0 });
      assert.is(recorder, "a test");
      for (const { codec } of blocks) codecs.add(codec);
    }
  }
  assert.equal([...codecs].sort(), [0, 1, 2], "each codec was used");
});

test("a long trace is cut into blocks; a block has one thread if it would not be short", async () => {
  const random = new Random(SEED);
  const one = program(random, 70000, 1);
  const other = program(random, 5000, 1).map((word, i) => (i % 2 === 1 ? word ^ (5n << 16n) : word));
  const few = other.subarray(0, 2 * 100);
  const batches = [one, other, few, one.subarray(0, 2 * 10)];
  const { records, blocks } = await there(batches);
  assert.equal(
    blocks.map(({ thread, records }) => [thread, records.length / 2]),
    [
      [3, 65536],
      [3, 70000 - 65536],
      [3 ^ 5, 5100],
      [3, 10],
    ],
  );
  assert.equal(
    records,
    batches.flatMap((batch) => [...batch]),
  );
  const mixed = await there([few, one.subarray(0, 20000)]);
  assert.equal(
    mixed.blocks.map(({ thread, records }) => [thread, records.length / 2]),
    [[null, 10100]],
  );
});

test("events come back with their names, and definitions before the blocks that need them", async () => {
  const random = new Random(SEED);
  const count = 3000;
  const words = program(random, count, 40);
  const events: HmtEvent[] = [];
  for (let i = 0; i < count; i += 1 + random.below(50)) {
    const kind = 16 + random.below(8);
    words[2 * i] = 0n;
    words[2 * i + 1] = BigInt(kind) | (BigInt(random.below(9)) << 16n) | (BigInt(events.length) << 32n);
    events.push({
      kind,
      advice: random.below(7),
      device: [0, 2, 65535][random.below(3)],
      name: ["", "sweep", "größe", `k${i}`][random.below(4)],
      address: random.below(2 ** 32) * 2 ** 15,
      bytes: random.below(2 ** 30),
    });
  }
  const about: HmtAbout = {
    program: "./program 1 2",
    modules: [{ code: 65536, bytes: 4096, address: 2 ** 40, link: 65536, path: "/bin/program" }],
    threads: new Map([
      [0, 65535],
      [3, 0],
    ]),
  };
  const got = await there([words, words], { about, eventOf: (_, id) => events[id] });
  assert.equal(got.events, [...events, ...events]);
  const { program: command, modules, threads, lost, cut, accesses } = got.stats;
  assert.equal({ program: command, modules, threads }, about);
  assert.equal([lost, cut, accesses], [7, false, 2 * (count - events.length)]);
  // A mark's id becomes its index among its block's events; all else is as it was.
  const withoutMarks = (all: ArrayLike<bigint>): bigint[] =>
    Array.from(all).filter((_, i) => (all[i | 1] & 255n) < 16n);
  assert.equal(withoutMarks(got.records), withoutMarks([...words, ...words]));
});

test("a trace that is not whole has no end block", async () => {
  const { stats, records } = await there([program(new Random(SEED), 10, 1)], { whole: false });
  assert.equal([stats.cut, records.length], [true, 20]);
  assert.is((await there([])).stats.accesses, 0);
});

test("the columns of the worst block fit", async () => {
  // Every record has a site of its own, is far from all others, and is another thread's.
  const random = new Random(SEED);
  const words = new BigUint64Array(2 * 65536);
  for (let i = 0; i < words.length; i += 2) {
    words[i] = (BigInt(random.below(2 ** 32)) << 16n) | (1n << 48n);
    words[i + 1] = (BigInt(i) << 32n) | (BigInt(random.below(65536)) << 16n);
  }
  assert.equal((await there([words])).records, [...words]);
  // Nothing but events.
  const events = words.map((word, i) => (i % 2 === 0 ? 0n : 20n | (word & 0xffff0000n)));
  const got = await there([events]);
  assert.is(got.events.length, 65536);
  assert.equal(
    [...got.blocks[0].records].filter((_, i) => i % 2 === 1).map((word) => word & 0xffffffffn),
    [...events].filter((_, i) => i % 2 === 1),
  );
});

test("sizes: what a regular program takes, and an irregular one", async () => {
  const perAccess = async (spec: string): Promise<number> => {
    const workload = openWorkload(spec);
    const got = await there(
      [...workload.blocks()].map((each) => each.slice()),
      { pack: true },
    );
    return got.bytes.length / got.stats.accesses;
  };
  for (const spec of ["stencil2d:size=1MiB,grain=8", "stream:size=2MiB"])
    assert.ok((await perAccess(spec)) < 1, spec);
  for (const spec of [
    "hashjoin:size=8MiB",
    "gups:size=64MiB,updates=200000",
    "gups:size=8GiB,updates=200000",
  ])
    assert.ok((await perAccess(spec)) < 4, spec);
});

test("fuzz: any column of threads gives the same records, or an error, in both readers", async () => {
  const random = new Random(SEED);
  const base = payloadOf([1, 2, 3, 4].map((n) => ({ address: 16 * n, size: 8, kind: 0, agent: 0 })));
  const seen = { records: 0, error: 0 };
  for (let i = 0; i < 2000; i++) {
    const column = Array.from(
      { length: random.below(9) },
      () => [1, 2, 0, 4, 129, 255, random.below(256)][random.below(7)],
    );
    const good = random.below(3) === 0 ? [1, 4, 3, 1] : column;
    const length = random.below(10) === 0 ? random.below(200) : good.length;
    const file = hmtFile(block(4, Uint8Array.from([...base, ...good, length, 0, 0, 0]), { records: 4 }));
    let expected: bigint[] | null;
    try {
      expected = readHmt(file).blocks[0].records.map(({ thread }) => BigInt(thread));
    } catch (error) {
      assert.instance(error, HmtError);
      expected = null;
    }
    const decoder = await HmtDecoder.create(text);
    let got: bigint[] | null = null;
    try {
      decoder.feed(file, ({ records }) => {
        got = [...records].filter((_, at) => at % 2 === 1).map((word) => (word >> 16n) & 65535n);
      });
    } catch (error) {
      assert.instance(error, HmtFormatError);
    }
    decoder.close();
    assert.equal(got, expected, JSON.stringify({ good, length }));
    seen[expected === null ? "error" : "records"]++;
  }
  assert.ok(seen.records > 300 && seen.error > 300, JSON.stringify(seen));
});
test("places of a loop that look alike get sites of their own", async () => {
  // A stencil: four loads of one kind and a store, and after 8 bytes the same again.
  const [load, store, size] = [0n, 1n, 8n << 48n];
  const cells = 1000;
  const row = 1n << 20n;
  const words: bigint[] = [];
  for (let i = 0n; i < cells; i++) {
    const at = (1n << 30n) + 8n * i;
    for (const address of [at - 8n, at + 8n, at - row, at + row]) words.push(address | size, load);
    words.push((1n << 40n) | (8n * i) | size, store);
  }
  const { bytes, records } = await there([BigUint64Array.from(words)]);
  assert.equal(records, words);
  // Only the first cells take bytes: an access that is not expected takes at least two, its form and its run.
  assert.ok(bytes.length < words.length / 2 / 10, String(bytes.length));
});
test.run();
