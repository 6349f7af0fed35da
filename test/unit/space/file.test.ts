import * as assert from "uvu/assert";
import {
  FAULT_SIGBUS,
  type Hmm,
  type HmmError,
  type HmmFile,
  MADV_REMOVE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  Memcg,
  migrateVmaSetup,
  type Mm,
  MMU_NOTIFY_CLEAR,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
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

onEachBuild("file", (test, module) => {
  test("a file is read and written at any offset, grows, and reads stop at its end", () => {
    const hmm = makeHmm(module);
    const free = hmm.freePages;
    const file = hmm.createFile({ bytes: 3 * P + 10 });
    assert.is(file.kind, "disk");
    assert.is(file.size, 3 * P + 10);
    assert.is(file.cachedPages, 0);
    assert.equal(file.read(3 * P, 100), new Uint8Array(10), "a hole, up to the end");
    assert.is(file.read(2 ** 40, 5).length, 0);
    const target = new Uint8Array(20).fill(9);
    assert.is(file.read(3 * P, target).buffer, target.buffer);
    assert.is(target[10], 9);

    const bytes = pattern(40, 3);
    file.write(P - 7, bytes);
    assert.is(file.size, P - 7 + bytes.length);
    assert.is(file.cachedPages, 41);
    assert.equal(file.read(P - 7, bytes.length), bytes);
    assert.equal(file.read(0, P - 7), new Uint8Array(P - 7));
    file.write(100 * P, Uint8Array.of(1));
    assert.is(file.cachedPages, 42);
    assert.is(file.size, 100 * P + 1);
    hmm.verify();
    file.close();
    file.close();
    assert.ok(file.closed);
    assert.is(hmm.freePages, free);
    assert.match(errorOf(() => file.size)!.message, /file\.size: the file is closed/);
  });

  test("an access beyond the end is SIGBUS; truncate unmaps pages beyond the end, private copies too", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 4);
    const mm = hmm.createMm();
    const shared = mm.mmap({ file, length: 6 * P });
    const copy = mm.mmap({ file, length: 4 * P, flags: MAP_PRIVATE });
    assert.is((errorOf(() => mm.read(shared, 6 * P)) as HmmError).done, 4 * P);
    assert.is((errorOf(() => mm.load32(shared + 4 * P)) as HmmError).faultCode, FAULT_SIGBUS);
    mm.write(copy + 2 * P, pattern(2, 9));
    const heard = events(mm, shared);

    file.truncate(P + 100);
    assert.is(file.size, P + 100);
    assert.is(file.cachedPages, 2);
    assert.is(mm.rss.anon, 0);
    const inCopy = (copy - shared) / P;
    const once: Event[] = [
      [MMU_NOTIFY_CLEAR, 2, 4],
      [MMU_NOTIFY_CLEAR, inCopy + 2, 2],
    ];
    assert.equal(sorted(heard), sorted([...once, ...once]), "each mapping, before and after the pages go");
    assert.is((errorOf(() => mm.load32(copy + 2 * P)) as HmmError).faultCode, FAULT_SIGBUS);
    hmm.verify();

    file.truncate(4 * P);
    assert.equal(mm.read(shared + P, 100), pattern(2).subarray(P, P + 100));
    assert.equal(mm.read(shared + P + 100, 3 * P - 100), new Uint8Array(3 * P - 100));
    heard.length = 0;
    file.truncate(8 * P);
    assert.is(heard.length, 0, "growing takes nothing away");
    hmm.verify();
  });

  test("a hole reads as zeros, in mappings too; private copies stay", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 4, "shmem");
    const mm = hmm.createMm();
    const shared = mm.mmap({ file, length: 4 * P });
    const copy = mm.mmap({ file, length: 4 * P, flags: MAP_PRIVATE });
    mm.read(shared, 4 * P);
    mm.write(copy + P, Uint8Array.of(1));
    const own = mm.read(copy + P, P);
    const heard = events(mm, shared);
    file.punchHole(100, 3 * P);
    assert.is(heard.filter(([event, page]) => event === MMU_NOTIFY_CLEAR && page === 1).length, 1);
    assert.is(file.cachedPages, 2);
    assert.is(file.size, 4 * P);
    const expected = pattern(4);
    expected.fill(0, 100, 100 + 3 * P);
    assert.equal(mm.read(shared, 4 * P), expected);
    assert.equal(file.read(0, 4 * P), expected);
    assert.equal(mm.read(copy + P, P), own);
    file.punchHole(P + 5, 3);
    hmm.verify();
  });

  test("new pages are charged to the group of the writer, or of the process that faults them in", () => {
    const hmm = makeHmm(module);
    const memcg = new Memcg({ limit: 4 });
    const mm = hmm.createMm({ memcg });
    const file = hmm.createFile({ bytes: 16 * P, kind: "shmem" });
    file.write(0, pattern(1));
    assert.is(memcg.usage, 0);
    file.write(P, pattern(2), { memcg });
    assert.is(memcg.usage, 2);
    const addr = mm.mmap({ file, length: 16 * P });
    mm.load32(addr + 3 * P);
    assert.is(memcg.usage, 3);
    const error = errorOf(() => file.write(2 * P, pattern(6), { memcg })) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.match(error.message, /memory cgroup limit/);
    assert.is(error.done, 3 * P);
    assert.is(file.cachedPages, 5);
    assert.is((errorOf(() => mm.load32(addr + 9 * P)) as HmmError).code, "ENOMEM");
    mm.close();
    assert.is(memcg.usage, 4, "the file's pages stay, and stay charged");
    file.close();
    assert.is(memcg.usage, 0);
    memcg.close();
    hmm.verify();
  });

  test("a snapshot contains the files, and the restored engine's files() finds them", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 3);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 3 * P, prot: PROT_READ });
    mm.load32(addr);
    const other = (hmm.constructor as typeof Hmm).restore(hmm.snapshot(), { module });
    const [restored] = other.files();
    assert.is(restored.id, file.id);
    assert.equal(restored.read(0, 3 * P), pattern(3));
    restored.write(0, Uint8Array.of(200));
    assert.is(other.mms()[0].read(addr, 1)[0], 200);
    assert.is(mm.read(addr, 1)[0], pattern(1)[0], "the engine it was taken of is another one");
    other.verify();
    other.close();
    assert.ok(restored.closed);
  });

  test("errors when something runs out, and refused calls", () => {
    const hmm = makeHmm(module, { capacities: { files: 2 } });
    const other = makeHmm(module);
    const mm = hmm.createMm();
    const file = hmm.createFile({ bytes: P });
    mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS });
    assert.match(errorOf(() => hmm.createFile())!.message, /ENOMEM: files \(capacity 2\)/);
    assert.is(
      (errorOf(() => mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS })) as HmmError).code,
      "ENOMEM",
    );
    assert.throws(() => mm.mmap({ length: P, file: other.createFile() }), /file belongs to another Hmm/);
    assert.throws(
      () => mm.mmap({ length: P, file, flags: MAP_PRIVATE | MAP_ANONYMOUS }),
      /without MAP_ANONYMOUS/,
    );
    assert.throws(() => hmm.createFile({ kind: "tape" as "disk" }), /"disk" or "shmem", got "tape"/);
    hmm.verify();
  });

  test("a failed write extends the file only by the bytes written", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const file = hmm.createFile({ bytes: 10 });
    // Fills memory to the last page, page tables first.
    const n = hmm.freePages;
    const addr = mm.mmap({ length: n * P });
    for (let page = 0; page < n; page += 512) mm.populate(addr + page * P, P);
    for (let page = 0; hmm.freePages - hmm.pageTables > 1; page++) mm.populate(addr + page * P, P);
    const error = errorOf(() => file.write(4 * P, new Uint8Array(2 * P))) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.is(error.done, P);
    assert.is(file.size, 5 * P);
    assert.is((errorOf(() => file.write(8 * P, new Uint8Array(P))) as HmmError).done, 0);
    assert.is(file.size, 5 * P);
    hmm.verify();
  });

  test("pages in an open migration are not changed: EAGAIN names the migration", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const file = filled(hmm, 3);
    const before = file.read(0, 3 * P);
    const addr = mm.mmap({ file, length: 3 * P });
    mm.store32(addr + P, 0x04030201);
    before.set([1, 2, 3, 4], P);
    using sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + P, end: addr + 2 * P });
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    const calls = [
      () => file.write(2 * P - 4, new Uint8Array(8)),
      () => file.truncate(P + 1),
      () => file.truncate(0),
      () => file.punchHole(P, P),
      () => file.punchHole(0, P + 1),
      () => mm.madvise(addr + P, P, MADV_REMOVE),
      () => mm.msync(addr, 3 * P),
    ];
    for (const call of calls) assert.is((errorOf(call) as HmmError).code, "EAGAIN");
    const error = errorOf(() => file.write(P - 4, new Uint8Array(8).fill(9))) as HmmError;
    assert.is(error.code, "EAGAIN");
    assert.is(error.migration, m.id);
    assert.is(error.done, 4);
    before.fill(9, P - 4, P);
    file.truncate(3 * P - 1);
    file.write(3 * P - 1, before.subarray(3 * P - 1));
    assert.is(m.pages(), 1);
    m.finalize();
    sem.close();
    assert.equal(file.read(0, 3 * P), before, "and is there on the page that it moved to");
    mm.msync(addr, 3 * P);
    file.truncate(0);
    hmm.verify();
  });

  test("a notifier's callback may not truncate", () => {
    const hmm = makeHmm(module);
    const file = filled(hmm, 2);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 2 * P });
    mm.load32(addr);
    const codes: string[] = [];
    new MmuIntervalNotifier(mm, addr, P, {
      invalidate: () => {
        for (const call of [() => file.truncate(0), () => file.punchHole(0, P)]) {
          codes.push((errorOf(call) as HmmError).code);
        }
      },
    });
    mm.munmap(addr, P);
    assert.equal(codes, ["EDEADLK", "EDEADLK"]);
    assert.is(file.cachedPages, 2);
    hmm.verify();
  });

  test("with metadata backing a file has pages and a size, and reads as zeros", () => {
    const hmm = makeHmm(module, { backing: "metadata" });
    const file = filled(hmm, 2);
    const mm = hmm.createMm();
    const addr = mm.mmap({ file, length: 2 * P });
    assert.equal(file.read(0, 2 * P), new Uint8Array(2 * P));
    assert.equal(mm.read(addr, 2 * P), new Uint8Array(2 * P));
    file.truncate(P);
    assert.is(file.cachedPages, 1);
    hmm.verify();
  });
}).run();

function sorted(heard: Event[]): string[] {
  return heard.map((event) => event.join(" ")).sort();
}
