import * as assert from "uvu/assert";
import {
  Hmm,
  HMM_PFN_WRITE,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  Memcg,
  type Mm,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
} from "../../../src/index.ts";
import { TestGpu } from "../../util/driver.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, byteAt, listen, MIB, orders, PAGES, PMD, write } from "../../util/huge.ts";

onEachBuild("huge pages", (test, module) => {
  const engine = (config = {}): Hmm =>
    Hmm.createSync(module, {
      systemMemory: 16 * MIB,
      deviceMemory: 8 * MIB,
      swap: 4 * MIB,
      linux: "6.12",
      ...config,
    });

  test("a write makes a huge page, a read maps the huge zero page; unmapping frees all of it", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const free = hmm.freePages;
    advised(mm, 2 * PMD);
    write(mm, AT + 5 * PAGE_SIZE, 1);
    assert.is(mm.rss.anon, PAGES);
    assert.is(byteAt(mm, AT + PMD), 0);
    assert.is(mm.rss.anon, PAGES);
    assert.equal(orders(mm, AT, 2 * PAGES), new Set([9]));
    assert.is(hmm.freePages, free - 2 * PAGES);
    hmm.verify();
    mm.munmap(AT, 2 * PMD);
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("the pfns of a huge page are consecutive and tell whether the page is writable", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm);
    write(mm, AT, 1);
    const words = hmm.pfnArray(PAGES);
    const addresses = Float64Array.from({ length: PAGES }, (_, i) => AT + i * PAGE_SIZE);
    mm.translate(addresses, words);
    for (let i = 1; i < PAGES; i++) assert.is(words[i], words[0] + i);
    assert.is((words[0] & HMM_PFN_WRITE) >>> 0, HMM_PFN_WRITE);
  });

  test("no huge page without advice, beyond the mapping, over a page table, or without a block", () => {
    const hmm = engine({ systemMemory: 6 * MIB });
    const mm = hmm.createMm();
    const plain = mm.mmap({ addr: AT, length: PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    write(mm, plain, 1);
    advised(mm, PMD, AT + 4 * PMD);
    mm.madvise(AT + 4 * PMD, PMD, MADV_NOHUGEPAGE);
    write(mm, AT + 4 * PMD, 1);
    advised(mm, PMD - PAGE_SIZE, AT + 8 * PMD);
    write(mm, AT + 8 * PMD, 1);
    mm.madvise(plain, PMD, MADV_HUGEPAGE);
    write(mm, plain + PAGE_SIZE, 1);
    assert.is(mm.rss.anon, 4);
    advised(mm, 4 * PMD, AT + 16 * PMD);
    for (let i = 0; i < 4; i++) write(mm, AT + (16 + i) * PMD, 1);
    assert.is(mm.rss.anon % PAGES > 4, true, "some came as huge pages, the last ones did not");
    hmm.verify();
  });

  test("a failed allocation leaves the blocks whole", () => {
    for (const asked of [false, true]) {
      // Sixteen pages more, for page tables.
      const hmm = engine({ systemMemory: 6 * MIB + 16 * PAGE_SIZE });
      hmm.createMm().populate(hmm.mms()[0].mmap({ length: PMD }), PMD);
      if (asked) assert.is(hmm.allocPages(hmm.pfnArray(4), hmm.pfnArray(4)), 0);
      const mm = hmm.createMm();
      advised(mm, 2 * PMD);
      for (let i = 0; i < 2; i++) write(mm, AT + i * PMD, 1);
      assert.is(mm.rss.anon, 2 * PAGES);
      hmm.verify();
    }
  });

  test("a memory cgroup without room for a huge page gets a small page", () => {
    const hmm = engine();
    const memcg = new Memcg({ limit: 100 });
    const mm = hmm.createMm({ memcg });
    advised(mm);
    write(mm, AT, 1);
    assert.is(memcg.usage, 1);
    hmm.verify();
  });

  test("a huge page is charged as a whole until its last part is gone", () => {
    const hmm = engine();
    const memcg = new Memcg({ limit: 1000 });
    const mm = hmm.createMm({ memcg });
    advised(mm);
    write(mm, AT, 1);
    assert.is(memcg.usage, PAGES);
    const free = hmm.freePages;
    mm.munmap(AT, 500 * PAGE_SIZE);
    assert.equal([memcg.usage, mm.rss.anon, hmm.freePages], [PAGES, 12, free]);
    hmm.verify();
    mm.munmap(AT, PMD);
    assert.equal([memcg.usage, mm.rss.anon, hmm.freePages], [0, 0, free + PAGES]);
    hmm.verify();
  });

  test("drivers hear of a split by unmapping, protecting, advising or moving a part", () => {
    const cases: [string, (mm: Mm) => unknown, string[]][] = [
      ["munmap", (mm) => mm.munmap(AT + 4 * PAGE_SIZE, PAGE_SIZE), ["clear 0-512", "0 4-5"]],
      ["mprotect", (mm) => mm.mprotect(AT + 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ), ["clear 0-512", "2 4-5"]],
      ["DONTNEED", (mm) => mm.madvise(AT, PAGE_SIZE, MADV_DONTNEED), ["clear 0-1", "clear 0-512"]],
      ["mlock", (mm) => mm.mlock(AT, PAGE_SIZE), ["clear 0-512"]],
      ["mprotect of all", (mm) => mm.mprotect(AT, PMD, PROT_READ), ["2 0-512"]],
      ["DONTNEED of all", (mm) => mm.madvise(AT, PMD, MADV_DONTNEED), ["clear 0-512"]],
      [
        "mremap of all",
        (mm) => mm.mremap(AT, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 2 * PMD),
        ["0 0-512", "0 0-512"],
      ],
      [
        "mremap of a part",
        (mm) => mm.mremap(AT, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 2 * PMD),
        ["0 0-1", "clear 0-512", "clear 0-512", "0 0-1"],
      ],
    ];
    for (const [name, act, expected] of cases) {
      const hmm = engine();
      const mm = hmm.createMm();
      advised(mm);
      for (let i = 0; i < PAGES; i++) write(mm, AT + i * PAGE_SIZE, i);
      const heard = listen(mm);
      act(mm);
      assert.equal(heard, expected, name);
      hmm.verify();
      assert.is(
        byteAt(mm, (name === "mremap of all" ? AT + 2 * PMD : AT) + 9 * PAGE_SIZE),
        name === "DONTNEED of all" ? 0 : 9,
      );
    }
  });

  test("fork shares a huge page; a write splits it and copies one page; a last owner writes in place", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm);
    for (let i = 0; i < PAGES; i++) write(mm, AT + i * PAGE_SIZE, i);
    const free = hmm.freePages;
    const child = mm.fork();
    assert.is(hmm.freePages, free);
    assert.equal([orders(mm, AT), orders(child, AT)], [new Set([9]), new Set([9])]);
    const heard = listen(child);
    write(child, AT + 3 * PAGE_SIZE, 99);
    assert.equal(heard, ["clear 0-512", "clear 3-4"]);
    assert.equal([orders(mm, AT), orders(child, AT)], [new Set([9]), new Set([0])]);
    assert.equal([byteAt(mm, AT + 3 * PAGE_SIZE), byteAt(child, AT + 3 * PAGE_SIZE)], [3, 99]);
    hmm.verify();
    child.close();
    assert.is(hmm.freePages, free);
    const mine = listen(mm);
    write(mm, AT, 77);
    assert.equal(mine, []);
    assert.equal(orders(mm, AT), new Set([9]));
    hmm.verify();
  });

  test("a migration splits a huge page; its zero pages become the zero page, except in locked memory", () => {
    for (const locked of [false, true]) {
      const hmm = engine();
      const mm = hmm.createMm();
      const gpu = new TestGpu(mm);
      advised(mm);
      if (locked) mm.mlock(AT, PMD);
      for (let i = 0; i < 8; i++) write(mm, AT + i * PAGE_SIZE, i + 1);
      gpu.toDevice(AT, AT + 4 * PAGE_SIZE);
      assert.is(mm.rss.anon, locked ? PAGES : 8);
      assert.equal(
        Array.from({ length: 9 }, (_, i) => byteAt(mm, AT + i * PAGE_SIZE)),
        [1, 2, 3, 4, 5, 6, 7, 8, 0],
      );
      hmm.verify();
    }
  });

  test("splitting a huge page of zeros frees all of it", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const free = hmm.freePages;
    advised(mm);
    write(mm, AT, 0);
    const child = mm.fork();
    gpu.toDevice(AT, AT + 4 * PAGE_SIZE);
    assert.equal([mm.rss.anon, child.rss.anon], [4, 0]);
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("a migration leaves a huge page with an extra reference whole", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    advised(mm);
    write(mm, AT, 1);
    const pin = mm.pin(AT + 100 * PAGE_SIZE, 1);
    assert.is(gpu.toDevice(AT, AT + 4 * PAGE_SIZE).moved, 0);
    assert.equal(orders(mm, AT), new Set([9]));
    hmm.verify();
    pin.close();
    assert.is(gpu.toDevice(AT, AT + 4 * PAGE_SIZE).moved, 4);
    hmm.verify();
  });

  test("device-exclusive access to the first page of a huge page lends all of it", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm);
    for (let i = 0; i < PAGES; i++) write(mm, AT + i * PAGE_SIZE, i);
    const heard = listen(mm);
    {
      using _sem = mm.mmapSem.read();
      using lent = makeDeviceExclusive(mm, AT, 2);
      assert.equal(
        Array.from(lent.pages, (page) => page !== 0),
        [true, false],
      );
      assert.equal(heard, ["clear 0-512", "7 0-512"]);
      hmm.verify();
    }
    assert.is(byteAt(mm, AT + 77 * PAGE_SIZE), 77);
    assert.is(heard.at(-1), "7 77-78");
    hmm.verify();
  });

  test("exclusive access splits a shared huge page before it writes", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    advised(mm);
    write(mm, AT, 1);
    mm.fork().close();
    const heard = listen(mm);
    {
      using _sem = mm.mmapSem.read();
      using lent = makeDeviceExclusive(mm, AT + PAGE_SIZE, 1);
      assert.ok(lent.pages[0] !== 0, "a page of its own");
      assert.equal(heard, ["clear 0-512", "clear 1-2", "7 1-2"]);
      hmm.verify();
    }
    assert.is(byteAt(mm, AT), 1);
    hmm.verify();
  });

  test("with metadata backing no page is known to be zero", () => {
    const hmm = engine({ backing: "metadata" });
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    advised(mm);
    write(mm, AT, 1);
    gpu.toDevice(AT, AT + PAGE_SIZE);
    assert.is(mm.rss.anon, PAGES);
    hmm.verify();
  });
}).run();
