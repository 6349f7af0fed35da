/** Instructions of warps: lockstep by record number, distinct pages, sectors. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ACCESS_ATOMIC_STRONG, ACCESS_READ, ACCESS_WRITE } from "../../../../src/sim/driver/processor.ts";
import { WarpBuilder } from "../../../../src/sim/driver/warps.ts";
import { writeRecord, type Access } from "../../../../src/sim.ts";
import { PAGE } from "./machines.ts";

const BASE = 0x40000000;
const FIRST = BASE / PAGE;

/** What the warps do: for each, its instructions, as texts such as "load 0 2": the pages from BASE on. */
function programs(accesses: readonly Partial<Access>[], builder = new WarpBuilder()): [number, string[]][] {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((one, i) => writeRecord(records, i, { kind: "load", size: 4, agent: 1, ...one }));
  const built = builder.build(new Uint32Array(records.buffer), accesses.length);
  return [...built].map(([warp, program]) => [
    warp,
    [...{ [Symbol.iterator]: () => program }].map(({ store, accesses }) =>
      [store ? "store" : "load", ...accesses.map(({ page }) => page - FIRST)].join(" "),
    ),
  ]);
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
test("record numbers go on in the next build, until a kernel begins", () => {
  const builder = new WarpBuilder();
  programs([at(0, 0), at(0, 1), at(0, 1)], builder);
  // Thread 0 is at its record 1, thread 1 at its record 2.
  assert.equal(programs([at(1, 0), at(2, 1)], builder), [[0, ["load 1", "load 2"]]]);
  builder.restart();
  assert.equal(programs([at(1, 0), at(2, 1)], builder), [[0, ["load 1 2"]]]);
});
test("sectors of 32 bytes count once an instruction; the strongest access of the lanes holds", () => {
  const records = new BigUint64Array(8);
  writeRecord(records, 0, { kind: "load", address: BASE + 30, size: 4, agent: 1, thread: 0 });
  writeRecord(records, 1, { kind: "load", address: BASE + 32, size: 4, agent: 1, thread: 1 });
  writeRecord(records, 2, { kind: "store", address: BASE + 4064, size: 32, agent: 1, thread: 2 });
  const words = new Uint32Array(records.buffer);
  const [[, program]] = new WarpBuilder().build(words, 3);
  const [load, store] = [...{ [Symbol.iterator]: () => program }];
  assert.equal(load.accesses, [{ page: FIRST, access: ACCESS_READ, sectors: new Uint32Array([3, 0, 0, 0]) }]);
  const last = new Uint32Array([0, 0, 0, 0x80000000]);
  assert.equal(store.accesses, [{ page: FIRST, access: ACCESS_WRITE, sectors: last }]);
  words[2] |= 4; // atomic
  const [[, atomics]] = new WarpBuilder().build(words, 2);
  assert.is([...{ [Symbol.iterator]: () => atomics }][0].accesses[0].access, ACCESS_ATOMIC_STRONG);
});
test.run();
