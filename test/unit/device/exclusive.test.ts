import * as assert from "uvu/assert";
import {
  FAULT_KIND_EXCLUSIVE,
  hmmPfn,
  HMM_PFN_WRITE,
  type HmmError,
  MADV_DONTNEED,
  makeDeviceExclusive,
  migrateVmaSetup,
  MMU_NOTIFY_EXCLUSIVE,
  MmuIntervalNotifier,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  REASON_NOT_PRESENT,
  type ExclusivePages,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

/**
 * Returns what an interval notifier of the whole address space hears: pages (counted from `base`) and owner.
 */
function exclusiveEvents(mm: Mm, base: number): [page: number, owner: unknown][] {
  const heard: [number, unknown][] = [];
  new MmuIntervalNotifier(mm, 0, 2 ** 48, {
    invalidate: ({ event, start, end, owner }) => {
      if (event !== MMU_NOTIFY_EXCLUSIVE) return;
      assert.is(end, start + P, "an event for each page");
      heard.push([(start - base) / P, owner]);
    },
  });
  return heard;
}

function lend(mm: Mm, addr: number, npages: number, owner?: unknown): ExclusivePages {
  using _sem = mm.mmapSem.read();
  return makeDeviceExclusive(mm, addr, npages, owner);
}

onEachBuild("exclusive", (test, module) => {
  test("a page that loses its mapping while devices are told is not lent and not left locked", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    using pin = mm.pin(addr, 1);
    using _notifier = new MmuIntervalNotifier(mm, addr, P, {
      invalidate: ({ event }) => {
        if (event === MMU_NOTIFY_EXCLUSIVE) mm.madvise(addr, P, MADV_DONTNEED);
      },
    });
    const lent = lend(mm, addr, 2);
    assert.is(lent.lent, 1);
    assert.is(lent.pages[0], 0);
    assert.is(hmm.pageLock(pin.pages[0]), true);
    hmm.pageUnlock(pin.pages[0]);
    lent.close();
    assert.is(mm.load32(addr), 0);
    hmm.verify();
  });

  test("lent pages are locked and referenced until close(), and then a CPU access takes them back", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(4));
    const heard = exclusiveEvents(mm, addr);
    const lent = lend(mm, addr, 4);
    assert.is(lent.reached, 4);
    assert.is(lent.lent, 4);
    assert.equal(
      heard,
      [0, 1, 2, 3].map((page) => [page, null]),
    );
    assert.is(hmm.pageLock(lent.pages[0]), false, "locked");
    assert.is(mm.rss.anon, 4);
    const error = errorOf(() => mm.load32(addr)) as HmmError;
    assert.is(error.code, "EAGAIN");
    assert.is((errorOf(() => lend(mm, addr, 1)) as HmmError).code, "EAGAIN", "somebody else has it");
    hmm.verify();

    lent.close();
    lent.close();
    assert.ok(lent.closed);
    hmm.verify();
    heard.length = 0;
    assert.is(mm.fault(addr + P), FAULT_KIND_EXCLUSIVE);
    assert.equal(heard, [[1, null]]);
    assert.equal(mm.read(addr, 4 * P), pattern(4));
    assert.is(heard.length, 4);
    assert.is(hmm.stats.faults.exclusive, 4);
    mm.write(addr, pattern(4, 9));
    assert.is(heard.length, 4, "the entries are the CPU's again, and writable");
    hmm.verify();
  });

  test("a device table maps lent pages until the CPU takes them back", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    const lent = lend(mm, addr, 4, gpu);
    gpu.table.map(
      addr,
      lent.pages.map((page) => hmmPfn(page, HMM_PFN_WRITE)),
    );
    lent.close();
    hmm.verify();
    assert.is(gpu.table.write(addr, pattern(4, 77)), 4 * P, "atomically: the CPU has no entry");
    assert.is(gpu.table.entries, 4);
    assert.equal(mm.read(addr + P, P), pattern(4, 77).subarray(P, 2 * P));
    assert.is(gpu.table.entries, 3);
    hmm.verify();
  });

  test("the event of lending names its owner; the event of taking back names no owner", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    const heard = exclusiveEvents(mm, addr);
    lend(mm, addr, 1, gpu).close();
    lend(mm, addr, 1, "another").close();
    mm.load32(addr);
    assert.equal(
      heard.map(([, owner]) => owner),
      [gpu, null, "another", null],
    );
  });

  test("holes and zero pages become pages, shared pages are copied, device pages come back", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.load32(addr + P);
    mm.write(addr + 2 * P, pattern(2));
    const child = mm.fork();
    mm.write(addr + 4 * P, pattern(1, 4));
    gpu.toDevice(addr + 4 * P, addr + 5 * P);
    const lent = lend(mm, addr, 5);
    assert.is(lent.lent, 5);
    assert.is(gpu.faults, 1);
    assert.is(mm.rss.anon, 5);
    assert.is(child.lookupPte(addr + 2 * P)!.pfn === lent.pages[2], false);
    assert.equal(child.read(addr + 2 * P, 2 * P), pattern(2), "the child's copies are not lent");
    lent.close();
    assert.equal(mm.read(addr + 4 * P, P), pattern(1, 4));
    hmm.verify();
  });

  test("nothing is lent beyond an unreachable page; if that is the first page, its error is thrown", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    mm.mprotect(addr + 2 * P, P, PROT_READ);
    mm.munmap(addr + 4 * P, P);
    {
      using lent = lend(mm, addr, 8);
      assert.is(lent.reached, 2);
      assert.is(lent.lent, 2);
    }
    for (const page of [2, 4]) {
      const error = errorOf(() => lend(mm, addr + page * P, 2)) as HmmError;
      assert.is(error.code, "EFAULT");
      assert.is(error.address, addr + page * P);
    }
    hmm.failAllocation(1);
    mm.madvise(addr, P, MADV_DONTNEED);
    assert.is((errorOf(() => lend(mm, addr, 1)) as HmmError).code, "ENOMEM");
    hmm.verify();
  });

  test("a locked page is not lent", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const { pfn } = mm.lookupPte(addr)!;
    hmm.pageGet(pfn);
    assert.ok(hmm.pageLock(pfn));
    const lent = lend(mm, addr, 2);
    assert.is(lent.reached, 2);
    assert.is(lent.pages[0], 0);
    assert.is(lent.lent, 1);
    lent.close();
    hmm.pageUnlock(pfn);
    hmm.pagePut(pfn);
    assert.equal(mm.read(addr, 2 * P), pattern(2));
    hmm.verify();
  });

  test("fork takes pages back, mremap moves the entries, unmapping frees them", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const free = hmm.freePages;
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    const heard = exclusiveEvents(mm, addr);
    lend(mm, addr, 4).close();
    const child = mm.fork();
    assert.is(heard.length, 4, "fork's own event says it already");
    assert.equal(child.read(addr, 4 * P), pattern(4));
    child.close();

    lend(mm, addr, 4).close();
    const target = addr - 64 * P;
    mm.mremap(addr, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    assert.is(mm.fault(target), FAULT_KIND_EXCLUSIVE);
    assert.equal(mm.read(target, 2 * P), pattern(4).subarray(0, 2 * P));
    mm.madvise(addr + 2 * P, P, MADV_DONTNEED);
    assert.is(mm.rss.anon, 3);
    assert.is(mm.load32(addr + 2 * P), 0);
    hmm.verify();
    mm.close();
    assert.is(hmm.freePages, free);
  });

  test("a page taken back does not get back the write bit that mprotect removed", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    lend(mm, addr, 1).close();
    mm.mprotect(addr, P, PROT_READ);
    assert.equal(mm.read(addr, P), pattern(1));
    assert.is((errorOf(() => mm.store32(addr, 1)) as HmmError).code, "EFAULT");
    hmm.verify();
  });

  test("a process without access has none after fork or a forced read takes the page back", () => {
    for (const forced of [false, true]) {
      const hmm = makeHmm(module, { linux: "6.12" });
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: P });
      mm.store32(addr, 7);
      lend(mm, addr, 1).close();
      mm.mprotect(addr, P, PROT_NONE);
      const other = forced ? mm : mm.fork();
      if (forced) assert.is(mm.read(addr, 1, { force: true })[0], 7);
      for (const each of [mm, other])
        assert.is((errorOf(() => each.load32(addr)) as HmmError).code, "EFAULT");
      mm.mprotect(addr, P, PROT_READ);
      assert.is(mm.load32(addr), 7);
      hmm.verify();
    }
  });

  test("close() frees pages that outlive their mapping", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const free = hmm.freePages;
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    const lent = lend(mm, addr, 2);
    mm.munmap(addr, 2 * P);
    assert.is(mm.rss.anon, 0);
    mm.close();
    assert.is(hmm.freePages, free - 2);
    lent.close();
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("lent pages do not migrate", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 3 * P });
    mm.write(addr, pattern(3));
    lend(mm, addr, 1).close();
    using _lent = lend(mm, addr + P, 1);
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 3 * P });
    assert.is(m.cpages, 1);
    assert.equal([...m.reasons.subarray(0, 2)], [REASON_NOT_PRESENT, REASON_NOT_PRESENT]);
  });

  test("if a callback throws, no page is lent and none stays locked", () => {
    const hmm = makeHmm(module, { linux: "6.12" });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    let broken = true;
    const invalidate = (): void => {
      if (broken) throw new Error("a broken driver");
    };
    new MmuIntervalNotifier(mm, addr, P, { invalidate });
    assert.match(errorOf(() => lend(mm, addr, 2))!.message, /a broken driver/);
    broken = false;
    hmm.verify();
    assert.equal(mm.read(addr, 2 * P), pattern(2));
  });

  test("mmapSem must be held", () => {
    const mm = makeHmm(module, { linux: "6.12" }).createMm();
    const addr = mm.mmap({ length: P });
    assert.match(errorOf(() => makeDeviceExclusive(mm, addr, 1))!.message, /mmapSem must be held/);
  });
}).run();
