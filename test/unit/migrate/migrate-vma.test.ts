import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  EINVAL,
  hmmDevmemAdd,
  hmmVmaAllocLockedPage,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  PAGE_SIZE,
  migratePfnToPage,
  migrateVma,
  migrateVmaAsync,
  PROT_READ,
  type MigrateVmaOps,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, rejectionOf, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("migrateVma", (test, module) => {
  interface Priv {
    calls: string[];
  }
  const driver = (gpu: TestGpu): MigrateVmaOps<Priv> => ({
    allocAndCopy: (_vma, src, dst, start, end, priv) => {
      priv.calls.push(`alloc ${(end - start) / P}`);
      gpu.devmem.allocPages(src, dst);
      gpu.hmm.copyPages(src, dst);
    },
    finalizeAndMap: (_vma, src, _dst, _start, _end, priv) => {
      priv.calls.push(`map ${src.filter((word) => word & MIGRATE_PFN_MIGRATE).length}`);
    },
  });

  test("the call of 2018, with and without the driver's arrays", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    const priv: Priv = { calls: [] };
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const src = new Uint32Array(4);
    using dst = hmm.pfnArray(4);
    const first = migrateVma(driver(gpu), { vma, start: addr + 5, end: addr + 4 * P + 7, src, dst, priv });
    assert.is(first.ret, 0);
    assert.is(first.moved, 4);
    assert.is(src[2] & MIGRATE_PFN_VALID, MIGRATE_PFN_VALID | 0);
    assert.ok(hmm.isDevicePage(migratePfnToPage(dst[0])));
    const second = migrateVma(driver(gpu), { vma, start: addr + 4 * P, end: addr + 8 * P, priv });
    assert.is(second.moved, 4);
    assert.equal(priv.calls, ["alloc 4", "map 4", "alloc 4", "map 4"]);
    hmm.verify();
  });

  test("system memory that was left is free, wherever the run of its pages begins", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    // Runs of 130 pages begin at every remainder of four, and cross 64 pages at least twice.
    for (let before = 0; before < 4; before++) {
      mm.write(mm.mmap({ length: P }), pattern(1));
      const addr = mm.mmap({ length: 130 * P });
      const free = hmm.freePages;
      mm.write(addr, pattern(130));
      assert.is(gpu.toDevice(addr, addr + 130 * P).moved, 130);
      assert.is(hmm.freePages, free);
      hmm.verify();
      assert.equal(mm.read(addr, 130 * P), pattern(130));
      mm.munmap(addr, 130 * P);
    }
  });

  test("an allocation for no page leaves an aligned 2 MiB free", () => {
    const hmm = makeHmm(module);
    const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, 1, 2 << 20);
    const dst = new Uint32Array(4);
    // No word of src names a page that migrates.
    assert.is(devmem.allocPages(new Uint32Array(4), dst), 0);
    hmm.verify();
    const unit = Uint32Array.of(MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND, ...new Uint32Array(511));
    const large = new Uint32Array(512);
    devmem.allocPages(unit, large);
    assert.is(large[0] & MIGRATE_PFN_COMPOUND, MIGRATE_PFN_COMPOUND);
  });

  test("-EINVAL is returned; without pages to move, no callback runs", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    const priv: Priv = { calls: [] };
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const ret = (call: object): number =>
      migrateVma(driver(gpu), { vma, start: addr, end: addr + P, priv, ...call }).ret;
    assert.is(ret({ vma: null }), -EINVAL);
    assert.is(ret({ end: addr + 9 * P }), -EINVAL);
    assert.is(ret({ end: addr + 10 }), -EINVAL);
    assert.is(migrateVma(null as never, { vma, start: addr, end: addr + P }).ret, -EINVAL);
    assert.instance(
      errorOf(() => ret({ src: new Uint32Array(0) })),
      RangeError,
    );
    const none = migrateVma(driver(gpu), { vma, start: addr, end: addr + P, priv, select: 2 });
    assert.equal([none.ret, none.cpages], [0, 1]);
    priv.calls.length = 0;
    mm.fault(addr, { write: true });
    using _pin = mm.pin(addr, 1);
    assert.is(ret({}), 0);
    assert.equal(priv.calls, []);
    hmm.verify();
  });

  test("a callback that throws leaves everything unchanged", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const ops: MigrateVmaOps = {
      allocAndCopy: (_vma, src, dst) => {
        gpu.devmem.allocPages(src, dst);
        throw new Error("dma");
      },
      finalizeAndMap: () => undefined,
    };
    {
      using _sem = mm.mmapSem.read();
      const call = { vma: mm.findVma(addr), start: addr, end: addr + 2 * P, dst: new Uint32Array(2) };
      assert.is(errorOf(() => migrateVma(ops, call))!.message, "dma");
    }
    assert.is(gpu.devmem.usedPages, 0);
    assert.equal(mm.read(addr, 2 * P), pattern(2));
    assert.is(gpu.faults, 0);
    hmm.verify();
  });

  test("asynchronous callbacks", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const order: string[] = [];
    using sem = await mm.mmapSem.readAsync();
    const result = await migrateVmaAsync(
      {
        allocAndCopy: async (_vma, src, dst) => {
          gpu.devmem.allocPages(src, dst);
          await new Promise((resolve) => setTimeout(resolve, 1));
          order.push((errorOf(() => mm.read(addr, 1)) as HmmError).code);
          hmm.copyPages(src, dst);
        },
        finalizeAndMap: async () => void order.push("map"),
      },
      { vma: mm.findVma(addr), start: addr, end: addr + 2 * P },
    );
    sem.close();
    assert.is(result.moved, 2);
    assert.equal(order, ["EAGAIN", "map"]);
    assert.equal(mm.read(addr, 2 * P), pattern(2));
    const bad = await rejectionOf(() => migrateVmaAsync({} as never, { vma: null, start: 0, end: P }));
    assert.instance(bad, TypeError);
    hmm.verify();
  });

  test("hmmVmaAllocLockedPage", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    const vma = mm.findVma(addr);
    const page = hmmVmaAllocLockedPage(vma, addr + 5);
    assert.not(hmm.isDevicePage(page));
    assert.not(hmm.pageLock(page));
    hmm.pageUnlock(page);
    hmm.pagePut(page);
    assert.is(hmmVmaAllocLockedPage(vma, addr + P), 0);
    assert.is(hmmVmaAllocLockedPage(null, addr), 0);
    mm.mprotect(addr, P, PROT_READ);
    hmm.verify();
  });
}).run();
