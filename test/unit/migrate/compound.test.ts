import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  hmmDevmemAdd,
  MADV_DONTNEED,
  MADV_FREE,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  REASON_LOCKED,
  REASON_NO_DESTINATION,
  REASON_ORDER,
  REASON_PINNED,
  REASON_REFERENCED,
  type HmmDevmem,
  type Migration,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, byteAt, MIB, PAGES, PMD, write } from "../../util/huge.ts";

const TO_DEVICE = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
const TO_SYSTEM = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND;
const UNIT = (MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND) >>> 0;
const PAGE_UNIT = (UNIT | MIGRATE_PFN_VALID) >>> 0;

/** An engine, a process, and a device that moves huge pages as one. */
class World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly devmem: HmmDevmem;
  readonly faults: number[] = [];
  freed = 0;

  constructor(module: WebAssembly.Module) {
    this.hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB });
    this.mm = this.hmm.createMm();
    this.devmem = hmmDevmemAdd(
      this.hmm,
      {
        free: () => void this.freed++,
        fault: (_devmem, vma, address, _page, _flags, order) => {
          this.faults.push(order);
          const size = PAGE_SIZE << order;
          const start = address - (address % size);
          using m = migrateVmaSetup({ vma, start, end: start + size, select: TO_SYSTEM });
          this.hmm.allocPages(m.src, m.dst);
          this.hmm.copyPages(m.src, m.dst);
          m.pages();
        },
      },
      this,
      8 * MIB,
    );
  }

  fill(pages = PAGES): void {
    for (let i = 0; i < pages; i++) write(this.mm, AT + i * PAGE_SIZE, i | 1);
  }

  setup(select: number, start = AT, end = AT + PMD): Migration {
    return migrateVmaSetup({ vma: this.mm.findVma(start), start, end, owner: this, select });
  }

  toDevice(start = AT, end = AT + PMD): Migration {
    using _sem = this.mm.mmapSem.read();
    using m = this.setup(TO_DEVICE, start, end);
    this.devmem.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return m;
  }

  /** Whether the entry of a page is part of a huge mapping. */
  huge(addr = AT): boolean {
    return ((this.mm.lookupPte(addr)?.flags ?? 0) & 0x10000000) !== 0;
  }

  check(pages = PAGES): void {
    for (let i = 0; i < pages; i++) assert.is(byteAt(this.mm, AT + i * PAGE_SIZE), (i | 1) & 255);
    this.hmm.verify();
  }
}

onEachBuild("migration of huge pages as one", (test, module) => {
  test("a huge page moves to the device and comes back with one fault", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    const { hmm, devmem } = w;
    const free = hmm.freePages;
    {
      using _sem = w.mm.mmapSem.read();
      using m = w.setup(TO_DEVICE);
      assert.is(m.cpages, 1);
      assert.is((m.src[0] & PAGE_UNIT) >>> 0, PAGE_UNIT);
      assert.ok(m.src.subarray(1).every((word) => word === 0));
      hmm.verify();
      assert.is(devmem.allocPages(m.src, m.dst), PAGES);
      assert.is((m.dst[0] & MIGRATE_PFN_COMPOUND) >>> 0, MIGRATE_PFN_COMPOUND);
      assert.is(hmm.copyPages(m.src, m.dst), PAGES);
      assert.is(m.pages(), PAGES);
      hmm.verify();
    }
    hmm.verify();
    assert.equal(
      [hmm.freePages, devmem.usedPages, w.mm.rss.anon, w.huge()],
      [free + PAGES, PAGES, PAGES, true],
    );
    w.check();
    assert.equal(w.faults, [9]);
    assert.equal([devmem.usedPages, w.freed, w.huge()], [0, PAGES, true]);
  });

  test("a migration that is given up leaves the huge page unchanged", () => {
    for (const run of [false, true]) {
      const w = new World(module);
      advised(w.mm);
      w.fill();
      using _sem = w.mm.mmapSem.read();
      const m = w.setup(TO_DEVICE);
      if (run) m.pages();
      m.close();
      if (run)
        assert.is(m.result.stayed.filter(({ reason }) => reason === REASON_NO_DESTINATION).length, PAGES);
      assert.is(w.huge(), true);
      w.check();
    }
  });

  test("an untouched 2 MiB and the huge zero page become huge device pages", () => {
    for (const touched of [false, true]) {
      const w = new World(module);
      advised(w.mm);
      if (touched) byteAt(w.mm, AT);
      const free = w.hmm.freePages;
      using _sem = w.mm.mmapSem.read();
      const m = w.setup(TO_DEVICE);
      assert.equal([m.cpages, m.src[0]], [1, UNIT]);
      w.devmem.allocPages(m.src, m.dst);
      w.hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), PAGES);
      m.close();
      _sem.close();
      w.hmm.verify();
      assert.equal([w.mm.rss.anon, w.devmem.usedPages, w.huge()], [PAGES, PAGES, true]);
      assert.is(w.hmm.freePages, touched ? free + PAGES : free);
      assert.is(byteAt(w.mm, AT + PMD - 1), 0);
      assert.equal(w.faults, [9]);
      w.hmm.verify();
    }
  });

  test("a device without a free block takes single pages of the split source; the rest stays", () => {
    for (const left of [PAGES, 100]) {
      const w = new World(module);
      advised(w.mm);
      w.fill();
      const taken: number[] = [];
      // First one page of each block, then all pages but `left`.
      while (w.devmem.freePages > left) taken.push(w.devmem.allocPage());
      if (left === PAGES) {
        taken.push(w.devmem.allocPage());
        const page = taken.shift()!;
        w.hmm.pageUnlock(page);
        w.hmm.pagePut(page);
      }
      const m = w.toDevice();
      assert.is(m.result.moved, left);
      assert.is(m.result.stayed.length, PAGES - left);
      assert.is(w.huge(), false);
      w.hmm.verify();
      w.check();
      assert.is(w.faults.length, left);
    }
  });

  test("fork: the huge mappings of both processes wait and come back", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    const child = w.mm.fork();
    assert.is(w.toDevice().result.moved, PAGES);
    w.hmm.verify();
    assert.is(byteAt(child, AT + 5 * PAGE_SIZE), 5);
    assert.equal(w.faults, [9]);
    w.check();
    write(child, AT, 99);
    assert.is(byteAt(w.mm, AT), 1);
    child.close();
    w.check();
  });

  test("a huge device page that is shared or changed in part comes back page by page", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    w.toDevice();
    const child = w.mm.fork();
    w.hmm.verify();
    w.mm.munmap(AT + 8 * PAGE_SIZE, 8 * PAGE_SIZE);
    assert.is(w.huge(), false);
    w.hmm.verify();
    w.mm.mremap(AT, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 2 * PMD);
    w.hmm.verify();
    assert.is(byteAt(w.mm, AT + 2 * PMD), 1);
    for (let i = 16; i < PAGES; i++) assert.is(byteAt(w.mm, AT + i * PAGE_SIZE), (i | 1) & 255);
    for (let i = 0; i < PAGES; i++) assert.is(byteAt(child, AT + i * PAGE_SIZE), (i | 1) & 255);
    w.hmm.verify();
    w.mm.close();
    child.close();
    assert.is(w.devmem.usedPages, 0);
    w.hmm.verify();
  });

  test("MADV_FREE does not change a huge device page, MADV_DONTNEED frees it", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    w.toDevice();
    w.mm.madvise(AT, PMD, MADV_FREE);
    assert.is(w.devmem.usedPages, PAGES);
    w.mm.madvise(AT, PMD, MADV_DONTNEED);
    assert.equal([w.devmem.usedPages, w.freed, w.mm.rss.anon], [0, PAGES, 0]);
    w.hmm.verify();
    w.fill();
    assert.is(w.huge(), true);
  });

  test("a held or locked part keeps the huge page in place", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    const pin = w.mm.pin(AT + 7 * PAGE_SIZE, 1);
    assert.ok(w.toDevice().result.stayed.every(({ reason }) => reason === REASON_PINNED));
    assert.is(w.huge(), true);
    w.check();
    pin.close();
    const page = w.mm.lookupPte(AT + 9 * PAGE_SIZE)!.pfn;
    w.hmm.pageLock(page);
    assert.ok(w.toDevice().result.stayed.every(({ reason }) => reason === REASON_LOCKED));
    w.hmm.pageUnlock(page);
    using _sem = w.mm.mmapSem.read();
    const m = w.setup(TO_DEVICE);
    w.devmem.allocPages(m.src, m.dst);
    w.hmm.pageGet(page);
    m.pages();
    m.close();
    assert.ok(
      m.result.stayed.length === PAGES && m.result.stayed.every(({ reason }) => reason === REASON_REFERENCED),
    );
    w.hmm.pagePut(page);
    assert.is(w.devmem.usedPages, 0);
    w.check();
  });

  test("a large destination for a small page is refused because of its order, and freed", () => {
    const w = new World(module);
    advised(w.mm, 2 * PMD);
    w.fill();
    using _sem = w.mm.mmapSem.read();
    const large = w.setup(TO_DEVICE);
    w.devmem.allocPages(large.src, large.dst);
    const word = large.dst[0];
    large.dst[0] = 0;
    large.close();
    const m = w.setup(MIGRATE_VMA_SELECT_SYSTEM);
    m.dst[0] = word;
    m.pages();
    m.close();
    assert.is(m.result.stayed[0].reason, REASON_ORDER);
    assert.is(w.devmem.usedPages, 0);
    w.check();
  });

  test("a destination that is no large folio, or a part of one, is EINVAL before anything moves", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    using _sem = w.mm.mmapSem.read();
    using m = w.setup(TO_DEVICE);
    const page = w.devmem.allocPage();
    m.dst[0] = (MIGRATE_PFN_VALID | MIGRATE_PFN_COMPOUND | page) >>> 0;
    assert.throws(
      () => m.pages(),
      (error: Error) => error instanceof HmmError && /EINVAL/.test(error.message),
    );
    m.dst[0] = 0;
    w.devmem.allocPages(m.src, m.dst);
    const word = m.dst[0];
    m.dst[0] = ((word & ~MIGRATE_PFN_COMPOUND) + 5) >>> 0;
    assert.throws(() => m.pages(), /EINVAL/);
    m.dst[0] = word;
    w.hmm.copyPages(m.src, m.dst);
    m.pages();
    m.close();
    w.hmm.pageUnlock(page);
    w.hmm.pagePut(page);
    _sem.close();
    w.check();
  });

  test("when the device closes, its huge pages are split and brought back", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    w.toDevice();
    w.mm.munmap(AT, 3 * PAGE_SIZE);
    w.devmem.close();
    assert.equal(w.faults, []);
    for (let i = 3; i < PAGES; i++) assert.is(byteAt(w.mm, AT + i * PAGE_SIZE), (i | 1) & 255);
    w.hmm.verify();
  });

  test("an open migration of a huge page: other users wait; unmapping and forking are safe", () => {
    const w = new World(module);
    advised(w.mm);
    w.fill();
    const sem = w.mm.mmapSem.read();
    const m = w.setup(TO_DEVICE);
    w.devmem.allocPages(m.src, m.dst);
    w.hmm.copyPages(m.src, m.dst);
    sem.close();
    assert.throws(() => byteAt(w.mm, AT + 300 * PAGE_SIZE), /EAGAIN/);
    const child = w.mm.fork();
    w.hmm.verify();
    w.mm.munmap(AT + 4 * PAGE_SIZE, PAGE_SIZE);
    w.hmm.verify();
    {
      using _sem = w.mm.mmapSem.read();
      m.pages();
    }
    m.close();
    w.hmm.verify();
    for (let i = 0; i < PAGES; i++) {
      assert.is(byteAt(child, AT + i * PAGE_SIZE), (i | 1) & 255);
      if (i !== 4) assert.is(byteAt(w.mm, AT + i * PAGE_SIZE), (i | 1) & 255);
    }
    w.hmm.verify();
  });
}).run();
