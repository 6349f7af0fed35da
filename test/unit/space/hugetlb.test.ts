import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_DONTNEED,
  MADV_FREE,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  Memcg,
  migrateVmaSetup,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT, byteAt, listen, MIB, orders, PAGES, PMD, write } from "../../util/huge.ts";

const HUGETLB = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;

const map = (mm: Mm, length: number, addr = AT): number =>
  mm.mmap({ addr, length, flags: HUGETLB | MAP_FIXED });

onEachBuild("hugetlb", (test, module) => {
  const engine = (hugetlb = 4 * PMD): Hmm =>
    Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 4 * MIB, hugetlb, linux: "6.12" });
  const refused = (body: () => unknown, errno: RegExp): void =>
    assert.throws(body, (error: Error) => error instanceof HmmError && errno.test(error.message));

  test("pages come from the pool and go back to it; no process or group counts them", () => {
    const hmm = engine();
    const memcg = new Memcg({ limit: 10 });
    const mm = hmm.createMm({ memcg });
    const free = hmm.freePages;
    map(mm, 2 * PMD);
    assert.is(hmm.freeHugetlbPages, 4);
    assert.is(byteAt(mm, AT + 5 * PAGE_SIZE), 0);
    write(mm, AT + PMD + 7, 9);
    assert.equal([hmm.freeHugetlbPages, mm.rss.anon, memcg.usage, hmm.freePages], [2, 0, 0, free]);
    assert.equal(orders(mm, AT, 2 * PAGES), new Set([9]));
    hmm.verify();
    mm.munmap(AT, 2 * PMD);
    assert.is(hmm.freeHugetlbPages, 4);
    hmm.verify();
  });

  test("mprotect removes the write bit; the next write faults and gets it back", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, PMD);
    write(mm, AT, 1);
    const before = hmm.stats.faults.reuse;
    write(mm, AT, 2);
    assert.is(hmm.stats.faults.reuse, before);
    mm.mprotect(AT, PMD, PROT_READ | PROT_WRITE | PROT_EXEC);
    write(mm, AT, 3);
    assert.is(hmm.stats.faults.reuse, before + 1);
    assert.is(byteAt(mm, AT), 3);
    hmm.verify();
  });

  test("a mapping reserves its pages: ENOMEM if the pool has too few", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, 3 * PMD);
    refused(() => map(mm, 2 * PMD, AT + 8 * PMD), /ENOMEM.*hugetlb pages/);
    map(mm, PMD - 5 * PAGE_SIZE, AT + 8 * PMD);
    assert.is(mm.findVma(AT + 8 * PMD)?.end, AT + 9 * PMD);
    refused(() => engine(0).createMm().mmap({ length: PMD, flags: HUGETLB }), /ENOMEM/);
    assert.throws(() => engine(64 * PMD), RangeError);
  });

  test("addresses must be multiples of 2 MiB; shared mappings and files are refused", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ length: PAGE_SIZE });
    assert.is(mm.mmap({ length: PMD, flags: HUGETLB }) % PMD, 0);
    assert.is(mm.mmap({ length: PMD, addr: AT + PAGE_SIZE, flags: HUGETLB }) % PMD, 0);
    refused(() => map(mm, PMD, AT + PAGE_SIZE), /EINVAL/);
    refused(() => mm.mmap({ length: PMD, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB }), /EINVAL/);
  });

  test("a huge page cannot be cut", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, 2 * PMD);
    write(mm, AT, 1);
    write(mm, AT + PMD, 2);
    for (const act of [
      () => mm.munmap(AT + PAGE_SIZE, PAGE_SIZE),
      () => mm.munmap(AT, PMD + PAGE_SIZE),
      () => mm.mprotect(AT, PAGE_SIZE, PROT_READ),
      () => mm.madvise(AT + PAGE_SIZE, PMD, MADV_DONTNEED),
      () => mm.madvise(AT, PMD, MADV_FREE),
      () => mm.mremap(AT, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 4 * PMD + PAGE_SIZE),
      () => mm.mremap(AT + PMD, PMD, 2 * PMD, MREMAP_MAYMOVE),
    ]) {
      refused(act, /EINVAL/);
      hmm.verify();
    }
    // A range begins between huge pages and ends inside one: the first cut is made and stays.
    assert.is(mm.vmas().length, 1);
    refused(() => mm.munmap(AT + PMD, PAGE_SIZE), /EINVAL/);
    assert.equal(
      mm.vmas().map(({ start, end }) => [start, end]),
      [
        [AT, AT + PMD],
        [AT + PMD, AT + 2 * PMD],
      ],
    );
    mm.madvise(AT, PAGE_SIZE, MADV_DONTNEED);
    assert.equal([byteAt(mm, AT), byteAt(mm, AT + PMD)], [1, 2]);
    mm.madvise(AT, PMD + PAGE_SIZE, MADV_DONTNEED);
    assert.equal([byteAt(mm, AT), byteAt(mm, AT + PMD)], [0, 2]);
    mm.mremap(AT + PMD, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 4 * PMD);
    assert.is(byteAt(mm, AT + 4 * PMD), 2);
    hmm.verify();
  });

  test("fork shares pages; a write copies 2 MiB after `clear`, or is SIGBUS without a free page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, PMD);
    for (let i = 0; i < PAGES; i++) write(mm, AT + i * PAGE_SIZE, i);
    const told = listen(mm);
    const child = mm.fork();
    assert.equal(told, ["clear 0-512"]);
    assert.is(hmm.freeHugetlbPages, 3);
    const heard = listen(child);
    write(child, AT + 3 * PAGE_SIZE, 99);
    assert.equal(heard, ["clear 0-512"]);
    assert.equal([byteAt(mm, AT + 3 * PAGE_SIZE), byteAt(child, AT + 3 * PAGE_SIZE)], [3, 99]);
    assert.is(byteAt(child, AT + 200 * PAGE_SIZE), 200);
    hmm.verify();
    const grandchild = child.fork();
    const hog = hmm.createMm();
    map(hog, 2 * PMD);
    write(hog, AT, 1);
    write(hog, AT + PMD, 1);
    const heardLast = listen(grandchild);
    assert.throws(() => write(grandchild, AT, 1), /SIGBUS/);
    assert.equal(heardLast, [], "nothing was to happen");
    assert.is(byteAt(grandchild, AT + 3 * PAGE_SIZE), 99);
    hmm.verify();
    for (const each of [mm, child, grandchild, hog]) each.close();
    assert.is(hmm.freeHugetlbPages, 4);
    hmm.verify();
  });

  test("a forced write cannot override the mapping's protection", () => {
    const mm = engine().createMm();
    mm.mmap({ addr: AT, length: PMD, prot: PROT_READ, flags: HUGETLB | MAP_FIXED });
    refused(() => mm.write(AT, Uint8Array.of(1), { force: true }), /EFAULT/);
    assert.is(mm.read(AT, 1, { force: true })[0], 0);
  });

  test("drivers may read and write, but not migrate or take exclusively", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const device = new DmirrorDevice(hmm, { memory: 2 * PMD });
    const mirror = new Dmirror(mm, { device });
    map(mm, PMD);
    assert.equal(mirror.read(AT, 4).ret, 0);
    assert.equal([...new Set(mirror.snapshot(AT, PAGES).data)], [0x05]);
    assert.equal(mirror.write(AT, new Uint8Array(PMD).fill(6)).cpages, PAGES);
    assert.equal([...new Set(mirror.snapshot(AT, PAGES).data)], [0x06]);
    assert.is(byteAt(mm, AT + PMD - 1), 6);
    mm.mprotect(AT, PMD, PROT_READ);
    assert.equal([...new Set(mirror.snapshot(AT, PAGES).data)], [0x05]);
    using _sem = mm.mmapSem.read();
    refused(() => migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + PMD }), /EINVAL/);
    hmm.verify();
  });

  test("exclusive access to a page of a huge page is refused and splits nothing", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, PMD);
    write(mm, AT, 1);
    const heard = listen(mm);
    using _sem = mm.mmapSem.read();
    using lent = makeDeviceExclusive(mm, AT, 2);
    assert.equal([lent.reached, lent.lent, heard.length], [2, 0, 0]);
    hmm.verify();
  });

  test("a snapshot contains the pool", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    map(mm, PMD);
    write(mm, AT, 3);
    const again = Hmm.restore(hmm.snapshot(), { module });
    again.verify();
    assert.equal([again.freeHugetlbPages, again.config.hugetlb, byteAt(again.mms()[0], AT)], [3, 4 * PMD, 3]);
  });
}).run();
