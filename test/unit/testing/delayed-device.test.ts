/**
 * DelayedDevice, whose copies finish later: the CPU faults that it serves, and the order that its seed makes.
 */
import * as assert from "uvu/assert";
import { FAULT_KIND_DEVICE, FAULT_KIND_SPURIOUS, PAGE_SIZE, type Hmm } from "../../../src/index.ts";
import { DelayedDevice } from "../../../src/testing.ts";
import {
  AsyncScenarios,
  makeProcess,
  migrated,
  N,
  page,
  settled,
  toDevice,
  toSystem,
} from "../../util/async-fixture.ts";

const scenarios = new AsyncScenarios();
const scenario = scenarios.add;

scenario("one page comes back once, however many accesses wait for it", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  await migrated(fixture);
  const faults = [mm.faultAsync(addr), mm.faultAsync(addr)];
  const reads = [mm.readAsync(addr, 8), mm.readAsync(addr + 8, 8)];
  await device.until(1);
  assert.is(await settled(faults[0]), false);
  assert.is(device.pending.length, 1, "one copy for all");
  assert.throws(() => mm.load32(addr), /EAGAIN/);
  hmm.verify();
  device.finish();
  await Promise.all(faults);
  for (const bytes of await Promise.all(reads)) assert.equal(bytes, new Uint8Array(8).fill(1));
  assert.is(device.devmem.usedPages, N - 1);
  assert.is(hmm.stats.pagesToSystem, 1);
});

scenario("after faultAsync the CPU can use the page", async (fixture) => {
  const { device, mm, addr } = fixture;
  await migrated(fixture, 1);
  const kind = await device.settle(mm.faultAsync(addr, { write: true }));
  assert.ok(kind === FAULT_KIND_DEVICE || kind === FAULT_KIND_SPURIOUS);
  assert.is(device.devmem.usedPages, 0);
  mm.store32(addr, 5);
  assert.is(mm.load32(addr), 5);
});

scenario(
  "a failed copy back is the error of the access; the page stays on the device and can come back later",
  async (fixture) => {
    const { hmm, device, mm, addr } = fixture;
    await migrated(fixture, 1);
    const read = mm.readAsync(addr, PAGE_SIZE).then(
      () => null,
      (error: unknown) => error,
    );
    await device.until(1);
    device.fail(undefined, new Error("link down"));
    const error = await read;
    assert.match(String(error), /EFAULT.*SIGBUS/);
    assert.match(String((error as Error).cause), "link down");
    hmm.verify();
    assert.is(device.devmem.usedPages, 1);
    assert.equal(await device.settle(mm.readAsync(addr, PAGE_SIZE)), page(1));
  },
);

scenario("accesses to several device pages are served in the seed's order", async (fixture) => {
  const { device, mm, addr } = fixture;
  await migrated(fixture);
  const reads = Array.from({ length: N }, (_, i) => mm.readAsync(addr + i * PAGE_SIZE, PAGE_SIZE));
  const bytes = await device.settle(Promise.all(reads));
  bytes.forEach((content, i) => assert.equal(content, page(i + 1)));
  const order = device.finished.slice(1);
  assert.is(order.length, N);
  assert.not.equal(
    order,
    [...order].sort((a, b) => a - b),
    "copies are made in another order than they were requested",
  );
});

scenario("two processes that share pages both wait and both continue", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const child = mm.fork();
  const work = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
  await device.until(1);
  assert.throws(() => child.load32(addr), /EAGAIN/);
  const read = child.readAsync(addr, 4);
  const write = child.writeAsync(addr + PAGE_SIZE, page(200));
  device.finish();
  await work;
  hmm.verify();
  assert.equal(await device.settle(read), new Uint8Array(4).fill(1));
  await device.settle(write);
  assert.equal(await device.settle(mm.readAsync(addr + PAGE_SIZE, 4)), new Uint8Array(4).fill(2));
});

/** Everything at once: four ranges go to the device and come back while they are written. */
async function crossing(hmm: Hmm, seed: number): Promise<string> {
  const device = new DelayedDevice(hmm, { memory: 2 << 20, seed, synchronousFaults: "sigbus" });
  const { mm, addr } = makeProcess(hmm);
  const chunk = 4 * PAGE_SIZE;
  const starts = Array.from({ length: N / 4 }, (_, i) => addr + i * chunk);
  const there = starts.map((start) => toDevice(device, mm, start, start + chunk));
  const writes = starts.map((start, i) => mm.writeAsync(start + 5000, Uint8Array.of(100 + i, 101 + i)));
  const back = there.map(async (first, i) => {
    await first;
    return toSystem(device, mm, starts[i], starts[i] + chunk);
  });
  await device.settle(Promise.all([...there, ...writes, ...back]));
  hmm.verify();

  const bytes = await device.settle(mm.readAsync(addr, N * PAGE_SIZE));
  const expected = new Uint8Array(N * PAGE_SIZE);
  for (let i = 0; i < N; i++) expected.set(page(i + 1), i * PAGE_SIZE);
  starts.forEach((start, i) => expected.set([100 + i, 101 + i], start - addr + 5000));
  assert.ok(Buffer.compare(bytes, expected) === 0, `seed ${seed}`);
  const order = device.finished.join();
  mm.close();
  device.close();
  hmm.verify();
  return order;
}

scenario("the bytes at the end are the same, whatever the order of the copies", async ({ hmm }) => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) orders.add(await crossing(hmm, seed));
  assert.ok(orders.size > 10, "the seeds make different orders");
});

scenario("the same seed gives the same order; misuse is an error", async ({ hmm }) => {
  const nothing = new Uint32Array(1);
  const order = async (seed: number): Promise<string> => {
    using device = new DelayedDevice(hmm, { memory: 2 << 20, seed });
    await device.settle(Promise.all(Array.from({ length: 12 }, () => device.dma(nothing, nothing))));
    return device.finished.join();
  };
  assert.is(await order(7), await order(7));
  assert.is.not(await order(7), await order(8));

  const device = new DelayedDevice(hmm, { memory: 2 << 20 });
  assert.throws(() => device.finish(), /must be a copy that is pending/);
  const copy = device.dma(nothing, nothing);
  assert.throws(() => device.close(), /1 copies are pending/);
  device.finish();
  await copy;
  let error: unknown;
  await device.settle(new Promise<void>(() => undefined)).catch((thrown: unknown) => (error = thrown));
  assert.match(String(error), "nothing is pending");
  device.close();
});

scenarios.run("delayed device");
