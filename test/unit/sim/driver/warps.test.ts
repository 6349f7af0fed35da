/** Instructions of warps: lockstep by record number, distinct pages, sectors. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ACCESS_ATOMIC_STRONG, ACCESS_READ, ACCESS_WRITE } from "../../../../src/sim/driver/processor.ts";
import { WarpScheduler } from "../../../../src/sim/driver/warp-scheduler.ts";
import type { WarpSchedule } from "../../../../src/sim/driver/warps.ts";
import { writeRecord, type Access } from "../../../../src/sim.ts";
import { Random } from "../../../../src/engine/random.ts";
import { PAGE } from "./machines.ts";

const BASE = 0x40000000;
const FIRST = BASE / PAGE;

/** What a warp does: the halves of its instructions, as in "load 0 2" with pages counted from BASE. */
function program(schedule: WarpSchedule, from: number, end: number): string[] {
  const texts: string[] = [];
  for (let at = from; at < end;) {
    const to = schedule.instruction(at, end);
    for (const store of [false, true]) {
      if (!(store ? schedule.stores : schedule.loads)) continue;
      schedule.gather(at, to, store);
      texts.push([store ? "store" : "load", ...schedule.pages.map((page) => page - FIRST)].join(" "));
    }
    at = to;
  }
  return texts;
}
/** The device's records of some accesses. */
function wordsOf(accesses: readonly Partial<Access>[]): Uint32Array {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((one, i) => writeRecord(records, i, { kind: "load", size: 4, agent: 1, ...one }));
  return new Uint32Array(records.buffer);
}
/** What all warps do, by number. */
function programs(accesses: readonly Partial<Access>[], by = new WarpScheduler()): [number, string[]][] {
  const schedule = by.schedule(wordsOf(accesses), accesses.length);
  return schedule.warps.map(([warp, from, to]) => [warp, program(schedule, from, to)]);
}
const at = (page: number, thread: number, kind: Access["kind"] = "load"): Partial<Access> => ({
  kind,
  address: BASE + page * PAGE,
  thread,
});

const test = suite("driver: warps");
test("threads 32 k to 32 k + 31 are warp k, and the n-th records of its threads are one instruction", () => {
  const byStep = [at(0, 0), at(1, 31), at(5, 32), at(2, 0), at(3, 31)];
  assert.equal(programs(byStep), [
    [0, ["load 0 1", "load 2 3"]],
    [1, ["load 5"]],
  ]);
  const byThread = [at(5, 32), at(1, 31), at(3, 31), at(0, 0), at(2, 0)];
  assert.equal(programs(byThread), programs(byStep), "the order of the records in the trace is of no matter");
});
test("an instruction accesses each distinct page once, lanes ascending", () => {
  assert.equal(programs([at(3, 0), at(1, 1), at(3, 2), at(2, 3)]), [[0, ["load 3 1 2"]]]);
});
test("a modify is a load and then a store; lanes that load and lanes that store are two instructions", () => {
  assert.equal(programs([at(0, 0, "modify")]), [[0, ["load 0", "store 0"]]]);
  assert.equal(programs([at(0, 0, "store"), at(1, 1)]), [[0, ["load 1", "store 0"]]]);
});
test("an access that crosses pages is of all of them", () => {
  assert.equal(programs([{ address: BASE + PAGE - 2, size: 2 * PAGE }]), [[0, ["load 0 1 2"]]]);
});
test("record numbers go on in the next schedule, until a kernel begins", () => {
  const builder = new WarpScheduler();
  programs([at(0, 0), at(0, 1), at(0, 1)], builder);
  // Thread 0 is at its record 1, thread 1 at its record 2.
  assert.equal(programs([at(1, 0), at(2, 1)], builder), [[0, ["load 1", "load 2"]]]);
  builder.restart();
  assert.equal(programs([at(1, 0), at(2, 1)], builder), [[0, ["load 1 2"]]]);
});
test("lanes that fall behind are in step by their numbers, in any order of the records", () => {
  const random = new Random(5);
  const scheduler = new WarpScheduler();
  const made = new Map<number, number>();
  for (let n = 0; n < 20; n++) {
    const threads = Array.from(
      { length: 300 },
      () => 32 * random.below(2) + random.below(1 + random.below(32)),
    );
    const accesses = threads.map((thread, i) => at(i, thread));
    const numbered = threads.map((thread, page) => {
      const number = made.get(thread) ?? 0;
      made.set(thread, number + 1);
      return { thread, number, page };
    });
    const expected = [0, 1].map((warp) => {
      const own = numbered.filter(({ thread }) => thread >> 5 === warp);
      const numbers = [...new Set(own.map(({ number }) => number))].sort((a, b) => a - b);
      const pages = (number: number): number[] =>
        own
          .filter((one) => one.number === number)
          .sort((a, b) => a.thread - b.thread)
          .map(({ page }) => page);
      return [warp, numbers.map((number) => ["load", ...pages(number)].join(" "))];
    });
    assert.equal(programs(accesses, scheduler), expected);
  }
});
test("records that need no place are numbered one by one, or in an array that others count in", () => {
  const scheduler = new WarpScheduler();
  scheduler.skip(3);
  const next = new Uint32Array(65536);
  scheduler.numberIn(next);
  next[65535] += 2;
  scheduler.skip(3);
  assert.equal(scheduler.state(), [
    [3, 2],
    [65535, 2],
  ]);
});
test("sectors of 32 bytes count once an instruction; the strongest access of the lanes holds", () => {
  const words = wordsOf([
    { address: BASE + 30, thread: 0 },
    { address: BASE + 32, thread: 1 },
    { kind: "store", address: BASE + 4064, size: 33, thread: 2 },
  ]);
  const schedule = new WarpScheduler().schedule(words, 3);
  // Bytes 30 to 33 and 32 to 35 are in sectors 0 and 1; byte 4064 begins the last one, 4096 the next page.
  assert.is(schedule.sectors(0, 3, false, FIRST), 2);
  assert.is(schedule.sectors(0, 3, true, FIRST), 1);
  assert.is(schedule.sectors(0, 3, true, FIRST + 1), 1);
  schedule.gather(0, 3, false);
  assert.equal([schedule.pages, schedule.accesses], [[FIRST], [ACCESS_READ]]);
  schedule.gather(0, 3, true);
  assert.equal(
    [schedule.pages, schedule.accesses],
    [
      [FIRST, FIRST + 1],
      [ACCESS_WRITE, ACCESS_WRITE],
    ],
  );
  words[4 + 2] |= 4; // the second load is atomic
  schedule.gather(0, 3, false);
  assert.equal(schedule.accesses, [ACCESS_ATOMIC_STRONG]);
});
test.run();
