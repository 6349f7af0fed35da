import * as assert from "uvu/assert";
import {
  FAULT_KIND_COW,
  FAULT_KIND_FILE,
  FAULT_KIND_REUSE,
  type Hmm,
  type HmmError,
  type HmmFile,
  MADV_REMOVE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  type Mm,
  MMU_NOTIFY_PROTECTION_PAGE,
  MmuIntervalNotifier,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../../util/driver.ts";

const P = PAGE_SIZE;

type Event = [event: number, firstPage: number, pages: number];

/** Returns what an interval notifier of the whole address space hears, with pages counted from `base`. */
function events(mm: Mm, base: number): Event[] {
  const heard: Event[] = [];
  new MmuIntervalNotifier(mm, 0, 2 ** 48, {
    invalidate: ({ event, start, end }) => void heard.push([event, (start - base) / P, (end - start) / P]),
  });
  return heard;
}

/** Creates a file of n pages that hold pattern(). */
function filled(hmm: Hmm, npages: number, kind: "disk" | "shmem" = "disk"): HmmFile {
  const file = hmm.createFile({ kind });
  file.write(0, pattern(npages));
  return file;
}

const resident = (mm: Mm, addr: number, npages: number): string =>
  Array.from({ length: npages }, (_, i) => (mm.lookupPte(addr + i * P) === null ? "." : "x")).join("");

onEachBuild("file-mapping", (test, module) => {
  test("writes of a shared mapping change the file, writes of a private mapping make copies", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 4);
    const mm = hmm.createMm();
    const other = hmm.createMm();
    const shared = mm.mmap({ file, length: 4 * P });
    const elsewhere = other.mmap({ file, length: 2 * P, offset: 2 * P });
    const copy = mm.mmap({ file, length: 4 * P, flags: MAP_PRIVATE });
    assert.is(mm.findVma(shared)!.file, file.id);
    assert.equal(mm.read(shared, 4 * P), pattern(4));
    mm.store32(shared + 3 * P, 77);
    assert.is(other.load32(elsewhere + P), 77);
    assert.is(mm.load32(copy + 3 * P), 77);
    assert.equal(file.read(3 * P, 4), Uint8Array.of(77, 0, 0, 0));
    file.write(0, Uint8Array.of(5, 0, 0, 0));
    assert.is(mm.load32(shared), 5);

    mm.store32(copy + 3 * P, 88);
    assert.is(other.load32(elsewhere + P), 77);
    assert.is(mm.rss.anon, 1);
    assert.is(mm.rss.file, 4 + 3);
    assert.is(mm.fault(copy, { write: true }), FAULT_KIND_COW);
    hmm.verify();
  });

  test("the first write of a private mapping copies at once; a shared page is written in place", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 2);
    const mm = hmm.createMm();
    const copy = mm.mmap({ file, length: 2 * P, flags: MAP_PRIVATE });
    assert.is(mm.fault(copy, { write: true }), FAULT_KIND_COW);
    assert.equal(mm.rss, { anon: 1, file: 0, shmem: 0, swap: 0, total: 1 });
    const shared = mm.mmap({ file, length: 2 * P });
    assert.is(mm.fault(shared), FAULT_KIND_FILE);
    assert.is(mm.fault(shared, { write: true }), FAULT_KIND_REUSE);
    hmm.verify();
  });

  test("MADV_REMOVE punches a hole into the file of the mapping", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 4);
    const mm = hmm.createMm();
    const shared = mm.mmap({ file, length: 2 * P, offset: P });
    const copy = mm.mmap({ file, length: P, flags: MAP_PRIVATE });
    const anon = mm.mmap({ length: P });
    mm.madvise(shared + P, P, MADV_REMOVE);
    assert.equal(file.read(2 * P, P), new Uint8Array(P));
    assert.equal(file.read(3 * P, P), pattern(4).subarray(3 * P));
    assert.is((errorOf(() => mm.madvise(copy, P, MADV_REMOVE)) as HmmError).code, "EACCES");
    assert.is((errorOf(() => mm.madvise(anon, P, MADV_REMOVE)) as HmmError).code, "EINVAL");
    hmm.verify();
  });

  test("a hole inside the first page of a shmem file unmaps what follows, as in Linux", () => {
    for (const [offset, length, kept] of [
      [0, 100, "........"],
      [0, P - 1, "........"],
      [100, 100, "x......."],
      [0, P, ".xxxxxxx"],
      [P, 100, "xxxxxxxx"],
    ] as const) {
      const hmm = makeHmm(module);
      const file = filled(hmm, 8, "shmem");
      const mm = hmm.createMm();
      const shared = mm.mmap({ file, length: 8 * P });
      const copy = mm.mmap({ file, length: 8 * P, flags: MAP_PRIVATE });
      for (const addr of [shared, copy]) mm.populate(addr, 8 * P, { write: false });
      mm.store32(copy + 4 * P, 9);
      const heard = events(mm, shared);
      file.punchHole(offset, length);
      assert.is(resident(mm, shared, 8), kept, `[${offset}, ${offset + length})`);
      assert.is(resident(mm, copy, 8), `${kept.slice(0, 4)}x${kept.slice(5)}`, "private copies stay");
      const told = heard.filter(([, first]) => first >= 0 && first < 8).map(([, first, n]) => [first, n]);
      const first = kept.indexOf(".");
      const gone = kept.lastIndexOf(".") + 1 - first;
      assert.equal(told, first < 0 ? [] : [[first, gone]]);
      const now = pattern(8);
      now.fill(0, offset, offset + length);
      assert.equal(file.read(0, 8 * P), now, "the file keeps all but the hole");
      assert.equal(mm.read(shared, 8 * P), now);
      hmm.verify();
      hmm.close();
    }
  });

  test("a hole inside the first page of a disk file unmaps nothing", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 8);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 8 * P });
    mm.populate(addr, 8 * P, { write: false });
    const heard = events(mm, addr);
    file.punchHole(0, 100);
    assert.is(resident(mm, addr, 8), "xxxxxxxx");
    assert.equal(heard, []);
    hmm.verify();
    hmm.close();
  });

  test("mremap with the old length 0 makes a second mapping of shared memory", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 8);
    const mm = hmm.createMm();
    const first = mm.mmap({ file, length: 4 * P, offset: 2 * P });
    const heard = events(mm, first);
    const second = mm.mremap(first + P, 0, 3 * P, MREMAP_MAYMOVE);
    assert.equal(heard, [], "nothing moves, so nobody is told");
    assert.is(mm.vmas().length, 2);
    assert.equal(mm.read(second, 3 * P), pattern(8).subarray(3 * P, 6 * P));
    mm.store32(second, 77);
    assert.is(mm.load32(first + P), 77);
    const anon = mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS });
    mm.store32(anon, 5);
    assert.is(mm.load32(mm.mremap(anon, 0, P, MREMAP_MAYMOVE)), 5);
    const fixed = first - 64 * P;
    assert.is(mm.mremap(first, 0, P, MREMAP_MAYMOVE | MREMAP_FIXED, fixed), fixed);
    assert.is((errorOf(() => mm.mremap(first, 0, P)) as HmmError).code, "ENOMEM", "it cannot stay in place");
    const copy = mm.mmap({ file, length: P, flags: MAP_PRIVATE });
    assert.is((errorOf(() => mm.mremap(copy, 0, P, MREMAP_MAYMOVE)) as HmmError).code, "EINVAL");
    mm.mlock(first, P);
    const locked = mm.mremap(first, 0, P, MREMAP_MAYMOVE);
    assert.is(resident(mm, locked, 1), "x", "the second mapping of locked memory is locked and populated");
    mm.munmap(first, 4 * P);
    assert.is(mm.load32(second), 77);
    hmm.verify();
    hmm.close();
  });

  test("msync writes back: entries are clean and write-protected, the next write faults", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 4);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 4 * P });
    mm.msync(addr, 4 * P);
    mm.write(addr + P, pattern(2, 5));
    const heard = events(mm, addr);
    mm.msync(addr, 4 * P);
    assert.equal(heard, [
      [MMU_NOTIFY_PROTECTION_PAGE, 1, 1],
      [MMU_NOTIFY_PROTECTION_PAGE, 2, 1],
    ]);
    mm.msync(addr, 4 * P);
    assert.is(heard.length, 2, "there is nothing to write back");
    const faults = mm.faults.total;
    mm.write(addr + P, pattern(2, 6));
    assert.is(mm.faults.total, faults + 2);
    assert.equal(mm.read(addr + P, 2 * P), pattern(2, 6));
    mm.munmap(addr + 2 * P, P);
    assert.is((errorOf(() => mm.msync(addr, 4 * P)) as HmmError).code, "ENOMEM");
    assert.is(heard.length, 4, "unmapped, and what comes before the hole is written back");
    hmm.verify();
  });

  test("a read fault maps the pages around it that the file has", () => {
    const hmm = makeHmm(module);
    assert.is(hmm.faultAround, 65536);
    const file = filled(hmm, 32);
    file.punchHole(5 * P, P);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 24 * P, addr: 0x10000000 });
    mm.load32(addr + 2 * P);
    assert.is(resident(mm, addr, 24), "xxxxx.xxxxxxxxxx........");
    assert.is(mm.faults.total, 1);
    mm.load32(addr + 20 * P);
    assert.is(resident(mm, addr, 24), "xxxxx.xxxxxxxxxxxxxxxxxx", "not beyond the mapping");
    const copy = mm.mmap({ file, length: 24 * P, addr: 0x20000000, flags: MAP_PRIVATE });
    mm.store32(copy + 2 * P, 1);
    assert.is(resident(mm, copy, 24), "..x.....................", "a write maps one page");
    hmm.faultAround = 4 * P;
    mm.load32(copy + 9 * P);
    assert.is(resident(mm, copy, 24), "..x.....xxxx............");
    hmm.faultAround = P;
    mm.load32(copy + 20 * P);
    assert.is(resident(mm, copy, 24), "..x.....xxxx........x...");
    assert.throws(() => (hmm.faultAround = 3 * P), /a power of two, got 12288/);
    hmm.verify();
  });

  test("shared anonymous memory is shared with children and freed with the last of them", () => {
    const hmm = makeHmm(module);
    const free = hmm.freePages;
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P, flags: MAP_SHARED | MAP_ANONYMOUS });
    assert.is.not(mm.findVma(addr)!.file, 0);
    assert.equal(hmm.files(), [], "nobody holds its file");
    const child = mm.fork();
    child.write(addr, pattern(3));
    assert.equal(mm.read(addr, 3 * P), pattern(3));
    assert.equal([mm.rss.shmem, child.rss.shmem], [3, 3]);
    mm.close();
    assert.equal(child.read(addr, 3 * P), pattern(3));
    assert.is(hmm.freePages, free - 3);
    child.close();
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("a closed file exists while it is mapped", () => {
    const hmm = makeHmm(module);
    const free = hmm.freePages;
    const file = filled(hmm, 4);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 4 * P });
    file.close();
    assert.equal(hmm.files(), []);
    const moved = mm.mremap(addr, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, addr - 64 * P);
    mm.munmap(moved, 2 * P);
    assert.equal(mm.read(moved + 2 * P, 2 * P), pattern(4).subarray(2 * P), "offsets move with the mapping");
    hmm.verify();
    mm.close();
    assert.is(hmm.freePages, free);
    hmm.verify();
  });
}).run();
