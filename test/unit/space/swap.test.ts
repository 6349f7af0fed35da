import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  Migration,
  migrateVmaSetup,
  MMU_NOTIFY_CLEAR,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
const PRIVATE = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS };

function filled(mm: Mm, npages: number): number {
  const addr = mm.mmap({ length: npages * PAGE_SIZE, ...PRIVATE });
  for (let i = 0; i < npages; i++) mm.write(addr + i * PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(i + 1));
  return addr;
}

const byteAt = (mm: Mm, addr: number): number => mm.read(addr, 1)[0];

onEachBuild("swap", (test, module) => {
  const engine = (swap = MIB): Hmm =>
    Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 4 * MIB, swap });

  test("pages leave and come back with their contents and are counted", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const free = hmm.freePages;
    const addr = filled(mm, 8);
    mm.madvise(addr, 8 * PAGE_SIZE, MADV_PAGEOUT);
    hmm.verify();
    assert.is(mm.rss.anon, 0);
    assert.is(mm.rss.swap, 8);
    assert.is(hmm.freePages, free);
    for (let i = 0; i < 8; i++) assert.is(byteAt(mm, addr + i * PAGE_SIZE), i + 1);
    assert.is(mm.rss.anon, 8);
    assert.is(mm.rss.swap, 0);
    assert.is(hmm.stats.faults.swap, 8);
    hmm.verify();
    mm.close();
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("pages that collide in the swap cache are found, whichever leaves first", () => {
    // Swap space of 16 slots has a table of 64 cells: pages 64 frames apart hash to the same cell.
    const hmm = engine(16 * PAGE_SIZE);
    for (const order of [
      [0, 1, 2, 3, 4, 5],
      [5, 4, 3, 2, 1, 0],
      [2, 0, 5, 1, 4, 3],
    ]) {
      const mm = hmm.createMm();
      const addr = filled(mm, 6 * 64);
      const at = order.map((i) => addr + i * 64 * PAGE_SIZE);
      const pins = at.map((page) => mm.pin(page, 1));
      const pfns = pins.map(({ pages }) => pages[0]);
      assert.equal([...new Set(pfns.map((pfn) => pfn % 64))].length, 1, "they collide");
      for (const page of at) mm.madvise(page, PAGE_SIZE, MADV_PAGEOUT);
      assert.is(mm.rss.swap, 6, "in the swap cache: somebody else refers to them");
      hmm.verify();
      for (const [i, page] of at.entries()) {
        pins[i].close();
        mm.munmap(page, PAGE_SIZE);
        hmm.verify();
      }
      mm.close();
      hmm.verify();
    }
  });

  test("without swap space, or with swap off, no page leaves", () => {
    for (const hmm of [engine(0), engine()]) {
      hmm.swapOn = false;
      const mm = hmm.createMm();
      const addr = filled(mm, 4);
      mm.madvise(addr, 4 * PAGE_SIZE, MADV_PAGEOUT);
      assert.is(mm.rss.swap, 0);
      hmm.verify();
    }
    assert.throws(() => (engine(0).swapOn = true), /without swap space/);
  });

  test("when swap space is full, the remaining pages stay", () => {
    const hmm = engine(4 * PAGE_SIZE);
    const mm = hmm.createMm();
    const addr = filled(mm, 6);
    mm.madvise(addr, 6 * PAGE_SIZE, MADV_PAGEOUT);
    assert.equal([mm.rss.anon, mm.rss.swap], [2, 4]);
    hmm.verify();
    mm.munmap(addr, 6 * PAGE_SIZE);
    const again = filled(mm, 4);
    mm.madvise(again, 4 * PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 4);
    hmm.verify();
  });

  test("fork shares slots: the page that comes back is shared until the next write", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = filled(mm, 2);
    mm.madvise(addr, 2 * PAGE_SIZE, MADV_PAGEOUT);
    const child = mm.fork();
    assert.is(child.rss.swap, 2);
    hmm.verify();
    assert.is(byteAt(mm, addr), 1);
    hmm.verify();
    assert.is(byteAt(child, addr), 1);
    child.write(addr, Uint8Array.of(77));
    hmm.verify();
    assert.is(byteAt(mm, addr), 1);
    mm.write(addr, Uint8Array.of(55));
    assert.is(byteAt(child, addr), 77);
    child.close();
    hmm.verify();
    assert.is(byteAt(mm, addr + PAGE_SIZE), 2);
    mm.close();
    hmm.verify();
  });

  test("a pinned page goes to the swap cache and comes back as the same page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = filled(mm, 1);
    const pin = mm.pin(addr, 1);
    mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 1);
    hmm.verify();
    assert.is(byteAt(mm, addr), 1);
    assert.is(mm.lookupPte(addr)?.pfn, pin.pages[0]);
    pin.close();
    hmm.verify();
    mm.close();
    hmm.verify();
  });

  test("MADV_WILLNEED reads ahead, MADV_FREE and munmap drop slots", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = filled(mm, 3);
    mm.madvise(addr, 3 * PAGE_SIZE, MADV_PAGEOUT);
    assert.equal([...mm.mincore(addr, 3 * PAGE_SIZE)], [0, 0, 0]);
    mm.madvise(addr, PAGE_SIZE, MADV_WILLNEED);
    assert.equal([...mm.mincore(addr, 3 * PAGE_SIZE)], [1, 0, 0]);
    hmm.verify();
    assert.is(byteAt(mm, addr), 1);
    mm.madvise(addr + PAGE_SIZE, PAGE_SIZE, MADV_FREE);
    assert.is(mm.rss.swap, 1);
    assert.is(byteAt(mm, addr + PAGE_SIZE), 0);
    hmm.verify();
    mm.munmap(addr, 3 * PAGE_SIZE);
    assert.is(mm.rss.swap, 0);
    hmm.verify();
  });

  test("a page that was written after MADV_FREE stays, and who comes after its mapping is not told", () => {
    for (const written of [false, true]) {
      const hmm = engine();
      const mm = hmm.createMm();
      const addr = filled(mm, 1);
      const child = mm.fork();
      child.madvise(addr, PAGE_SIZE, MADV_DONTNEED); // the child may map the page, and does not
      mm.madvise(addr, PAGE_SIZE, MADV_FREE);
      if (written) mm.write(addr, Uint8Array.of(9));
      const told: string[] = [];
      const listen = (to: Mm, name: string): MmuIntervalNotifier =>
        new MmuIntervalNotifier(to, addr, PAGE_SIZE, {
          invalidate: ({ event }) => {
            told.push(`${name}: ${event === MMU_NOTIFY_CLEAR ? "clear" : event}`);
            return true;
          },
        });
      using _parent = listen(mm, "parent");
      using _child = listen(child, "child");
      mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
      // A page that leaves is gone with its one mapping, too: there is nobody left to ask about.
      assert.equal(told, ["parent: clear"], `written ${written}`);
      assert.is(byteAt(mm, addr), written ? 9 : 0);
      hmm.verify();
    }
  });

  test("an access from a callback to a page that is leaving does not free its slot", () => {
    const deeds: Record<string, (mm: Mm, addr: number) => void> = {
      write: (mm, addr) => mm.write(addr, Uint8Array.of(9)),
      pin: (mm, addr) => void mm.pin(addr, 1, { write: true }),
      read: (mm, addr) => assert.is(byteAt(mm, addr), 1),
    };
    for (const [name, deed] of Object.entries(deeds)) {
      const hmm = engine();
      const mm = hmm.createMm();
      const addr = filled(mm, 1);
      // After a fork the page is write-protected, and when the child is gone the next write may reuse it.
      mm.fork().close();
      let told = 0;
      using _notifier = new MmuIntervalNotifier(mm, addr, PAGE_SIZE, {
        invalidate: () => {
          if (told++ === 0) deed(mm, addr);
          return true;
        },
      });
      mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
      hmm.verify();
      assert.ok(told > 0, name);
      assert.is(byteAt(mm, addr), name === "write" ? 9 : 1, name);
      for (const one of hmm.mms()) one.close();
      hmm.verify();
    }
  });

  test("a device reads swapped pages in; swapped pages do not migrate", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = filled(mm, 2);
    mm.madvise(addr, 2 * PAGE_SIZE, MADV_PAGEOUT);
    const mirror = new Dmirror(mm, { device: new DmirrorDevice(hmm, { memory: 2 * MIB }) });
    assert.is.not(mirror.migrateToDevice(addr, 2).ret, 0);
    assert.is(mm.rss.swap, 2);
    const { data } = mirror.read(addr, 2);
    assert.is(data?.[PAGE_SIZE], 2);
    assert.is(mirror.migrateToDevice(addr, 2).ret, 0);
    hmm.verify();
  });

  test("a page of the swap cache that loses its mapping in a migration, or while lent, is freed", () => {
    for (const lent of [false, true]) {
      const hmm = engine();
      const mm = hmm.createMm();
      const free = hmm.freePages;
      const addr = filled(mm, 1);
      mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
      mm.madvise(addr, PAGE_SIZE, MADV_WILLNEED);
      assert.is(byteAt(mm, addr), 1);
      const sem = mm.mmapSem.read();
      const open = lent
        ? makeDeviceExclusive(mm, addr, 1)
        : migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + PAGE_SIZE });
      if (open instanceof Migration) open.pages();
      sem.close();
      mm.munmap(addr, PAGE_SIZE);
      open.close();
      assert.is(hmm.freePages, free);
      hmm.verify();
    }
  });

  test("userfaultfd: an access to missing memory is SIGBUS, to existing memory not", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * PAGE_SIZE, ...PRIVATE });
    mm.write(addr, Uint8Array.of(9));
    mm.uffdRegister(addr, 4 * PAGE_SIZE);
    assert.is(byteAt(mm, addr), 9);
    assert.throws(
      () => mm.read(addr + PAGE_SIZE, 1),
      (error: unknown) => error instanceof HmmError && /SIGBUS/.test(error.message),
    );
    const child = mm.fork();
    assert.is(byteAt(child, addr + PAGE_SIZE), 0);
    mm.uffdUnregister(addr, 4 * PAGE_SIZE);
    assert.is(byteAt(mm, addr + PAGE_SIZE), 0);
    assert.throws(() => mm.uffdRegister(addr + 4 * PAGE_SIZE, PAGE_SIZE), /EINVAL/);
    hmm.verify();
  });
}).run();
