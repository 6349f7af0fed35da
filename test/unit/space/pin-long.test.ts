import * as assert from "uvu/assert";
import {
  Hmm,
  type HmmError,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  Memcg,
  MMU_NOTIFY_CLEAR,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  PTE_HUGE,
  migrateVmaSetup,
  REASON_PINNED,
  type Mm,
  type Pin,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf } from "../../util/driver.ts";

const P = PAGE_SIZE;
const PMD = 2 << 20;
const AT = 0x40000000;
const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

const pfnAt = (mm: Mm, addr: number): number => mm.lookupPte(addr)!.pfn;
const put = (mm: Mm, addr: number, value: number): void => mm.write(addr, new Uint8Array([value]));
const at = (mm: Mm, addr: number): number => mm.read(addr, 1)[0];

const isHuge = (mm: Mm, addr: number): boolean => (mm.lookupPte(addr)!.flags & PTE_HUGE) !== 0;

/** Each pinned page is the one that its mapping has, also after the process writes. */
function keeps(mm: Mm, addr: number, pin: Pin): void {
  for (const [i, page] of pin.pages.entries()) {
    assert.is(pfnAt(mm, addr + i * P), page);
    put(mm, addr + i * P, 77);
    assert.is(pfnAt(mm, addr + i * P), page);
  }
}

onEachBuild("pins for long", (test, module) => {
  const engine = (hugetlb = 0): Hmm =>
    Hmm.createSync(module, { systemMemory: 16 << 20, deviceMemory: 4 << 20, swap: 1 << 20, hugetlb });

  test("fork copies a long-term pinned page for the child, and the parent keeps the page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 4 * P, flags: PRIVATE });
    for (let i = 0; i < 4; i++) put(mm, AT + i * P, i + 1);
    using pin = mm.pin(AT, 2, { write: true, longTerm: true });
    const child = mm.fork();
    assert.is.not(pfnAt(child, AT), pin.pages[0]);
    assert.is(pfnAt(child, AT + 2 * P), pfnAt(mm, AT + 2 * P), "a page that is not pinned is shared");
    keeps(mm, AT, pin);
    assert.equal([at(child, AT), at(child, AT + P), at(child, AT + 2 * P)], [1, 2, 3]);
    put(child, AT, 9);
    assert.equal([at(mm, AT), at(child, AT)], [77, 9]);
    hmm.verify();
  });

  test("with a short pin, fork shares the page, and the process writes to a copy", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: P, flags: PRIVATE });
    put(mm, AT, 1);
    using pin = mm.pin(AT, 1, { write: true });
    const child = mm.fork();
    assert.is(pfnAt(child, AT), pin.pages[0]);
    put(mm, AT, 2);
    assert.is.not(pfnAt(mm, AT), pin.pages[0]);
    hmm.verify();
  });

  test("after the pin is closed, fork shares the page again", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: P, flags: PRIVATE });
    mm.pin(AT, 1, { write: true, longTerm: true }).close();
    const child = mm.fork();
    assert.is(pfnAt(child, AT), pfnAt(mm, AT));
    hmm.verify();
  });

  test("a pin for reads unshares a page after fork and tells the mirrors", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 2 * P, flags: PRIVATE });
    put(mm, AT, 5);
    const child = mm.fork();
    const events: number[] = [];
    new MmuIntervalNotifier(mm, 0, 2 ** 47, { invalidate: ({ event }) => events.push(event) > 0 });
    using pin = mm.pin(AT, 1, { longTerm: true });
    assert.equal(events, [MMU_NOTIFY_CLEAR]);
    assert.is.not(pfnAt(child, AT), pin.pages[0]);
    keeps(mm, AT, pin);
    assert.is(at(child, AT), 5);
    // The child has the old page for itself now: its pin takes it as it is.
    const old = pfnAt(child, AT);
    using own = child.pin(AT, 1, { longTerm: true });
    assert.is(own.pages[0], old);
    keeps(child, AT, own);
    hmm.verify();
  });

  test("a pin for reads unshares the zero page, a hole, and a file's page in a private mapping", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 2 * P, flags: PRIVATE });
    mm.read(AT, 1);
    using zeros = mm.pin(AT, 2, { longTerm: true });
    keeps(mm, AT, zeros);
    const file = hmm.createFile({ bytes: 2 * P, kind: "shmem" });
    file.write(0, new Uint8Array([6]));
    mm.mmap({
      addr: AT + PMD,
      length: 2 * P,
      prot: PROT_READ | PROT_WRITE,
      flags: MAP_PRIVATE | MAP_FIXED,
      file,
    });
    using copy = mm.pin(AT + PMD, 1, { longTerm: true });
    assert.is(at(mm, AT + PMD), 6);
    keeps(mm, AT + PMD, copy);
    assert.is(file.read(0, 1)[0], 6, "the file is not written");
    hmm.verify();
  });

  test("a shared mapping's pin is the file's page; a disk file's page is never pinned for writes", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const map = (kind: "disk" | "shmem", addr: number): void => {
      const file = hmm.createFile({ bytes: P, kind });
      mm.mmap({ addr, length: P, prot: PROT_READ | PROT_WRITE, flags: MAP_SHARED | MAP_FIXED, file });
    };
    map("shmem", AT);
    map("disk", AT + PMD);
    using write = mm.pin(AT, 1, { write: true, longTerm: true });
    assert.is(pfnAt(mm, AT), write.pages[0]);
    using read = mm.pin(AT + PMD, 1, { longTerm: true });
    assert.is(pfnAt(mm, AT + PMD), read.pages[0]);
    const error = errorOf(() => mm.pin(AT + PMD, 1, { write: true, longTerm: true })) as HmmError;
    assert.is(error.code, "EFAULT");
    mm.pin(AT + PMD, 1, { write: true }).close();
    hmm.verify();
  });

  test("huge pages: fork splits the mapping and copies; a pin for reads splits or takes the page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 2 * PMD, flags: PRIVATE });
    mm.madvise(AT, 2 * PMD, MADV_HUGEPAGE);
    put(mm, AT, 1);
    const first = pfnAt(mm, AT);
    using pin = mm.pin(AT + 3 * P, 1, { write: true, longTerm: true });
    assert.ok(mm.lookupPte(AT)!.flags & PTE_HUGE);
    const child = mm.fork();
    for (const each of [mm, child])
      assert.not(each.lookupPte(AT)!.flags & PTE_HUGE, "fork splits the mapping");
    assert.is(pfnAt(mm, AT), first);
    assert.is.not(pfnAt(child, AT), first, "a pin of one part is a pin of the huge page");
    keeps(mm, AT + 3 * P, pin);
    // The second huge page is shared: one page of it is copied.
    put(mm, AT + PMD, 2);
    const other = mm.fork();
    using shared = mm.pin(AT + PMD + P, 1, { longTerm: true });
    assert.is.not(shared.pages[0], pfnAt(other, AT + PMD + P));
    keeps(mm, AT + PMD + P, shared);
    other.close();
    child.close();
    hmm.verify();
  });

  test("fork shares a huge page whole, though its own references make a part look pinned", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: PMD, flags: PRIVATE });
    mm.madvise(AT, PMD, MADV_HUGEPAGE);
    put(mm, AT, 1);
    // The process has pinned pages, so that fork looks for them.
    mm.mmap({ addr: AT - P, length: P, flags: PRIVATE });
    mm.pin(AT - P, 1, { write: true, longTerm: true }).close();
    // A pin counts as 1,024 references: this part has one less, and the child's mapping is one more.
    const part = pfnAt(mm, AT) + 5;
    for (let i = 0; i < 1022; i++) hmm.pageGet(part);
    const child = mm.fork();
    hmm.verify();
    for (const one of [mm, child])
      assert.equal(
        [0, 4, 5, 6, 511].map((i) => [pfnAt(one, AT + i * P), isHuge(one, AT + i * P)]),
        [0, 4, 5, 6, 511].map((i) => [part - 5 + i, true]),
      );
    for (let i = 0; i < 1022; i++) hmm.pagePut(part);
    child.close();
    mm.close();
    hmm.verify();
  });

  test("a pin takes over a huge page of one process as a whole, and splits the huge zero page", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 2 * PMD, flags: PRIVATE });
    mm.madvise(AT, 2 * PMD, MADV_HUGEPAGE);
    put(mm, AT, 1);
    mm.fork().close();
    const first = pfnAt(mm, AT);
    using pin = mm.pin(AT, 1, { longTerm: true });
    assert.is(pin.pages[0], first);
    keeps(mm, AT, pin);
    mm.read(AT + PMD, 1);
    using zero = mm.pin(AT + PMD, 2, { longTerm: true });
    keeps(mm, AT + PMD, zero);
    hmm.verify();
  });

  test("hugetlb: fork copies for the child, a pin for reads takes a page; no free page is an error", () => {
    const hmm = engine(4 * PMD);
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: PMD, flags: PRIVATE | MAP_HUGETLB });
    put(mm, AT, 1);
    const pin = mm.pin(AT, 1, { write: true, longTerm: true });
    const child = mm.fork();
    assert.is.not(pfnAt(child, AT), pin.pages[0]);
    keeps(mm, AT, pin);
    assert.is(at(child, AT), 1);
    pin.close();
    const shared = mm.fork();
    assert.is(pfnAt(shared, AT), pfnAt(mm, AT));
    using read = mm.pin(AT, 1, { longTerm: true });
    assert.is.not(read.pages[0], pfnAt(shared, AT));
    keeps(mm, AT, read);
    assert.is(hmm.freeHugetlbPages, 1);
    const last = mm.fork();
    assert.is(hmm.freeHugetlbPages, 0);
    assert.is((errorOf(() => mm.fork()) as HmmError).code, "ENOMEM");
    for (const one of [last, shared, child]) one.close();
    hmm.verify();
  });

  test("fork fails without memory for the copy and leaves nothing in use", () => {
    const hmm = engine();
    const memcg = new Memcg({ limit: 3 });
    const mm = hmm.createMm({ memcg });
    mm.mmap({ addr: AT, length: 4 * P, flags: PRIVATE });
    using pin = mm.pin(AT, 2, { write: true, longTerm: true });
    assert.is((errorOf(() => mm.fork()) as HmmError).code, "ENOMEM");
    assert.equal([memcg.usage, hmm.mms().length], [2, 1]);
    keeps(mm, AT, pin);
    hmm.verify();
  });

  test("PAGEOUT and migration leave a pinned page, with a short or a long-term pin", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: 2 * P, flags: PRIVATE });
    using pin = mm.pin(AT, 1, { write: true, longTerm: true });
    put(mm, AT + P, 1);
    mm.madvise(AT, 2 * P, MADV_PAGEOUT);
    assert.equal([mm.rss.anon, mm.rss.swap], [1, 1]);
    assert.is(pfnAt(mm, AT), pin.pages[0]);
    using sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + P, owner: "nobody" });
    assert.equal([m.cpages, [...m.reasons]], [0, [REASON_PINNED]]);
    sem.close();
    m.close();
    keeps(mm, AT, pin);
    hmm.verify();
  });

  test("a pinned page outlives its mapping; close() reports a reference that the driver has put", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const free = hmm.freePages;
    mm.mmap({ addr: AT, length: P, flags: PRIVATE });
    const pin = mm.pin(AT, 1, { write: true, longTerm: true });
    mm.munmap(AT, P);
    assert.is(hmm.freePages, free - 1);
    pin.close();
    pin.close();
    assert.is(hmm.freePages, free);
    mm.mmap({ addr: AT, length: P, flags: PRIVATE });
    const plain = mm.pin(AT, 1, { write: true });
    hmm.pagePut(plain.pages[0]);
    const error = errorOf(() => plain.close()) as HmmError;
    assert.match(error.message, `page ${plain.pages[0]} must have the pin's reference`);
    assert.throws(() => hmm.pagePut(plain.pages[0]), /EINVAL/);
    mm.munmap(AT, P);
    hmm.verify();
  });
}).run();
