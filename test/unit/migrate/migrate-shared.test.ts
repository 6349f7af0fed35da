import * as assert from "uvu/assert";
import {
  type HmmError,
  hmmPfnToPage,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  Memcg,
  migrateDevicePfns,
  migrateDeviceRange,
  migratePfnToPage,
  migrateVmaSetup,
  MmuIntervalNotifier,
  REASON_MEMCG_LIMIT,
  PAGE_SIZE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("migrate: shared pages", (test, module) => {
  test("a page of three processes moves for all of them", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const children = [mm.fork(), mm.fork()];
    const gpu = new TestGpu(mm);
    const others = children.map((child) => new TestGpu(child, 1 << 20));
    assert.is(gpu.toDevice(addr, addr + 2 * P).moved, 2);
    hmm.verify();
    for (const other of others) assert.is(other.updates.length, 2);
    assert.equal(children[0].read(addr, 2 * P), pattern(2));
    assert.is(gpu.faults, 2);
    children[1].write(addr, Uint8Array.of(77));
    assert.equal(mm.read(addr, 2 * P), pattern(2));
    assert.is(gpu.faults, 2);
    hmm.verify();
  });

  test("a process forked while a page migrates gets the page, whether it moves or not", () => {
    for (const moves of [true, false]) {
      const hmm = makeHmm(module);
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: 2 * P });
      mm.write(addr, pattern(2));
      const gpu = new TestGpu(mm);
      const sem = mm.mmapSem.read();
      const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P, owner: gpu });
      if (moves) gpu.devmem.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), moves ? 2 : 0);
      sem.close();
      const child = mm.fork();
      hmm.verify();
      gpu.table.mapMigrated(m);
      m.finalize();
      hmm.verify();
      assert.equal(child.read(addr, 2 * P), pattern(2));
      child.write(addr, Uint8Array.of(77));
      assert.equal(mm.read(addr, 2 * P), pattern(2));
      hmm.verify();
    }
  });

  test("a hole at a memory cgroup's limit stays; existing pages may come back", () => {
    const hmm = makeHmm(module);
    const memcg = new Memcg({ limit: 2 });
    const mm = hmm.createMm({ memcg });
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(1));
    const result = gpu.toDevice(addr, addr + 4 * P);
    assert.is(result.moved, 2);
    assert.equal([...result.reasons], [0, 0, REASON_MEMCG_LIMIT, REASON_MEMCG_LIMIT]);
    assert.is(memcg.usage, 2);
    memcg.limit = 0;
    assert.is(mm.read(addr, 1)[0], 0);
    assert.is(memcg.usage, 2);
    assert.is(gpu.devmem.usedPages, 1);
    hmm.verify();
  });

  test("an exception of a callback during setup comes out, and nothing stays open", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    using _notifier = new MmuIntervalNotifier(mm, addr, P, {
      invalidate: () => {
        throw new Error("no");
      },
    });
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    assert.is(errorOf(() => migrateVmaSetup({ vma, start: addr, end: addr + P }))!.message, "no");
    assert.equal(hmm.migrations(), []);
    assert.equal(mm.read(addr, P), pattern(1));
    hmm.verify();
  });

  test("a notifier callback of another mm cannot change mappings and can read memory", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const gpu = new TestGpu(mm);
    gpu.toDevice(addr, addr + P);
    const codes: unknown[] = [];
    using _notifier = new MmuIntervalNotifier(mm, addr, P, {
      invalidate: () => {
        for (const call of [
          () => mm.munmap(addr, P),
          () => mm.close(),
          () => mm.fork(),
          () => hmm.verify(),
        ]) {
          codes.push((errorOf(call) as HmmError).code);
        }
        codes.push(mm.read(addr + P, 1)[0]);
      },
    });
    using m = migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 1);
    assert.equal(codes, ["EDEADLK", "EDEADLK", "EDEADLK", undefined, 1]);
    m.close();
    hmm.verify();
  });

  test("device to device", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    gpu.toDevice(addr, addr + P);
    const before = gpu.table.lookup(addr);
    assert.is(gpu.toDevice(addr, addr + P, MIGRATE_VMA_SELECT_DEVICE_PRIVATE).moved, 1);
    assert.is.not(gpu.table.lookup(addr), before);
    assert.equal(gpu.freed, [before & 0x7ffffff]);
    assert.is(hmm.stats.pagesDeviceToDevice, 1);
    assert.equal(mm.read(addr, P), pattern(1));
    hmm.verify();
  });

  test("migrateDeviceRange: by pfn", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 3 * P });
    mm.write(addr, pattern(3));
    gpu.toDevice(addr, addr + 3 * P);
    {
      using m = migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 512);
      assert.is(m.cpages, 3);
      assert.is(m.vma, null);
      hmm.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), 3);
    }
    assert.is(gpu.devmem.usedPages, 0);
    assert.equal(mm.read(addr, 3 * P), pattern(3));
    assert.instance(
      errorOf(() => migrateDeviceRange(gpu.devmem, 0, 1)),
      RangeError,
    );
    assert.instance(
      errorOf(() => migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 5000)),
      RangeError,
    );
    hmm.verify();
  });

  test("migrateDevicePfns: a list of pages, in any order; a page that is named twice moves once", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    gpu.toDevice(addr, addr + 4 * P);
    const at = (i: number): number => hmmPfnToPage(gpu.table.lookup(addr + i * P));
    const list = [at(3), at(0), at(3)];
    {
      using m = migrateDevicePfns(gpu.devmem, list);
      assert.is(m.cpages, 2);
      assert.equal(
        [...m.src].map((word) => (word & MIGRATE_PFN_MIGRATE) !== 0 && migratePfnToPage(word)),
        [list[0], list[1], false],
      );
      hmm.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), 2);
    }
    assert.is(gpu.devmem.usedPages, 2);
    assert.equal(mm.read(addr, 4 * P), pattern(4));
    for (const wrong of [[], [at(1), 7], [0.5], new Uint32Array(1), 3, null]) {
      const error = errorOf(() => migrateDevicePfns(gpu.devmem, wrong as never));
      assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
      assert.match(error.message, /^migrateDevicePfns: pfns/);
    }
    hmm.verify();
  });
}).run();
