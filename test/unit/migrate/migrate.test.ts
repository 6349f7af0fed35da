import * as assert from "uvu/assert";
import {
  type HmmError,
  explain,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  REASON_COUNT,
  REASON_DRIVER_ERROR,
  REASON_NO_DESTINATION,
  REASON_NOT_SELECTED,
  REASON_OTHER_OWNER,
  REASON_PINNED,
  PAGE_SIZE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("migrate", (test, module) => {
  test("pages migrate there and back: bytes, counts and device table", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 16 * P });
    mm.write(addr, pattern(8));
    const there = gpu.toDevice(addr, addr + 16 * P);
    assert.equal(
      [there.ret, there.npages, there.cpages, there.moved, there.stayed.length],
      [0, 16, 16, 16, 0],
    );
    assert.is(gpu.table.entries, 16);
    assert.is(mm.rss.anon, 16);
    hmm.verify();
    const seen = new Uint8Array(8 * P);
    assert.is(gpu.table.read(addr, seen), 8 * P);
    assert.equal(seen, pattern(8));
    using sem = mm.mmapSem.read();
    const back = gpu.toSystem(mm.findVma(addr)!, addr, addr + 16 * P);
    sem.close();
    assert.is(back.moved, 16);
    assert.is(gpu.table.entries, 0);
    assert.is(gpu.freed.length, 16);
    assert.equal(mm.read(addr, 8 * P), pattern(8));
    assert.is(gpu.faults, 0);
    hmm.verify();
  });

  test("pages move or stay across the border of two page tables", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const border = 2 ** 32;
    const [addr, end] = [border - 4 * P, border + 4 * P];
    mm.mmap({ length: 8 * P, addr, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    mm.write(addr, pattern(8));
    assert.is(gpu.toDevice(addr, end).moved, 8);
    hmm.verify();
    using sem = mm.mmapSem.read();
    const vma = mm.findVma(addr)!;
    assert.is(gpu.toSystem(vma, addr, end).moved, 8);
    {
      using m = migrateVmaSetup({ vma, start: addr, end, owner: gpu });
      assert.is(m.pages(), 0);
    }
    sem.close();
    hmm.verify();
    assert.equal(mm.read(addr, 8 * P), pattern(8));
  });

  test("refused destinations are unchanged", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    using sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 4 * P, owner: gpu });
    gpu.devmem.allocPages(m.src, m.dst);
    const last = m.dst[3];
    m.dst[3] = m.dst[2];
    assert.is((errorOf(() => m.pages()) as HmmError).code, "EINVAL");
    hmm.verify();
    m.dst[3] = last;
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 4);
    m.finalize();
    sem.close();
    hmm.verify();
    assert.equal(mm.read(addr, 4 * P), pattern(4));
  });

  test("a migration given up before pages() changes nothing, and the driver gets its pages back", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(2));
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 4 * P });
      assert.is(m.cpages, 4);
      gpu.devmem.allocPages(m.src, m.dst);
      assert.is(hmm.migrations()[0], m);
    }
    assert.equal(hmm.migrations(), []);
    assert.is(gpu.freed.length, 4);
    assert.is(gpu.devmem.usedPages, 0);
    assert.equal(mm.read(addr, 2 * P), pattern(2));
    assert.is(mm.rss.anon, 2);
    hmm.verify();
  });

  test("each page that stays has a reason", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 5 * P });
    mm.write(addr, pattern(5));
    gpu.toDevice(addr, addr + P);
    using pin = mm.pin(addr + P, 1);
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 5 * P, owner: gpu });
    assert.is(m.cpages, 3);
    assert.is(m.src[1] & MIGRATE_PFN_MIGRATE, 0);
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.pageUnlock(migratePfnToPage(m.dst[3]));
    hmm.pagePut(migratePfnToPage(m.dst[3]));
    m.dst[3] = 0;
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 2);
    assert.equal(
      m.result.stayed.map(({ index, reason }) => [index, reason]),
      [
        [0, REASON_NOT_SELECTED],
        [1, REASON_PINNED],
        [3, REASON_NO_DESTINATION],
      ],
    );
    assert.match(m.result.stayed[1].text, /pinned/);
    gpu.table.mapMigrated(m);
    m.finalize();
    assert.equal([...m.reasons], [REASON_NOT_SELECTED, REASON_PINNED, 0, REASON_NO_DESTINATION, 0]);
    pin.close();
    hmm.verify();
    assert.equal(mm.mmapSem.holders.length, 1);
  });

  test("every reason has a text", () => {
    const texts = new Set(Array.from({ length: REASON_COUNT }, (_, reason) => explain(reason)));
    assert.is(texts.size, REASON_COUNT);
    assert.match(explain(REASON_COUNT), /unknown/);
  });

  test("only the owner's pages are selected", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm, 1 << 21);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    gpu.toDevice(addr, addr + P);
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const reasons = (owner: unknown): number => {
      using m = migrateVmaSetup({ vma, start: addr, end: addr + P, owner, select });
      return m.cpages === 1 ? 0 : m.reasons[0];
    };
    assert.is(reasons(gpu), 0);
    assert.is(reasons(gpu.devmem), 0);
    assert.is(reasons({ devmem: gpu.devmem }), 0);
    assert.is(reasons({}), REASON_OTHER_OWNER);
    assert.is(reasons(undefined), REASON_OTHER_OWNER);
    hmm.verify();
  });

  test("an access that meets an open migration throws an error that names the migration", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + P, end: addr + 2 * P });
    const error = errorOf(() => mm.read(addr, 2 * P)) as HmmError;
    assert.is(error.code, "EAGAIN");
    assert.is(error.migration, m.id);
    assert.is(error.done, P);
    assert.match(error.detail, new RegExp(`migration ${m.id} is open`));
    assert.is((errorOf(() => mm.load32(addr + P)) as HmmError).code, "EAGAIN");
    assert.is((errorOf(() => mm.fault(addr + P)) as HmmError).code, "EAGAIN");
    m.close();
    assert.equal(mm.read(addr, 2 * P), pattern(2));
  });

  test("misuse is refused", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.populate(addr, 4 * P);
    const vma = mm.findVma(addr)!;
    const args = { vma, start: addr, end: addr + P };
    assert.match(errorOf(() => migrateVmaSetup(args))!.message, /mmapSem must be held/);
    const sem = mm.mmapSem.read();
    const code = (call: () => unknown): string => (errorOf(call) as HmmError).code;
    assert.is(
      code(() => migrateVmaSetup({ ...args, vma: null })),
      "EINVAL",
    );
    assert.is(
      code(() => migrateVmaSetup({ ...args, end: addr + 5 * P })),
      "EINVAL",
    );
    assert.is(
      code(() => migrateVmaSetup({ ...args, end: addr + P - 1 })),
      "EINVAL",
    );
    assert.instance(
      errorOf(() => migrateVmaSetup(null as never)),
      TypeError,
    );
    assert.instance(
      errorOf(() => migrateVmaSetup({ ...args, vma: {} as never })),
      TypeError,
    );
    const m = migrateVmaSetup(args);
    // A mapped page is no destination.
    m.dst[0] = migratePfn(mm.lookupPte(addr + P)!.pfn);
    const error = errorOf(() => m.pages()) as HmmError;
    assert.is(error.code, "EINVAL");
    assert.match(error.detail, /^dst\[0\]/);
    m.dst[0] = 0;
    gpu.devmem.allocPages(m.src, m.dst);
    m.pages();
    assert.match(errorOf(() => m.pages())!.message, /called twice/);
    m.finalize();
    m.finalize();
    assert.match(errorOf(() => m.src)!.message, /finalized/);
    assert.match(errorOf(() => m.pages())!.message, /finalized/);
    assert.match(errorOf(() => gpu.table.mapMigrated(m))!.message, /finalized/);
    const bad = migrateVmaSetup({ ...args, start: addr + P, end: addr + 2 * P });
    bad.dst[0] = 0x80000007;
    bad.finalize();
    const open = migrateVmaSetup({ ...args, start: addr + P, end: addr + 2 * P });
    sem.close();
    assert.match(errorOf(() => open.pages())!.message, /mmapSem must be held/);
    assert.is(
      code(() => mm.close()),
      "EBUSY",
    );
    open.finalize();
    mm.read(addr, 1, { kernel: true });
    hmm.verify();
  });

  test("MIGRATE_PFN_ERROR: the next access is SIGBUS", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P });
    m.dst[0] = MIGRATE_PFN_ERROR;
    assert.is(m.pages(), 0);
    m.finalize();
    sem.close();
    assert.is(m.result.reasons[0], REASON_DRIVER_ERROR);
    assert.match((errorOf(() => mm.read(addr, 1)) as HmmError).detail, /^SIGBUS/);
    assert.is(mm.read(addr + P, 1)[0], 1);
    hmm.verify();
  });

  test("mremap between pages() and finalize(): the entries move and name pages again", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    const sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 4 * P, owner: gpu });
    gpu.devmem.allocPages(m.src.subarray(0, 2), m.dst.subarray(0, 2));
    hmm.copyPages(m.src, m.dst);
    m.pages();
    sem.close();
    const moved = mm.mremap(addr, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, addr - 64 * P);
    m.finalize();
    hmm.verify();
    assert.is(gpu.devmem.usedPages, 2);
    assert.equal(mm.read(moved, 4 * P), pattern(4));
    assert.is(gpu.devmem.usedPages, 0);
  });
}).run();
