import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HmmError, MmapSem } from "../../../src/index.ts";
import { errorOf } from "../../util/driver.ts";

const test = suite("sem");

test("many readers or one writer", () => {
  const sem = new MmapSem();
  assert.is(sem.mode, "free");
  const first = sem.read("a");
  const second = sem.read("b");
  assert.is(sem.mode, "read");
  assert.equal(sem.holders, ["a", "b"]);
  first.close();
  first.close();
  assert.equal(sem.holders, ["b"]);
  second.close();
  const writer = sem.write("w");
  assert.is(sem.mode, "write");
  assert.is(sem.tryRead(), null);
  assert.is(sem.tryWrite(), null);
  writer.close();
  assert.is(sem.mode, "free");
  assert.not(writer.held);
});

test("a call that would wait forever throws and names the holders", () => {
  const sem = new MmapSem();
  const reader = sem.read("populate");
  const error = errorOf(() => sem.write("munmap")) as HmmError;
  assert.instance(error, HmmError);
  assert.is(error.code, "EDEADLK");
  assert.match(error.message, /munmap.*would deadlock.*held for read by populate/);
  reader.close();
  const writer = sem.write("exec");
  assert.match(errorOf(() => sem.read())!.message, /held for write by exec/);
  writer.close();
});

test("`using` releases the lock", () => {
  const sem = new MmapSem();
  {
    using _guard = sem.write();
    assert.is(sem.mode, "write");
  }
  assert.is(sem.mode, "free");
});

test("waiters get the lock in order: later readers do not overtake a writer", async () => {
  const sem = new MmapSem();
  const order: string[] = [];
  const hold = sem.read();
  const take = async (name: string, write: boolean): Promise<void> => {
    const guard = await (write ? sem.writeAsync(name) : sem.readAsync(name));
    order.push(name);
    await Promise.resolve();
    guard.close();
  };
  const all = [take("w1", true), take("r1", false), take("r2", false), take("w2", true), take("r3", false)];
  await Promise.resolve();
  assert.equal(order, []);
  hold.close();
  await Promise.all(all);
  assert.equal(order, ["w1", "r1", "r2", "w2", "r3"]);
  assert.is(sem.mode, "free");
});

test("a nested reader does not wait for a waiting writer", async () => {
  const sem = new MmapSem();
  const outer = await sem.readAsync();
  const writer = sem.writeAsync();
  const waiting = sem.readAsync("early");
  sem.nest(1);
  const early = await waiting;
  const inner = await sem.readAsync("inner");
  assert.is(sem.holders.length, 3);
  inner.close();
  early.close();
  sem.nest(-1);
  outer.close();
  (await writer).close();
  assert.is(sem.mode, "free");
});

test("demand names the operation and the state of the lock", () => {
  const sem = new MmapSem();
  assert.match(
    errorOf(() => sem.demand("hmmVmaFault", false))!.message,
    /hmmVmaFault: mmapSem must be held.*free/,
  );
  const reader = sem.read("r");
  sem.demand("x", false);
  assert.instance(
    errorOf(() => sem.demand("x", true)),
    TypeError,
  );
  reader.close();
});

test.run();
