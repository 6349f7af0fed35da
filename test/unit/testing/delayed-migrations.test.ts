/** No access sees half of a migration, even while its copies are in progress. */
import * as assert from "uvu/assert";
import {
  DeviceTable,
  FAULT_MIGRATION,
  HmmError,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaAsync,
  migrateVmaSetup,
  PAGE_SIZE,
  type MigrateResult,
} from "../../../src/index.ts";
import { AsyncScenarios, migrated, N, page, settled, toDevice } from "../../util/async-fixture.ts";

const scenarios = new AsyncScenarios();
const scenario = scenarios.add;

scenario("a synchronous access throws EAGAIN and names the migration", async (fixture) => {
  const { hmm, device, mm, addr } = fixture;
  const done = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
  await device.until(1);
  const [open] = hmm.migrations();
  for (const access of [
    () => mm.read(addr + PAGE_SIZE, 4),
    () => mm.write(addr + PAGE_SIZE, page(9)),
    () => mm.load32(addr + PAGE_SIZE),
    () => mm.store32(addr + PAGE_SIZE, 9),
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
});

scenario(
  "a read that reaches an open migration reports the bytes read and the migration",
  async ({ device, mm, addr }) => {
    const done = toDevice(device, mm, addr + 2 * PAGE_SIZE, addr + 4 * PAGE_SIZE);
    await device.until(1);
    assert.throws(
      () => mm.read(addr, 4 * PAGE_SIZE),
      (error: unknown) => (error as HmmError).code === "EAGAIN" && (error as HmmError).done === 2 * PAGE_SIZE,
    );
    device.finish();
    await done;
  },
);

scenario("readAsync and writeAsync wait for the migration, then for the way back", async (fixture) => {
  const { device, mm, addr } = fixture;
  const done = toDevice(device, mm, addr, addr + 4 * PAGE_SIZE);
  await device.until(1);
  const read = mm.readAsync(addr, N * PAGE_SIZE);
  const write = mm.writeAsync(addr + 3 * PAGE_SIZE, page(77));
  assert.is(await settled(read), false);
  assert.is(await settled(write), false);
  device.finish(); // the pages are on the device now; both accesses need some of them back
  await done;
  assert.is(await settled(write), false);
  await device.settle(write);
  const bytes = await device.settle(read);
  for (const i of [0, 1, 2, 4, N - 1]) assert.is(bytes[i * PAGE_SIZE], i + 1);
  assert.equal(mm.read(addr + 3 * PAGE_SIZE, PAGE_SIZE), page(77));
  assert.is(device.devmem.usedPages, 0);
});

scenario("migrations of disjoint ranges overlap in time and end in any order", async (fixture) => {
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

scenario("pages in an open migration stay when a second migration covers them", async (fixture) => {
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

scenario("migrateVmaAsync: both callbacks may be asynchronous", async ({ device, mm, addr }) => {
  const steps: string[] = [];
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
  const run = async (): Promise<MigrateResult> => {
    using _sem = await mm.mmapSem.readAsync();
    const range = { vma: mm.findVma(addr), start: addr, end: addr + 2 * PAGE_SIZE };
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

scenario("a failed copy changes nothing, and waiting accesses continue", async (fixture) => {
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

scenario("munmap, fork and close throw during a migration; a waiting writer comes last", async (fixture) => {
  const { device, mm, addr } = fixture;
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

scenario("an unmapped page is freed at the end of the migration that holds it", async (fixture) => {
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
  mm.munmap(addr, PAGE_SIZE); // no lock is held: the migration is of a device's range
  hmm.verify();
  device.finish();
  await work;
  assert.is(device.devmem.usedPages, 0);
  for (let i = 1; i < N; i++) assert.equal(mm.read(addr + i * PAGE_SIZE, PAGE_SIZE), page(i + 1));
});

scenario(
  "a device's snapshot shows nothing for migrating pages and does not wait",
  async ({ hmm, device, mm, addr }) => {
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
  },
);

scenario("destinations chosen by hand and copies requested one by one", async ({ hmm, device, mm, addr }) => {
  using table = new DeviceTable(mm);
  const work = async (): Promise<void> => {
    using _sem = await mm.mmapSem.readAsync();
    const end = addr + 4 * PAGE_SIZE;
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end, owner: device });
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

scenarios.run("delayed migrations");
