/** The workloads' first accesses and totals, derived by hand or by a second, plain implementation. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload, WORKLOADS, WorkloadError } from "../../../src/sim/workload/index.ts";
import { recordsOf } from "../../text/reference.ts";

const BASE = 2 ** 40;
const MIB2 = 2 ** 21;
const LETTERS: Record<number, string> = { 0: "L", 1: "S", 2: "M", 16: "begin", 17: "end" };

interface Access {
  kind: string;
  address: number;
  size: number;
  agent: number;
  thread: number;
  range: number;
}

/** All records of a workload. */
function records(text: string): Access[] {
  const found: Access[] = [];
  for (const block of openWorkload(text).blocks())
    for (const { address, size, kind, agent, thread, id } of recordsOf(block))
      found.push({ kind: LETTERS[kind], address, size, agent, thread, range: id });
  return found;
}

/** Each access as `kind range+offset`, where ranges lie 2 MiB apart; markers are left out. */
function places(text: string): string[] {
  return records(text)
    .filter(({ kind }) => kind.length === 1)
    .map(({ kind, address, range }) => `${kind} ${range}+${address - BASE - range * MIB2}`);
}

const test = suite("workloads");

test("add: the CPU writes x and y, the device loads x[i] and y[i] and stores y[i], the CPU reads y", () => {
  const spec = "add:size=16KiB,grain=4KiB";
  assert.equal(places(spec), [
    ...["S 0+0", "S 0+4096", "S 1+0", "S 1+4096"],
    ...["L 0+0", "L 1+0", "S 1+0", "L 0+4096", "L 1+4096", "S 1+4096"],
    ...["L 1+0", "L 1+4096"],
  ]);
  const all = records(spec);
  assert.equal(
    all.filter(({ kind }) => kind.length > 1).map(({ kind, range }) => `${kind} ${range}`),
    ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"],
  );
  const device = all.filter(({ agent }) => agent === 1);
  assert.equal(
    device.map(({ thread }) => thread),
    [0, 0, 0, 1, 1, 1],
  );
  assert.equal([...new Set(device.map(({ size }) => size))], [4096]);
});

test("add: of T threads, thread t has the elements t, t + T, …", () => {
  for (const [threads, expected] of [
    [1, [0, 0, 0, 0, 0]],
    [2, [0, 1, 0, 1, 0]],
    [4, [0, 1, 2, 3, 0]],
    [65536, [0, 1, 2, 3, 4]],
  ] as const) {
    const spec = `add:size=40KiB,grain=4KiB,init=none,read=none,threads=${threads}`;
    const found = records(spec).filter(({ kind }) => kind === "S");
    assert.equal(
      found.map(({ thread }) => thread),
      expected,
    );
    assert.equal(
      places(spec),
      [0, 1, 2, 3, 4].flatMap((i) => [`L 0+${4096 * i}`, `L 1+${4096 * i}`, `S 1+${4096 * i}`]),
    );
  }
});

test("stream: copy, scale, add and triad read and write a, b and c as McCalpin's do", () => {
  // 24 bytes: one 8-byte element each of a (0), b (1) and c (2).
  const spec = "stream:size=24,grain=8,init=none,read=none";
  assert.equal(places(spec), [
    ...["L 0+0", "S 2+0"],
    ...["L 2+0", "S 1+0"],
    ...["L 0+0", "L 1+0", "S 2+0"],
    ...["L 1+0", "L 2+0", "S 0+0"],
  ]);
  assert.equal(places("stream:size=24,grain=8,init=none,read=none,kernel=triad"), places(spec).slice(7));
});

test("stencil2d: the one inner point of a 3 × 3 square, from its neighbors", () => {
  // Two arrays of 9 points of 8 bytes. The point is 1 × 24 + 8 = 32; its neighbors lie 24 above and below, 8
  // aside.
  const around = (a: number, b: number): string[] => [
    ...[8, 24, 40, 32, 56].map((offset) => `L ${a}+${offset}`),
    `S ${b}+32`,
  ];
  const found = places("stencil2d:size=144,grain=8,init=none,read=none,iterations=2");
  assert.equal([...found].sort(), [...around(0, 1), ...around(1, 0)].sort());
  assert.equal(found[5], "S 1+32");
  assert.equal(found[11], "S 0+32");
});

test("stencil3d: an inner point has six neighbors", () => {
  // 3 × 3 × 3 points: 216 bytes an array. The inner one is 72 + 24 + 8 = 104.
  const found = places("stencil3d:size=432,grain=8,init=none,read=none,iterations=1");
  const offsets = [104 - 72, 104 - 24, 104 - 8, 104, 104 + 8, 104 + 24, 104 + 72];
  assert.equal([...found].sort(), [...offsets.map((offset) => `L 0+${offset}`), "S 1+104"].sort());
});

test("hotspot: four kernels over three arrays 4 MiB apart, whose source and target change places", () => {
  const all = records("hotspot");
  const device = all.filter(({ kind, agent }) => kind.length === 1 && agent === 1);
  // 4 kernels × 3 accesses × 1,024 pages.
  assert.is(device.length, 12_288);
  const shown = device.map(({ kind, address }) => `${kind} ${address.toString(16)}`);
  assert.equal(shown.slice(0, 3), ["L c0000000", "L c0800000", "S c0400000"]);
  assert.equal(shown.slice(3, 6), ["L c0001000", "L c0801000", "S c0401000"]);
  assert.equal(shown.slice(3072, 3075), ["L c0400000", "L c0800000", "S c0000000"]);
  assert.is(shown[12_287], "S c03ff000");
  // The CPU writes the first source and the power, and reads the last target.
  const cpu = all.filter(({ kind, agent }) => kind.length === 1 && agent === 0);
  assert.is(cpu.length, 3 * 1024);
  assert.equal(
    [0, 1024, 2048].map((i) => `${cpu[i].kind} ${cpu[i].address.toString(16)}`),
    ["S c0000000", "S c0800000", "L c0000000"],
  );
  assert.is(places("hotspot:iterations=1,init=none,read=none").length, 3072);
});

test("matmul: rows of A times columns of B, and by tiles", () => {
  // 2 × 2 doubles: rows of 16 bytes.
  const row = (i: number): string[] => [
    ...[0, 1].flatMap((j) => [0, 1].flatMap((k) => [`L 0+${i * 16 + k * 8}`, `L 1+${k * 16 + j * 8}`])),
    ...[`S 2+${i * 16}`, `S 2+${i * 16 + 8}`],
  ];
  const options = "init=none,read=none";
  assert.equal(places(`matmul:size=96,tile=1,${options}`), [...row(0), ...row(1)]);
  // One tile: its two rows of A and of B, then of C.
  const tile = ["L 0+0", "L 1+0", "L 0+16", "L 1+16", "S 2+0", "S 2+16"];
  assert.equal(places(`matmul:size=96,tile=2,${options}`), tile);
});

test("gups: the given number of updates of words all over the table, the same for the same seed", () => {
  const spec = "gups:size=1MiB,updates=20000,seed=7";
  const found = records(spec).filter(({ kind }) => kind === "M");
  assert.is(found.length, 20000);
  assert.ok(found.every(({ address, size }) => size === 8 && address % 8 === 0));
  assert.ok(found.every(({ address }) => address >= BASE && address < BASE + 2 ** 20));
  const pages = new Set(found.map(({ address }) => Math.floor(address / 4096)));
  assert.is(pages.size, 256);
  assert.equal(records(spec), records(spec));
  assert.not.equal(places(spec), places("gups:size=1MiB,updates=20000,seed=8"));
});

test("chase: every node once a round, never in order", () => {
  const found = places("chase:size=64KiB,node=64,rounds=2");
  assert.is(found.length, 2 * 1024);
  const round = found.slice(0, 1024);
  assert.is(new Set(round).size, 1024);
  assert.equal(found.slice(1024), round);
  const offsets = round.map((place) => Number(place.split("+")[1]));
  const next = offsets.filter((offset, i) => i > 0 && offset === offsets[i - 1] + 64).length;
  assert.ok(next < 20, `${next} steps to the next node`);
});

test("zipf: ranks appear in proportion to their powers, below the table's limit and beyond it", () => {
  const draws = 400_000;
  for (const [items, s] of [
    [1000, 1],
    [1000, 0.5],
    [1_000_000, 0.8],
  ]) {
    const found = places(`zipf:size=${items * 4096},accesses=${draws},exponent=${s}`);
    const counts = new Map<string, number>();
    for (const place of found) counts.set(place, (counts.get(place) ?? 0) + 1);
    let total = 0;
    for (let k = 1; k <= items; k++) total += k ** -s;
    const ranked = [...counts.values()].sort((a, b) => b - a);
    // Four standard deviations around what is expected of the first ranks together.
    const share = [1, 2, 3, 4, 5].reduce((sum, k) => sum + k ** -s, 0) / total;
    const first = ranked.slice(0, 5).reduce((sum, n) => sum + n, 0);
    const expected = draws * share;
    assert.ok(
      Math.abs(first - expected) < 4 * Math.sqrt(expected) + 5,
      `${items}: ${first}, not ${expected}`,
    );
    if (items !== 1_000_000) continue;
    // Ranks from 2,048 on have no entry of their own: they must still get their share.
    let rest = 0;
    for (let k = 2048; k <= items; k++) rest += k ** -s;
    const distinct = counts.size;
    let unseen = 0;
    for (let k = 1; k <= items; k++) unseen += Math.exp((-draws * k ** -s) / total);
    assert.ok(
      Math.abs(distinct - (items - unseen)) < 0.01 * items,
      `${distinct} distinct pieces, rest ${rest}`,
    );
  }
});

test("zipf: exponent 0 makes all pieces equally likely; writes is the share of stores", () => {
  const found = records("zipf:size=400KiB,accesses=100000,exponent=0,writes=25%").filter(
    ({ kind }) => kind.length === 1,
  );
  const counts = new Map<number, number>();
  for (const { address } of found) counts.set(address, (counts.get(address) ?? 0) + 1);
  assert.is(counts.size, 100);
  for (const n of counts.values()) assert.ok(Math.abs(n - 1000) < 5 * Math.sqrt(1000), `${n}`);
  const stores = found.filter(({ kind }) => kind === "S").length;
  assert.ok(Math.abs(stores - 25000) < 4 * Math.sqrt(25000), `${stores}`);
});

test("zipf: pieces are those of the table, however far their number is from a power of two", () => {
  for (const items of [64, 65, 127]) {
    const found = new Set(places(`zipf:size=${items * 4}KiB,accesses=20000,exponent=0`));
    assert.is(found.size, items);
    assert.ok([...found].every((place) => Number(place.slice(4)) < items * 4096));
  }
});

test("hashjoin: R is read once and fills every second bucket at most once; S is read once and probes", () => {
  // 16-byte rows: R has 256, the table 512 buckets, S 1,024: 28,672 bytes of 28 KiB.
  const found = places("hashjoin:size=28KiB,ratio=4,init=none");
  const build = found.slice(0, 512);
  assert.equal(
    build.filter((_, i) => i % 2 === 0),
    Array.from({ length: 256 }, (_, i) => `L 0+${16 * i}`),
  );
  const filled = build.filter((_, i) => i % 2 === 1);
  assert.is(new Set(filled).size, 256);
  assert.ok(filled.every((place) => /^S 1\+\d+$/.test(place) && Number(place.slice(4)) < 512 * 16));
  const probe = found.slice(512);
  assert.is(probe.length, 2048);
  assert.is(probe[2046], `L 2+${16 * 1023}`);
  assert.ok(probe.every((place, i) => place.startsWith(i % 2 === 0 ? "L 2+" : "L 1+")));
});

test("kvcache: a prompt is written, a step reads the context and writes a token, layer by layer", () => {
  // A token is 1 head × 8 numbers × 2 bytes = 16 bytes a layer, a block of 2 tokens 32. The prompt has 1 or 2
  // tokens, as the seed draws: its size says which. The next token stands right after it.
  const spec = "kvcache:layers=2,requests=1,prompt=1,output=1,heads=1,dim=8,block=2,size=4KiB";
  const layer = 1024; // 4 KiB are 32 blocks in each of two layers, keys and values apart
  const pair = (kind: string, offset: number): string[] => [`${kind} 0+${offset}`, `${kind} 1+${offset}`];
  const both = (kind: string, offset: number): string[] => [
    ...pair(kind, offset),
    ...pair(kind, layer + offset),
  ];
  const found = places(spec);
  const prompt = records(spec)[1].size;
  assert.ok(prompt === 16 || prompt === 32);
  const begun = records(spec).filter(({ kind }) => kind === "begin").length;
  assert.equal(found.slice(0, 4), both("S", 0));
  assert.ok(begun >= 2);
  const decode = found.slice(4);
  assert.equal(decode.slice(0, 4), both("L", 0));
  assert.equal(decode.slice(4, 8), both("S", prompt));
});

test("kvcache: when the cache is full, the last request moves to the host and comes back", () => {
  const spec = "kvcache:layers=1,requests=6,batch=3,prompt=8,output=8,heads=1,dim=8,block=2,size=1152";
  const open = openWorkload(spec);
  const blocks = [...open.blocks()].length;
  assert.ok(blocks > 0);
  const { kernels } = open;
  const count = (name: string): number => kernels.filter((kernel) => kernel === name).length;
  assert.is(count("prefill"), 6);
  assert.ok(count("move out") > 0);
  assert.is(count("move in"), count("move out"));
  // What leaves for the host comes back whole: as many loads from there as stores to it.
  const host = records(spec).filter(({ range, kind }) => range >= 2 && kind.length === 1);
  assert.is(host.filter(({ kind }) => kind === "L").length, host.filter(({ kind }) => kind === "S").length);
});

test("an unknown name or value is an error that lists the known ones", () => {
  const message = (text: string): string => {
    try {
      openWorkload(text);
    } catch (error) {
      assert.instance(error, WorkloadError);
      return (error as Error).message;
    }
    return assert.unreachable(text) as unknown as string;
  };
  assert.match(message("gup"), /no workload is named "gup"; there are add, .*gups/);
  assert.match(message("gups:siz=1"), /gups has no parameter siz; it has size, updates, seed, init/);
  assert.match(message("gups:size"), /expected key=value, found "size"/);
  assert.match(message("gups:size=8,size=9"), /size is given twice/);
  assert.match(message("gups:size=1XiB"), /size=1XiB: expected a size, like 64MiB/);
  assert.match(message("gups:size=8"), /size=8: expected at least 16/);
  assert.match(message("zipf:writes=2"), /writes=2: expected a number from 0 to 1/);
  assert.match(message("add:init=gpu"), /init=gpu: expected one of cpu, none/);
  assert.match(message("add:grain=64KiB"), /grain=64KiB: expected at most 32768/);
  assert.match(message("stencil2d:size=64"), /give no rows of whole 64-byte grains/);
});

test("every workload runs with scaled-down defaults and names its kernels", () => {
  for (const name of Object.keys(WORKLOADS)) {
    const { parameters } = WORKLOADS[name];
    const small = ["scale" in parameters ? "scale=6" : "", "accesses" in parameters ? "accesses=999" : ""];
    const spec = `${name}:${small.filter((text) => text !== "").join(",")}`.replace(/:$/, "");
    const open = openWorkload(spec);
    let n = 0;
    let outside = 0;
    const [first, last] = [open.ranges[0], open.ranges[open.ranges.length - 1]];
    for (const block of open.blocks()) {
      n += block.length / 2;
      const halves = new Uint32Array(block.buffer, block.byteOffset, 2 * block.length);
      for (let i = 0; i < halves.length && name !== "kvcache"; i += 4) {
        const address = halves[i] + (halves[i + 1] & 0xffff) * 2 ** 32;
        const access = (halves[i + 2] & 255) < 16;
        if (access && (address < first.start || address >= last.start + last.bytes)) outside++;
      }
    }
    assert.ok(n > 100, `${name}: ${n}`);
    assert.is(outside, 0, name);
    assert.ok(open.kernels.length > 0, name);
  }
});
test.run();
