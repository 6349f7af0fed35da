import * as assert from "uvu/assert";
import { RangeMover } from "../../../src/device/range-mover.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  MADV_DONTNEED,
  MIGRATE_PFN_MIGRATE,
  migrateVmaSetup,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Hmm,
  type HmmDevmem,
  type Mm,
} from "../../../src/index.ts";
import { DEVICE_PFN_DIRTY } from "../../../assembly/uapi/pfn.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";
import { Random } from "../../fuzz/random.ts";

/** Pages of the mapping: a bit more than a leaf table has. */
const PAGES = 544;

interface World {
  hmm: Hmm;
  mm: Mm;
  addr: number;
  devmem: HmmDevmem;
  table: DeviceTable;
  owner: object;
}

onEachBuild("range mover", (test, module) => {
  /** A process and a device whose memory has half of the process's pages. */
  const makeWorld = (): World => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGES * PAGE_SIZE });
    const owner = {};
    const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, owner, 1 << 20);
    const table = new DeviceTable(mm);
    new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table, owner });
    return { hmm, mm, addr, devmem, table, owner };
  };

  /** A driver that makes the moves of a RangeMover by the separate calls. Returns the indexes that moved. */
  const stepwise = (
    { hmm, mm, addr, devmem, table, owner }: World,
    from: number,
    to: number,
    there: boolean,
  ): number[] => {
    using _sem = mm.mmapSem.read();
    const select = there ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const [start, end] = [addr + from * PAGE_SIZE, addr + to * PAGE_SIZE];
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start, end, owner, select });
    if (there) devmem.allocPages(m.src, m.dst);
    else hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    table.mapMigrated(m);
    return [...m.src.keys()].filter((i) => (m.src[i] & MIGRATE_PFN_MIGRATE) !== 0).map((i) => from + i);
  };

  test("does what the separate calls do, on random ranges of a process that goes on", () => {
    const [a, b] = [makeWorld(), makeWorld()];
    const mover = new RangeMover(b.mm, b.devmem, b.table);
    const random = new Random(42);
    for (let round = 0; round < 60; round++) {
      const from = random.below(PAGES - 1);
      const to = Math.min(PAGES, from + 1 + random.below(512));
      const kind = random.below(6);
      if (kind === 0) {
        for (const { mm, addr } of [a, b])
          mm.madvise(addr + from * PAGE_SIZE, (to - from) * PAGE_SIZE, MADV_DONTNEED);
      } else if (kind === 1) {
        // A page of the CPU's, if it is not on the device.
        for (const { mm, addr, table } of [a, b])
          if (table.lookup(addr + from * PAGE_SIZE) === 0) mm.store32(addr + from * PAGE_SIZE, round);
      } else if (kind === 2) {
        for (const { addr, table } of [a, b]) table.write(addr + from * PAGE_SIZE, Uint8Array.of(round));
      } else {
        const there = kind !== 3;
        const written = [...b.table.snapshot(b.addr + from * PAGE_SIZE, to - from).keys()].filter(
          (i) => (b.table.lookup(b.addr + (from + i) * PAGE_SIZE) & DEVICE_PFN_DIRTY) !== 0,
        );
        const wanted = stepwise(a, from, to, there);
        using _sem = b.mm.mmapSem.read();
        const [start, end] = [b.addr + from * PAGE_SIZE, b.addr + to * PAGE_SIZE];
        const n = there ? mover.toDevice(start, end) : mover.toSystem(start, end, start);
        const has = (bits: (base: number) => number, i: number): boolean => {
          const at = b.addr + i * PAGE_SIZE;
          return ((bits(at) >> ((at / PAGE_SIZE) % 16)) & 1) !== 0;
        };
        const indexes = Array.from({ length: to - from }, (_, i) => from + i);
        assert.equal(
          indexes.filter((i) => has((base) => mover.moved(base), i)),
          wanted,
        );
        assert.is(n, wanted.length);
        if (!there) {
          const dirty = indexes.filter((i) => has((base) => mover.written(base), i));
          assert.equal(
            dirty,
            written.map((i) => from + i),
          );
        }
      }
      const words = ({ table, addr }: World): boolean[] =>
        [...table.snapshot(addr, PAGES)].map((word) => word !== 0);
      assert.equal(words(b), words(a));
      assert.is(b.table.entries, a.table.entries);
      assert.is(b.devmem.usedPages, a.devmem.usedPages);
      for (const { hmm } of [a, b]) hmm.verify();
    }
    assert.equal(b.hmm.stats.pagesCopied, a.hmm.stats.pagesCopied);
  });

  test("says which pages there were before: the others were holes", () => {
    const { mm, addr, devmem, table } = makeWorld();
    const mover = new RangeMover(mm, devmem, table);
    mm.store32(addr + PAGE_SIZE, 1);
    using _sem = mm.mmapSem.read();
    // The range of 4 pages begins at a 64 KiB, so that its pages have bits 0 to 3; page 1 was there.
    const base = (addr / PAGE_SIZE) % 16;
    assert.is(mover.toDevice(addr, addr + 4 * PAGE_SIZE), 4);
    assert.is(mover.moved(addr), 0b1111 << base);
    assert.is(mover.copied(addr), 0b10 << base);
  });

  test("where system memory has room for one page, the first one gets it", () => {
    const hmm = makeHmm(module, { systemMemory: 2 << 20 });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * PAGE_SIZE });
    const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, {}, 2 << 20);
    const table = new DeviceTable(mm);
    const mover = new RangeMover(mm, devmem, table);
    using _sem = mm.mmapSem.read();
    assert.is(mover.toDevice(addr, addr + 4 * PAGE_SIZE), 4);
    const taken: number[] = [];
    for (let page = hmm.allocPage(); page !== 0; page = hmm.allocPage()) taken.push(page);
    hmm.pagePut(taken[0]);
    // One frame is free, and page 2 is the one that a CPU needs.
    assert.is(mover.toSystem(addr, addr + 4 * PAGE_SIZE, addr + 2 * PAGE_SIZE), 1);
    assert.is(mover.moved(addr), 0b100 << ((addr / PAGE_SIZE) % 16));
  });

  test("refuses a range without a mapping and one without the lock; nothing has happened then", () => {
    const { hmm, mm, addr, devmem, table } = makeWorld();
    const mover = new RangeMover(mm, devmem, table);
    assert.match(errorOf(() => mover.toDevice(addr, addr + PAGE_SIZE))!.message, "mmapSem");
    using _sem = mm.mmapSem.read();
    assert.match(errorOf(() => mover.toDevice(addr - PAGE_SIZE, addr))!.message, "moveToDevice");
    assert.match(errorOf(() => mover.toDevice(addr, addr + PAGES * PAGE_SIZE))!.message, "moveToDevice");
    assert.is(devmem.usedPages, 0);
    hmm.verify();
  });
}).run();
