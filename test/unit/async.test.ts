import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  DeviceTable,
  FAULT_KIND_DEVICE,
  FAULT_KIND_SPURIOUS,
  FAULT_MIGRATION,
  Hmm,
  HmmError,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaAsync,
  migrateVmaSetup,
  PAGE_SIZE,
  type MigrateResult,
  type Mm,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";

const N = 16;

interface Fixture {
  hmm: Hmm;
  mm: Mm;
  device: DelayedDevice;
  /** N pages, page i filled with i + 1. */
  addr: number;
}

const test = suite("async");

/** A process with N pages, and a device whose copies wait. Nothing may be left over at the end. */
function scenario(name: string, body: (fixture: Fixture) => Promise<void>): void {
  test(name, async () => {
    const hmm = Hmm.createSync({ systemMemory: 4 << 20, deviceMemory: 4 << 20 });
    const free = hmm.freePages;
    const device = new DelayedDevice(hmm, { memory: 2 << 20 });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: N * PAGE_SIZE });
    for (let i = 0; i < N; i++) mm.write(addr + i * PAGE_SIZE, page(i + 1));
    await body({ hmm, mm, device, addr });
    hmm.verify();
    for (const each of hmm.mms()) each.close();
    assert.is(device.devmem.usedPages, 0);
    device.close();
    assert.is(hmm.freePages, free);
    hmm.verify();
  });
}

function page(byte: number): Uint8Array {
  return new Uint8Array(PAGE_SIZE).fill(byte);
}

/** The device's driver: what a user would write. Pages are locked from setup until the copy is there. */
async function toDevice(device: DelayedDevice, mm: Mm, start: number, end: number): Promise<MigrateResult> {
  using _sem = await mm.mmapSem.readAsync("toDevice");
  const vma = mm.findVma(start);
  using m = migrateVmaSetup({ vma, start, end, owner: device, select: MIGRATE_VMA_SELECT_SYSTEM });
  device.devmem.allocPages(m.src, m.dst);
  await device.dma(m.src, m.dst, "to device");
  m.pages();
  return m.result;
}

async function toSystem(device: DelayedDevice, mm: Mm, start: number, end: number): Promise<MigrateResult> {
  using _sem = await mm.mmapSem.readAsync("toSystem");
  const vma = mm.findVma(start);
  using m = migrateVmaSetup({ vma, start, end, owner: device, select: MIGRATE_VMA_SELECT_DEVICE_PRIVATE });
  device.hmm.allocPages(m.src, m.dst);
  await device.dma(m.src, m.dst, "to system");
  m.pages();
  return m.result;
}

async function migrated(fixture: Fixture, npages = N): Promise<void> {
  const { device, mm, addr } = fixture;
  const result = await device.settle(toDevice(device, mm, addr, addr + npages * PAGE_SIZE));
  assert.is(result.moved, npages);
}

/** Whether a promise has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  await new Promise((resolve) => setTimeout(resolve, 1));
  return (await Promise.race([promise.catch(() => null), Promise.resolve(pending)])) !== pending;
}

scenario(
  "while copies are under way a synchronous access throws EAGAIN, and names the migration",
  async (fixture) => {
    const { hmm, device, mm, addr } = fixture;
    const done = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
    await device.until(1);
    const [open] = hmm.migrations();
    for (const access of [
      () => mm.read(addr + PAGE_SIZE, 4),
      () => mm.write(addr + PAGE_SIZE, page(9)),
      () => mm.load32(addr + PAGE_SIZE),
      () => mm.fault(addr + PAGE_SIZE),
      () => mm.pin(addr + PAGE_SIZE, 1),
    ]) {
      assert.throws(access, (error: unknown) => {
        assert.instance(error, HmmError);
        const { code, migration, faultCode, message } = error as HmmError;
        assert.equal([code, migration, faultCode], ["EAGAIN", open.id, FAULT_MIGRATION]);
        return message.includes(`migration ${open.id}`);
      });
    }
    assert.equal(mm.read(addr + 4 * PAGE_SIZE, PAGE_SIZE), page(5), "other pages are not in the way");
    hmm.verify();
    device.finish();
    assert.is((await done).moved, 4);
  },
);

scenario("a partial read that meets an open migration says how far it came", async ({ device, mm, addr }) => {
  const done = toDevice(device, mm, addr + 2 * PAGE_SIZE, addr + 4 * PAGE_SIZE);
  await device.until(1);
  assert.throws(
    () => mm.read(addr, 4 * PAGE_SIZE),
    (error: unknown) => (error as HmmError).code === "EAGAIN" && (error as HmmError).done === 2 * PAGE_SIZE,
  );
  device.finish();
  await done;
});

scenario("readAsync and writeAsync wait for the migration, and then for the way back", async (fixture) => {
  const { device, mm, addr } = fixture;
  const done = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
  await device.until(1);
  const read = mm.readAsync(addr, N * PAGE_SIZE);
  const write = mm.writeAsync(addr + 3 * PAGE_SIZE, page(77));
  assert.is(await settled(read), false);
  assert.is(await settled(write), false);
  device.finish(); // the pages are on the device now; both accesses want some back
  await done;
  assert.is(await settled(write), false);
  await device.settle(write);
  const bytes = await device.settle(read);
  for (const i of [0, 1, 2, 4, N - 1]) assert.is(bytes[i * PAGE_SIZE], i + 1);
  assert.equal(mm.read(addr + 3 * PAGE_SIZE, PAGE_SIZE), page(77));
  assert.is(device.devmem.usedPages, 0);
});

scenario("migrations of disjoint ranges overlap in time, and end in any order", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const ends: number[] = [];
  const works = [0, 1, 2, 3].map(async (i) => {
    const start = addr + i * 4 * PAGE_SIZE;
    const result = await toDevice(device, mm, start, start + 4 * PAGE_SIZE);
    ends.push(i);
    return result;
  });
  await device.until(4);
  assert.is(hmm.migrations().length, 4);
  assert.is(mm.mmapSem.holders.length, 4);
  for (const i of [2, 0, 3, 1]) {
    device.finish(device.pending.find(({ id }) => id === i + 1));
    assert.is((await works[i]).moved, 4);
    hmm.verify();
  }
  assert.equal(ends, [2, 0, 3, 1]);
  assert.is(device.devmem.usedPages, N);
  for (let i = 0; i < N; i++) assert.equal(mm.read(addr + i * PAGE_SIZE, PAGE_SIZE), page(i + 1));
});

scenario("a range that overlaps an open migration: those pages stay, the others move", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const first = toDevice(device, mm, addr, addr + 8 * PAGE_SIZE);
  const second = toDevice(device, mm, addr + 4 * PAGE_SIZE, addr + 12 * PAGE_SIZE);
  await device.until(2);
  device.finish(device.pending[1]);
  assert.is((await second).moved, 4);
  hmm.verify();
  device.finish();
  assert.is((await first).moved, 8);
  assert.is(device.devmem.usedPages, 12);
});

scenario("migrateVmaAsync: both callbacks may be awaited", async ({ device, mm, addr }) => {
  const steps: string[] = [];
  const run = async (): Promise<MigrateResult> => {
    using _sem = await mm.mmapSem.readAsync();
    const range = { vma: mm.findVma(addr), start: addr, end: addr + 2 * PAGE_SIZE };
    const ops = {
      allocAndCopy: async (_vma: unknown, src: Uint32Array, dst: Uint32Array): Promise<void> => {
        steps.push("alloc");
        device.devmem.allocPages(src, dst);
        await device.dma(src, dst);
        steps.push("copied");
      },
      finalizeAndMap: async (): Promise<void> => {
        steps.push("map");
        await Promise.resolve();
        assert.throws(() => mm.load32(addr), /EAGAIN/);
        steps.push("mapped");
      },
    };
    return await migrateVmaAsync(ops, { ...range, owner: device, select: MIGRATE_VMA_SELECT_SYSTEM });
  };
  const work = run();
  await device.until(1);
  assert.equal(steps, ["alloc"]);
  device.finish();
  const result = await work;
  assert.equal([result.ret, result.moved], [0, 2]);
  assert.equal(steps, ["alloc", "copied", "map", "mapped"]);
});

scenario("a copy that fails: everything stays as it was, and whoever waited goes on", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const work = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
  const failed = work.then(
    () => null,
    (error: unknown) => error,
  );
  await device.until(1);
  const read = mm.readAsync(addr, PAGE_SIZE);
  device.fail();
  assert.match(String(await failed), "the copy failed");
  assert.equal(await read, page(1));
  assert.is(device.devmem.usedPages, 0, "the destinations were given back");
  assert.is(device.freed, 4);
  assert.is(mm.mmapSem.mode, "free");
  hmm.verify();
});

scenario("faultAsync brings one page back, however many wait for it", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  await migrated(fixture);
  const waiting = [
    mm.faultAsync(addr),
    mm.faultAsync(addr),
    mm.readAsync(addr, 8),
    mm.readAsync(addr + 8, 8),
  ];
  await device.until(1);
  assert.is(device.pending.length, 1, "one copy for all");
  assert.throws(() => mm.load32(addr), /EAGAIN/);
  hmm.verify();
  device.finish();
  const [first, , bytes] = await Promise.all(waiting);
  assert.is.not(first, undefined);
  assert.equal(bytes, new Uint8Array(8).fill(1));
  assert.is(device.devmem.usedPages, N - 1);
  assert.is(hmm.stats.pagesToSystem, 1);
});

scenario("faultAsync says what it did", async (fixture) => {
  const { device, mm, addr } = fixture;
  await migrated(fixture, 1);
  const kind = await device.settle(mm.faultAsync(addr, { write: true }));
  assert.ok(kind === FAULT_KIND_DEVICE || kind === FAULT_KIND_SPURIOUS);
  assert.is(device.devmem.usedPages, 0);
  mm.store32(addr, 5);
  assert.is(mm.load32(addr), 5);
});

scenario("accesses to several device pages fault one after another, in the seed's order", async (fixture) => {
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
    "copies were made in another order than asked for",
  );
});

scenario("mmap, munmap and fork wait with writeAsync, or are an error", async ({ device, mm, addr }) => {
  const work = toDevice(device, mm, addr, addr + PAGE_SIZE);
  await device.until(1);
  assert.throws(
    () => mm.munmap(addr, PAGE_SIZE),
    (error: unknown) =>
      (error as HmmError).code === "EDEADLK" && (error as Error).message.includes("toDevice"),
  );
  assert.throws(() => mm.fork(), /EDEADLK/);
  assert.throws(() => mm.close(), /EBUSY|EDEADLK/);
  const writer = mm.mmapSem.writeAsync();
  assert.is(await settled(writer), false);
  device.finish();
  await work;
  (await writer).close();
  mm.munmap(addr, PAGE_SIZE);
  assert.is(device.devmem.usedPages, 0);
});

scenario("an unmapped page goes when the migration that holds it ends", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  await migrated(fixture, 4);
  const { devmem } = device;
  const evict = async (): Promise<number> => {
    using m = migrateDeviceRange(devmem, devmem.pfnFirst, devmem.npages);
    hmm.allocPages(m.src, m.dst);
    await device.dma(m.src, m.dst, "evict");
    return m.pages();
  };
  const work = evict();
  await device.until(1);
  mm.munmap(addr, PAGE_SIZE); // no lock is held: the range is the device's
  hmm.verify();
  device.finish();
  await work;
  assert.is(device.devmem.usedPages, 0);
  for (let i = 1; i < N; i++) assert.equal(mm.read(addr + i * PAGE_SIZE, PAGE_SIZE), page(i + 1));
});

scenario("a snapshot shows nothing where a migration is under way, and does not wait", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const work = toDevice(device, mm, addr, addr + 2 * PAGE_SIZE);
  await device.until(1);
  using pfns = hmm.pfnArray(4);
  {
    using _sem = mm.mmapSem.read();
    assert.is(hmmRangeFault({ mm, start: addr, end: addr + 4 * PAGE_SIZE, pfns, owner: device }), 0);
  }
  assert.equal([pfns[0], pfns[1]], [0, 0]);
  assert.ok(pfns[2] !== 0 && pfns[3] !== 0);
  device.finish();
  await work;
});

scenario("pages that two processes share: both wait, both go on", async (fixture) => {
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

scenario("destinations chosen by hand, copies asked for one by one", async ({ hmm, device, mm, addr }) => {
  using table = new DeviceTable(mm);
  const work = async (): Promise<void> => {
    using _sem = await mm.mmapSem.readAsync();
    using m = migrateVmaSetup({
      vma: mm.findVma(addr),
      start: addr,
      end: addr + 4 * PAGE_SIZE,
      owner: device,
    });
    for (let i = 0; i < m.npages; i += 2) m.dst[i] = migratePfn(device.devmem.allocPage());
    const single = (i: number): Promise<void> =>
      device.dma(m.src.subarray(i, i + 1), m.dst.subarray(i, i + 1));
    await Promise.all([single(0), single(2)]);
    m.pages();
    assert.is(table.mapMigrated(m), 2);
  };
  const done = work();
  await device.until(2);
  device.finish(device.pending[1]);
  hmm.verify();
  device.finish();
  await done;
  assert.is(device.devmem.usedPages, 2);
  assert.is(migratePfnToPage(table.lookup(addr + PAGE_SIZE)), 0);
  const bytes = new Uint8Array(PAGE_SIZE);
  assert.is(table.read(addr + 2 * PAGE_SIZE, bytes), PAGE_SIZE);
  assert.equal(bytes, page(3));
});

test("in whichever order copies finish, the bytes at the end are the same", async () => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const hmm = Hmm.createSync({ systemMemory: 4 << 20, deviceMemory: 4 << 20 });
    const device = new DelayedDevice(hmm, { memory: 2 << 20, seed, synchronousFaults: "sigbus" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: N * PAGE_SIZE });
    for (let i = 0; i < N; i++) mm.write(addr + i * PAGE_SIZE, page(i + 1));

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
    orders.add(device.finished.join());
    mm.close();
    device.close();
    hmm.verify();
  }
  assert.ok(orders.size > 10, "the seeds make different orders");
});

test("the delayed device: the same seed gives the same order; misuse is an error", async () => {
  const hmm = Hmm.createSync({ systemMemory: 1 << 20, deviceMemory: 4 << 20 });
  const order = async (seed: number): Promise<string> => {
    using device = new DelayedDevice(hmm, { memory: 2 << 20, seed });
    const nothing = new Uint32Array(1);
    await device.settle(Promise.all(Array.from({ length: 12 }, () => device.dma(nothing, nothing))));
    return device.finished.join();
  };
  assert.is(await order(7), await order(7));
  assert.is.not(await order(7), await order(8));
  const device = new DelayedDevice(hmm, { memory: 2 << 20 });
  assert.throws(() => device.finish(), /no such copy is pending/);
  const copy = device.dma(new Uint32Array(1), new Uint32Array(1));
  assert.throws(() => device.close(), /1 copies are pending/);
  device.finish();
  await copy;
  const never = new Promise<void>(() => undefined);
  let error: unknown;
  await device.settle(never).catch((thrown: unknown) => (error = thrown));
  assert.match(String(error), "nothing is pending");
  device.close();
});

test.run();
