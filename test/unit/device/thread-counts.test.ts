/** Accesses by thread, against a count record by record. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm } from "../../../src/index.ts";
import { RecordArray } from "../../../src/device/replay.ts";
import { ThreadCounts, THREADS } from "../../../src/device/thread-counts.ts";
import { Random } from "../../../src/engine/random.ts";
import { writeRecord } from "../../../src/sim/record.ts";

const N = 5000;
const FETCH = 3n;

interface Case {
  records: BigUint64Array;
  /** By record: the thread if a device accesses; null: the CPU, or instructions. */
  threads: (number | null)[];
}

/** Records whose thread, agent and kind change with the given chances, in percent. */
function caseOf(seed: number, change: number, fetches: number): Case {
  const random = new Random(seed);
  const records = new BigUint64Array(2 * N);
  let [thread, agent] = [0, 1];
  const threads = Array.from({ length: N }, (_, i) => {
    if (random.below(100) < change) [thread, agent] = [random.below(4) * 21845, random.below(3)];
    writeRecord(records, i, { kind: random.pick(["load", "store", "modify"])!, address: i, agent, thread });
    // A modify that is atomic and a part of a copy is an access, too.
    records[2 * i + 1] |= BigInt(random.below(4)) << 2n;
    if (random.below(100) >= fetches) return agent === 0 ? null : thread;
    records[2 * i + 1] = (records[2 * i + 1] & ~0xffn) | FETCH | (BigInt(random.below(2)) << 3n);
    return null;
  });
  return { records, threads };
}

const test = suite("device: accesses by thread");
test("each access of a device counts for its thread; the CPU's and instructions do not", async () => {
  using hmm = await Hmm.create({ systemMemory: 16 << 20 });
  using array = new RecordArray(hmm, N);
  const given: [change: number, fetches: number][] = [
    [0, 0],
    [2, 0],
    [2, 5],
    [60, 10],
  ];
  for (const [i, [change, fetches]] of given.entries()) {
    const { records, threads } = caseOf(i + 1, change, fetches);
    array.set(records);
    const counts = new ThreadCounts(hmm);
    const expected = new Uint32Array(THREADS);
    // Counts add up over calls.
    for (const [at, n] of [
      [0, N],
      [7, N - 3],
      [5, 6],
      [9, 9],
    ]) {
      counts.count(array, at, n);
      for (const thread of threads.slice(at, n)) if (thread !== null) expected[thread]++;
    }
    assert.ok(counts.every((count, thread) => count === expected[thread]));
    counts.close();
  }
});
test.run();
