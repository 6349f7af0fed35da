import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_FREE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PAGE_SIZE,
} from "../../../src/index.ts";
import { TestGpu } from "../../util/driver.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, byteAt, isHuge, listen, MIB, orders, PAGES, PMD, write } from "../../util/huge.ts";

onEachBuild("huge pages: advice", (test, module) => {
  const engine = (): Hmm =>
    Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB, swap: 4 * MIB, linux: "6.12" });

  test("MADV_COLLAPSE makes a huge page of small pages, wherever they are", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ addr: AT, length: PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    for (let i = 0; i < 30; i++) write(mm, addr + i * PAGE_SIZE, i + 1);
    gpu.toDevice(addr, addr + 4 * PAGE_SIZE);
    mm.madvise(addr + 10 * PAGE_SIZE, 4 * PAGE_SIZE, MADV_PAGEOUT);
    const child = mm.fork();
    write(mm, addr, 1);
    mm.madvise(addr, PMD, MADV_COLLAPSE);
    assert.equal(orders(mm, addr), new Set([9]));
    assert.equal([mm.rss.anon, mm.rss.swap], [PAGES, 0]);
    for (let i = 0; i < 31; i++) {
      assert.equal(
        [byteAt(mm, addr + i * PAGE_SIZE), byteAt(child, addr + i * PAGE_SIZE)],
        i < 30 ? [i + 1, i + 1] : [0, 0],
      );
    }
    hmm.verify();
    mm.madvise(addr, PMD, MADV_COLLAPSE);
  });

  test("MADV_COLLAPSE continues after an error that a retry may avoid, and stops after others", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mm.mmap({ addr: AT, length: 3 * PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    for (let at = addr; at < addr + 3 * PMD; at += PMD) write(mm, at, 1);
    using pin = mm.pin(addr, 1);
    assert.throws(() => mm.madvise(addr, 2 * PMD, MADV_COLLAPSE), /EAGAIN/);
    assert.equal(orders(mm, addr + PMD), new Set([9]), "the second one is not held");
    pin.close();
    // A swapped page cannot come back.
    write(mm, addr + PAGE_SIZE, 1);
    mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
    hmm.failAllocation(1);
    assert.throws(() => mm.madvise(addr, 3 * PMD, MADV_COLLAPSE), /EINVAL/);
    assert.not(isHuge(mm, addr + 2 * PMD));
    hmm.verify();
  });

  test("MADV_COLLAPSE of a range without a 2 MiB boundary is EINVAL; an empty range is accepted", () => {
    const mm = engine().createMm();
    const addr = mm.mmap({ addr: AT, length: 2 * PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    write(mm, addr, 1);
    assert.throws(() => mm.madvise(addr + PAGE_SIZE, PAGE_SIZE, MADV_COLLAPSE), /EINVAL/);
    mm.madvise(addr + PAGE_SIZE, PMD - PAGE_SIZE, MADV_COLLAPSE);
    mm.madvise(addr, PAGE_SIZE, MADV_COLLAPSE);
    mm.madvise(addr + PMD - PAGE_SIZE, 2 * PAGE_SIZE, MADV_COLLAPSE);
    assert.not(isHuge(mm, addr));
  });

  test("MADV_COLLAPSE fails without a writable page or memory, with a reference, against advice", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mm.mmap({ addr: AT, length: 2 * PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    const refuses = (start: number, errno: RegExp): void => {
      assert.throws(
        () => mm.madvise(start, PMD, MADV_COLLAPSE),
        (error: Error) => error instanceof HmmError && errno.test(error.message),
      );
      hmm.verify();
    };
    refuses(addr, /EINVAL/);
    byteAt(mm, addr);
    refuses(addr, /EINVAL/);
    write(mm, addr, 1);
    const pin = mm.pin(addr, 1);
    refuses(addr, /EAGAIN/);
    pin.close();
    mm.madvise(addr + PMD, PMD, MADV_NOHUGEPAGE);
    write(mm, addr + PMD, 1);
    refuses(addr + PMD, /EINVAL/);
    const hog = hmm.createMm();
    advised(hog, 8 * PMD);
    for (let i = 0; i < 8; i++) write(hog, AT + i * PMD, 1);
    refuses(addr, /ENOMEM/);
    hog.close();
    mm.madvise(addr, PMD, MADV_COLLAPSE);
    hmm.verify();
  });

  test("advice for a part of an unshared huge page splits the page; advice for all of it does not", () => {
    for (const advice of [MADV_COLD, MADV_FREE]) {
      const hmm = engine();
      const mm = hmm.createMm();
      advised(mm);
      write(mm, AT, 1);
      mm.madvise(AT, PMD, advice);
      assert.equal(orders(mm, AT), new Set([9]));
      const child = mm.fork();
      mm.madvise(AT, PAGE_SIZE, advice);
      assert.equal(orders(mm, AT), new Set([9]));
      child.close();
      mm.madvise(AT, PAGE_SIZE, advice);
      assert.equal(orders(mm, AT), new Set([0]));
      hmm.verify();
    }
  });

  test("huge pages are paged out page by page and come back as small pages", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm);
    for (let i = 0; i < PAGES; i++) write(mm, AT + i * PAGE_SIZE, i | 1);
    mm.madvise(AT, PMD, MADV_PAGEOUT);
    assert.equal([mm.rss.anon, mm.rss.swap], [0, PAGES]);
    hmm.verify();
    assert.is(byteAt(mm, AT + 9 * PAGE_SIZE), 9);
    hmm.verify();
  });

  test("a huge page is paged out before the next is split", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm, 2 * PMD);
    write(mm, AT + PAGE_SIZE, 1);
    write(mm, AT + PMD, 2);
    const heard = listen(mm);
    mm.madvise(AT, 2 * PMD, MADV_PAGEOUT);
    const split = (at: number): string[] => Array<string>(2).fill(`clear ${at}-${at + PAGES}`);
    assert.equal(heard, [...split(0), "clear 1-2", ...split(PAGES), `clear ${PAGES}-${PAGES + 1}`]);
    hmm.verify();
  });

  test("KSM splits huge pages and merges their identical pages; a referenced huge page stays", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm, 2 * PMD);
    for (let i = 0; i < 2 * PAGES; i++) mm.store32(AT + i * PAGE_SIZE, i === PAGES + 7 ? 3 : i + 1);
    mm.madvise(AT, 2 * PMD, MADV_MERGEABLE);
    const pin = mm.pin(AT + 9 * PAGE_SIZE, 1);
    hmm.ksmScan(3);
    hmm.verify();
    assert.equal([hmm.ksmScan(1).pagesSharing, orders(mm, AT)], [0, new Set([9])]);
    pin.close();
    assert.equal(hmm.ksmScan(9), { pagesShared: 1, pagesSharing: 1 });
    hmm.verify();
    assert.is(mm.lookupPte(AT + 2 * PAGE_SIZE)!.pfn, mm.lookupPte(AT + (PAGES + 7) * PAGE_SIZE)!.pfn);
    assert.equal([orders(mm, AT), orders(mm, AT + PMD)], [new Set([0]), new Set([0])]);
    write(mm, AT + 2 * PAGE_SIZE, 77);
    assert.equal([byteAt(mm, AT + 2 * PAGE_SIZE), byteAt(mm, AT + (PAGES + 7) * PAGE_SIZE)], [77, 3]);
    hmm.verify();
  });

  test("a snapshot contains huge mappings and the huge zero page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm, 2 * PMD);
    write(mm, AT, 5);
    byteAt(mm, AT + PMD);
    const saved = hmm.snapshot();
    mm.munmap(AT, 2 * PMD);
    const again = Hmm.restore(saved, { module });
    again.verify();
    const same = again.mms()[0];
    assert.equal(orders(same, AT, 2 * PAGES), new Set([9]));
    assert.is(byteAt(same, AT), 5);
  });
}).run();
