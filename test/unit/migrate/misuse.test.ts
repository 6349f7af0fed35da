/**
 * A driver's misuse of a migration and its pages is refused or works, and never breaks the engine.
 */
import * as assert from "uvu/assert";
import {
  Hmm,
  type HmmError,
  hmmDevmemAdd,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  REASON_HOLE_NOT_ANON,
  type HmmDevmem,
  type Migration,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf } from "../../util/driver.ts";

const P = PAGE_SIZE;
const AT = 0x40000000;

onEachBuild("misuse of migrations", (test, module) => {
  interface World {
    hmm: Hmm;
    mm: Mm;
    devmem: HmmDevmem;
  }
  function world(): World {
    const hmm = Hmm.createSync(module, { systemMemory: 1 << 20, deviceMemory: 4 << 20 });
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 4 * P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    mm.write(AT, new Uint8Array(3 * P).fill(7));
    return { hmm, mm, devmem: hmmDevmemAdd(hmm, { fault: () => 2 }, "device", 2 << 20) };
  }
  const setup = ({ mm, devmem }: World, n = 3): Migration =>
    migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + n * P, owner: devmem });

  for (const [name, change, wrong] of [
    ["a word of 0", (m) => void (m.src[1] = 0), 1],
    ["another page", (m) => void (m.src[2] ^= 1), 2],
    ["COMPOUND", (m) => void (m.src[0] |= MIGRATE_PFN_COMPOUND), 0],
    ["another page's MIGRATE, with a bit more", (m) => void (m.src[1] ^= MIGRATE_PFN_MIGRATE | 2), 1],
  ] as readonly (readonly [string, (m: Migration) => void, number])[]) {
    test(`src is not the driver's to change: ${name}`, () => {
      const all = world();
      using sem = all.mm.mmapSem.read();
      const m = setup(all);
      all.devmem.allocPages(m.src, m.dst);
      const was = m.src[wrong];
      change(m);
      const message = (errorOf(() => m.pages()) as HmmError).message;
      assert.match(message, `EINVAL: src[${wrong}] must be 0x${was.toString(16)}`);
      m.src[wrong] = was;
      assert.is(m.pages(), 3, "once it is put right, pages() goes through");
      m.finalize();
      sem.close();
      all.hmm.verify();
    });
  }

  test("a page whose MIGRATE a driver clears stays", () => {
    const all = world();
    using sem = all.mm.mmapSem.read();
    const m = setup(all);
    all.devmem.allocPages(m.src, m.dst);
    m.src[1] &= ~MIGRATE_PFN_MIGRATE;
    assert.is(m.pages(), 2);
    m.finalize();
    sem.close();
    assert.equal(
      [0, 1, 2].map((i) => all.hmm.isDevicePage(all.mm.lookupPte(AT + i * P)!.pfn)),
      [true, false, true],
    );
    all.hmm.verify();
  });

  test("a refused pages() changes nothing: MIGRATE and destinations may be set again", () => {
    const all = world();
    using sem = all.mm.mmapSem.read();
    const m = setup(all);
    all.devmem.allocPages(m.src, m.dst);
    m.src[0] &= ~MIGRATE_PFN_MIGRATE;
    const third = m.dst[2];
    m.dst[2] = m.dst[1];
    assert.match((errorOf(() => m.pages()) as HmmError).message, /dst\[2\] must name/);
    m.dst[2] = third;
    m.src[0] = (m.src[0] | MIGRATE_PFN_MIGRATE) >>> 0;
    assert.is(m.pages(), 3);
    m.finalize();
    sem.close();
    all.hmm.verify();
  });

  test("each of eight destinations is looked at", () => {
    const all = world();
    all.mm.mmap({ addr: AT, length: 8 * P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    using sem = all.mm.mmapSem.read();
    const m = setup(all, 8);
    assert.is(all.devmem.allocPages(m.src, m.dst), 8);
    for (let i = 0; i < 8; i++) {
      all.hmm.pageUnlock(migratePfnToPage(m.dst[i]));
      const message = (errorOf(() => m.pages()) as HmmError).message;
      assert.match(message, `dst[${i}] must name a locked page`);
      all.hmm.pageLock(migratePfnToPage(m.dst[i]));
    }
    assert.is(m.pages(), 8);
    m.finalize();
    sem.close();
    all.hmm.verify();
  });

  test("writes to dst after pages() have no effect", () => {
    const all = world();
    using sem = all.mm.mmapSem.read();
    const m = setup(all);
    all.devmem.allocPages(m.src, m.dst);
    const given = [...m.dst].map(migratePfnToPage);
    m.pages();
    m.dst[1] = 0;
    m.dst[0] = m.dst[2];
    m.src.fill(0);
    m.finalize();
    sem.close();
    assert.equal(
      [0, 1, 2].map((i) => all.mm.lookupPte(AT + i * P)!.pfn),
      given,
    );
    all.hmm.verify();
  });

  test("a destination belongs to one migration and one place", () => {
    const all = world();
    using sem = all.mm.mmapSem.read();
    const first = setup(all, 1);
    const second = migrateVmaSetup({
      vma: all.mm.findVma(AT),
      start: AT + P,
      end: AT + 3 * P,
      owner: all.devmem,
    });
    const page = all.devmem.allocPage();
    first.src[0] &= ~MIGRATE_PFN_MIGRATE;
    first.dst[0] = migratePfn(page);
    first.pages();
    second.dst[1] = migratePfn(page);
    assert.match(
      (errorOf(() => second.pages()) as HmmError).message,
      /dst\[1\] must name a locked page of yours/,
    );
    second.dst[1] = 0;
    second.finalize();
    first.finalize();
    sem.close();
    all.hmm.verify();
    assert.is(all.devmem.usedPages, 0);
  });

  test("the pages of a migration or of a fault cannot be put or unlocked", () => {
    const all = world();
    using sem = all.mm.mmapSem.read();
    const m = setup(all);
    all.devmem.allocPages(m.src, m.dst);
    m.pages();
    const pages = [m.src[0], m.dst[0]].map(migratePfnToPage);
    for (const page of pages) {
      assert.throws(
        () => all.hmm.pagePut(page),
        /EINVAL: page must be a page in use with a reference of yours/,
      );
      assert.throws(
        () => all.hmm.pageUnlock(page),
        /EINVAL: page must be a page in use that you have locked/,
      );
    }
    m.finalize();
    sem.close();
    all.hmm.verify();
  });

  test("a callback can neither run pages() again nor end the migration", () => {
    const all = world();
    const errors: unknown[] = [];
    const open: Migration[] = [];
    using _notifier = new MmuIntervalNotifier(all.mm, 0, 2 ** 47, {
      invalidate: () => {
        for (const one of open)
          errors.push(
            errorOf(() => one.pages()),
            errorOf(() => one.finalize()),
          );
        return true;
      },
    });
    using sem = all.mm.mmapSem.read();
    const m = setup(all, 4);
    open.push(m);
    all.devmem.allocPages(m.src, m.dst);
    // Page 3 is a hole: a second window is opened for it.
    assert.is(m.pages(), 4);
    assert.equal(errors.map(String), [
      "TypeError: migration.pages: called twice",
      "HmmError: migration.finalize: EBUSY: pages() is still running: a callback must not end it",
    ]);
    m.finalize();
    sem.close();
    all.hmm.verify();
  });

  test("a hole whose mapping has changed since setup stays a hole", () => {
    const all = world();
    const sem = all.mm.mmapSem.read();
    const m = migrateVmaSetup({
      vma: all.mm.findVma(AT),
      start: AT + 3 * P,
      end: AT + 4 * P,
      owner: all.devmem,
    });
    all.devmem.allocPages(m.src, m.dst);
    sem.close();
    all.mm.munmap(AT + 3 * P, P);
    const again = all.mm.mmapSem.read();
    assert.is(m.pages(), 0);
    again.close();
    m.finalize();
    assert.equal([...m.reasons], [REASON_HOLE_NOT_ANON]);
    all.hmm.verify();
    assert.is(all.devmem.usedPages, 0);
  });

  test("an address space ends only after its migrations", () => {
    const all = world();
    const sem = all.mm.mmapSem.read();
    const m = setup(all, 4);
    all.devmem.allocPages(m.src, m.dst);
    m.pages();
    sem.close();
    const child = all.mm.fork();
    assert.match((errorOf(() => all.mm.close()) as HmmError).message, /EBUSY: migration \d+ is open/);
    m.finalize();
    all.mm.close();
    assert.is(all.hmm.isDevicePage(child.lookupPte(AT)!.pfn), true);
    all.hmm.verify();
  });

  test("a driver's own page on its device does not move, since no process maps it", () => {
    const all = world();
    const page = all.devmem.allocPage();
    all.hmm.pageUnlock(page);
    const m = migrateDeviceRange(all.devmem, page, 1);
    all.hmm.allocPages(m.src, m.dst);
    assert.is(m.pages(), 0);
    m.finalize();
    all.hmm.pagePut(page);
    all.hmm.verify();
  });

  test("a locked page may be unmapped, dropped, truncated, exited: the lock ends with the page", () => {
    const all = world();
    const { hmm, mm } = all;
    const file = hmm.createFile({ bytes: P, kind: "shmem" });
    mm.mmap({ addr: AT + 16 * P, length: P, prot: 3, flags: MAP_SHARED | MAP_FIXED, file });
    mm.write(AT + 16 * P, new Uint8Array([1]));
    const pages = [AT, AT + P, AT + 2 * P, AT + 16 * P].map((addr) => mm.lookupPte(addr)!.pfn);
    for (const page of pages) assert.ok(hmm.pageLock(page));
    mm.munmap(AT, P);
    mm.madvise(AT + P, P, MADV_DONTNEED);
    file.truncate(0);
    mm.close();
    for (const page of pages) assert.throws(() => hmm.pageUnlock(page), /EINVAL/);
    hmm.verify();
    assert.is(hmm.mms().length, 0);
  });

  test("arrays of another engine's migration are refused", () => {
    const all = world();
    const other = world();
    using sem = all.mm.mmapSem.read();
    using m = setup(all);
    assert.throws(() => other.devmem.allocPages(m.src, m.dst), /TypeError|of another Hmm/);
    assert.throws(() => other.hmm.copyPages(m.src, m.dst), /of another Hmm/);
    sem.close();
  });

  test("writing to the arrays of a migration that has ended breaks nothing", () => {
    const all = world();
    const { hmm, mm, devmem } = all;
    const stale: Uint32Array[] = [];
    const wide = mm.mmap({ length: 64 * P });
    {
      using _sem = mm.mmapSem.read();
      // Long arrays, in whose place the arrays of several short migrations go.
      const long = migrateVmaSetup({ vma: mm.findVma(wide), start: wide, end: wide + 64 * P });
      stale.push(long.src, long.dst);
      long.finalize();
      const short = setup(all, 1);
      for (const words of stale) words.fill(0xffffffff);
      short.finalize();
      for (const n of [3, 1, 2]) {
        const m = setup(all, n);
        stale.push(m.src, m.dst);
        m.finalize();
      }
      // Other arrays take their place.
      using _one = hmm.pfnArray(2);
      using _two = hmm.pfnArray(40);
      const m = setup(all);
      devmem.allocPages(m.src, m.dst);
      for (const words of stale) words.fill(0xffffffff);
      // If the words of the open migration are among them, they are wrong now, and refused.
      const refused = errorOf(() => m.pages());
      assert.ok(refused === undefined || /src\[\d\] must be/.test(refused.message), String(refused));
      m.finalize();
    }
    for (let i = 0; i < 20; i++) hmm.pfnArray(1 + i).close();
    hmm.verify();
  });

  test("a page of nobody that a migration holds as a source cannot be a destination", () => {
    const all = world();
    const { hmm, mm, devmem } = all;
    const page = devmem.allocPage();
    hmm.pageUnlock(page);
    const m = migrateDeviceRange(devmem, page, 1);
    m.dst[0] = migratePfn(page);
    assert.match(errorOf(() => m.pages())!.message, /dst\[0\] must name a locked page of yours/);
    using sem = mm.mmapSem.read();
    const other = setup(all);
    other.dst[1] = migratePfn(page);
    assert.match(errorOf(() => other.pages())!.message, /dst\[1\] must name a locked page of yours/);
    other.dst[1] = 0;
    other.finalize();
    m.dst[0] = 0;
    m.finalize();
    sem.close();
    hmm.pagePut(page);
    assert.is(devmem.usedPages, 0);
    hmm.verify();
  });
}).run();
