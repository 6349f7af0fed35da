import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  Hmm,
  MADV_DONTNEED,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MADV_UNMERGEABLE,
  MAP_ANONYMOUS,
  MAP_SHARED,
  Memcg,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_RELEASE,
  MmuIntervalNotifier,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { onEachBuild } from "../../util/builds.ts";
import { byteAt, filled, mergeable } from "./ksm.ts";

const MIB = 1 << 20;
/** Passes after which all mergeable pages are merged. */
const ENOUGH = 3;

const pageAt = (mm: Mm, addr: number): number => mm.lookupPte(addr)!.pfn;

/** Returns the page numbers of the `clear` events of mm from now until mm closes. */
function clears(mm: Mm, base: number): number[] {
  const pages: number[] = [];
  new MmuIntervalNotifier(mm, 0, 2 ** 47, {
    invalidate({ event, start, end }): boolean {
      if (event === MMU_NOTIFY_RELEASE) return true;
      assert.equal([event, end - start], [MMU_NOTIFY_CLEAR, PAGE_SIZE]);
      pages.push((start - base) / PAGE_SIZE);
      return true;
    },
  });
  return pages;
}

onEachBuild("ksm", (test, module) => {
  const engine = (options = {}): Hmm =>
    Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 4 * MIB, swap: MIB, ...options });

  test("identical pages become one page, and a write makes a copy", () => {
    const hmm = engine();
    const memcg = new Memcg();
    const mm = hmm.createMm({ memcg });
    const addr = mergeable(mm, 7, 8, 7, 7);
    const heard = clears(mm, addr);
    const free = hmm.freePages;
    assert.equal(hmm.ksmScan(), { pagesShared: 0, pagesSharing: 0 }, "a page must be seen twice");
    assert.equal(hmm.ksmScan(), { pagesShared: 1, pagesSharing: 2 });
    hmm.verify();
    // 2 is identical to 0: 2 is protected, then 0 is protected and replaced by 2; then 3 is replaced.
    assert.equal(heard.splice(0), [2, 0, 0, 3, 3]);
    assert.is(hmm.freePages, free + 2);
    assert.is(memcg.usage, 2);
    assert.equal(mm.rss.anon, 4, "each address counts");
    mm.write(addr + 2 * PAGE_SIZE, filled(9));
    assert.equal(heard.splice(0), [2]);
    assert.equal(
      [0, 1, 2, 3].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
      [7, 8, 9, 7],
    );
    assert.equal(hmm.ksmScan(0), { pagesShared: 1, pagesSharing: 2 }, "until the next pass");
    assert.equal(hmm.ksmScan(), { pagesShared: 1, pagesSharing: 1 });
    mm.write(addr, filled(1));
    mm.write(addr + 3 * PAGE_SIZE, filled(2));
    assert.is(hmm.freePages, free, "the last writer took a copy, too, and the merged page is gone");
    assert.equal(hmm.ksmScan(), { pagesShared: 0, pagesSharing: 0 });
    hmm.verify();
    mm.close();
    assert.is(memcg.usage, 0);
    hmm.close();
  });

  test("only mergeable private anonymous pages that did not change since the last pass are merged", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const unmarked = mm.mmap({ length: 2 * PAGE_SIZE });
    const shared = mm.mmap({ length: 2 * PAGE_SIZE, flags: MAP_SHARED | MAP_ANONYMOUS });
    for (const at of [unmarked, unmarked + PAGE_SIZE, shared, shared + PAGE_SIZE]) mm.write(at, filled(7));
    mm.madvise(shared, 2 * PAGE_SIZE, MADV_MERGEABLE);
    assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 0, pagesSharing: 0 });
    const addr = mergeable(mm, 1, 1);
    for (let value = 2; value < 5; value++) {
      hmm.ksmScan();
      for (const at of [addr, addr + PAGE_SIZE]) mm.write(at, filled(value));
    }
    assert.equal(hmm.ksmScan(1), { pagesShared: 0, pagesSharing: 0 });
    assert.equal(hmm.ksmScan(2), { pagesShared: 1, pagesSharing: 1 });
    mm.mprotect(addr, PAGE_SIZE, PROT_NONE);
    mm.mprotect(addr, PAGE_SIZE, PROT_READ | PROT_WRITE);
    mm.write(addr, filled(6));
    assert.is(byteAt(mm, addr + PAGE_SIZE), 4, "mprotect gives no way around the copy");
    hmm.verify();
  });

  test("a pinned page is not merged, and the other page belongs to its process again", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7, 7);
    const pin = mm.pin(addr, 1);
    const heard = clears(mm, addr);
    assert.equal(hmm.ksmScan(2), { pagesShared: 0, pagesSharing: 0 });
    hmm.verify();
    // 1 is protected, 0 cannot be protected, 1 is copied; 2 likewise.
    assert.equal(heard.splice(0), [1, 0, 1, 2, 0, 2]);
    mm.write(addr + PAGE_SIZE, filled(7));
    assert.equal(heard, [], "in place");
    assert.is(pin.pages[0], pageAt(mm, addr));
    pin.close();
    // Some passes skip pages that earlier passes could not merge.
    assert.equal(hmm.ksmScan(4), { pagesShared: 1, pagesSharing: 2 });
    hmm.verify();
  });

  test("MADV_UNMERGEABLE and mremap unmerge pages", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7, 7, 7);
    assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 1, pagesSharing: 3 });
    mm.madvise(addr, PAGE_SIZE, MADV_UNMERGEABLE);
    assert.is.not(pageAt(mm, addr), pageAt(mm, addr + PAGE_SIZE));
    hmm.verify();
    const to = addr + 64 * PAGE_SIZE;
    mm.mremap(addr + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    mm.mremap(addr + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    hmm.verify();
    const before = pageAt(mm, to);
    mm.write(to, filled(1));
    assert.is(pageAt(mm, to), before, "it is this address's own");
    assert.is(byteAt(mm, addr + 3 * PAGE_SIZE), 7);
    assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 1, pagesSharing: 1 }, "what moved is still mergeable");
    hmm.verify();
  });

  test("forks share merged pages; the reverse map finds all of them, whichever ends first", () => {
    const hmm = engine();
    const device = new DmirrorDevice(hmm, { memory: 2 * MIB });
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7);
    hmm.ksmScan(ENOUGH);
    const child = mm.fork();
    hmm.verify();
    mm.write(addr, filled(1));
    const mirror = new Dmirror(child, { device });
    assert.equal(mirror.migrateToDevice(addr, 1).ret, 0, "one page behind three entries");
    assert.is(device.devmem.usedPages, 1);
    hmm.verify();
    mm.close();
    hmm.verify();
    assert.equal([byteAt(child, addr), byteAt(child, addr + PAGE_SIZE)], [7, 7]);
    assert.is(device.devmem.usedPages, 0);
    assert.equal(hmm.ksmScan(), { pagesShared: 1, pagesSharing: 1 }, "the child is mergeable as well");
    hmm.verify();
    const grandchild = child.fork();
    child.close();
    assert.equal(hmm.ksmScan(), { pagesShared: 1, pagesSharing: 1 });
    assert.is(byteAt(grandchild, addr), 7);
    hmm.verify();
    grandchild.close();
    assert.equal(hmm.ksmScan(0), { pagesShared: 0, pagesSharing: 0 });
    hmm.verify();
  });

  test("the reverse map finds a page in a process and in its parent, which is not mergeable", () => {
    const hmm = engine();
    const device = new DmirrorDevice(hmm, { memory: 2 * MIB });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    for (const at of [addr, addr + PAGE_SIZE]) mm.write(at, filled(7));
    const child = mm.fork();
    child.madvise(addr, 2 * PAGE_SIZE, MADV_MERGEABLE);
    assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 1, pagesSharing: 1 });
    hmm.verify();
    const mirror = new Dmirror(mm, { device });
    assert.equal(mirror.migrateToDevice(addr, 2).ret, 0);
    hmm.verify();
    child.write(addr, filled(1));
    child.write(addr + PAGE_SIZE, filled(2));
    assert.equal(hmm.ksmScan(ENOUGH).pagesSharing, 0);
    hmm.verify();
    assert.equal([byteAt(mm, addr), byteAt(mm, addr + PAGE_SIZE)], [7, 7]);
    mirror.close();
    hmm.close();
  });

  test("a merged page with one user is paged out and comes back as that user's own", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7);
    hmm.ksmScan(ENOUGH);
    mm.madvise(addr, 2 * PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 0, "two addresses have it");
    mm.write(addr, filled(1));
    mm.madvise(addr + PAGE_SIZE, PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 1);
    hmm.verify();
    assert.is(byteAt(mm, addr + PAGE_SIZE), 7);
    mm.write(addr + PAGE_SIZE, filled(2));
    hmm.verify();
    mm.close();
    hmm.verify();
  });

  test("a pinned merged page comes back from the swap cache unchanged", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7);
    hmm.ksmScan(ENOUGH);
    mm.write(addr, filled(1));
    const page = pageAt(mm, addr + PAGE_SIZE);
    const pin = mm.pin(addr + PAGE_SIZE, 1);
    mm.madvise(addr + PAGE_SIZE, PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 1);
    hmm.ksmScan();
    assert.is(byteAt(mm, addr + PAGE_SIZE), 7);
    assert.is(pageAt(mm, addr + PAGE_SIZE), page);
    hmm.verify();
    mm.write(addr + PAGE_SIZE, filled(2));
    assert.is.not(pageAt(mm, addr + PAGE_SIZE), page, "a copy: it is a merged page still");
    pin.close();
    mm.close();
    hmm.verify();
  });

  test("256 addresses share a page; further addresses share another", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    mergeable(mm, ...new Array<number>(300).fill(7));
    assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 2, pagesSharing: 298 });
    hmm.verify();
    mm.close();
    assert.equal(hmm.ksmScan(0), { pagesShared: 0, pagesSharing: 0 });
    hmm.verify();
  });

  test("full tables prevent merging and nothing else", () => {
    for (const capacities of [{ ksmPages: 1 }, { ksmAddresses: 3 }]) {
      const hmm = engine({ capacities });
      const mm = hmm.createMm();
      const addr = mergeable(mm, 1, 1, 2, 2);
      assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 1, pagesSharing: 1 });
      hmm.verify();
      assert.equal(
        [0, 1, 2, 3].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
        [1, 1, 2, 2],
      );
      mm.close();
      hmm.verify();
    }
  });

  test("memory that is never merged does not enter its process in the list", () => {
    // Of two identical pages, the page of the process entered later stays.
    for (const shared of [false, true]) {
      const hmm = engine();
      const [one, two] = [hmm.createMm(), hmm.createMm()];
      const flags = shared ? { flags: MAP_SHARED | MAP_ANONYMOUS } : {};
      one.madvise(one.mmap({ length: PAGE_SIZE, ...flags }), PAGE_SIZE, MADV_MERGEABLE);
      const [there, here] = [mergeable(two, 7), mergeable(one, 7)];
      const page = shared ? pageAt(one, here) : pageAt(two, there);
      hmm.ksmScan(ENOUGH);
      assert.equal([pageAt(one, here), pageAt(two, there)], [page, page]);
    }
  });

  test("a restored engine continues to merge", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7, 7);
    hmm.ksmScan();
    const again = Hmm.restore(hmm.snapshot(), { module });
    again.verify();
    assert.equal(again.ksmScan(), { pagesShared: 1, pagesSharing: 2 });
    again.mms()[0].write(addr, filled(1));
    again.verify();
    assert.equal(hmm.ksmScan(0), { pagesShared: 0, pagesSharing: 0 });
  });

  test("merging notices what a callback does to the pages", () => {
    for (const when of [1, 2, 3]) {
      const hmm = engine();
      const mm = hmm.createMm();
      const addr = mergeable(mm, 7, 7);
      let heard = 0;
      new MmuIntervalNotifier(mm, 0, 2 ** 47, {
        invalidate(): boolean {
          if (++heard === when) mm.madvise(addr, 2 * PAGE_SIZE, MADV_DONTNEED);
          return true;
        },
      });
      assert.equal(hmm.ksmScan(ENOUGH), { pagesShared: 0, pagesSharing: 0 }, `event ${when}`);
      assert.equal([byteAt(mm, addr), byteAt(mm, addr + PAGE_SIZE)], [0, 0]);
      hmm.verify();
      mm.close();
      hmm.verify();
    }
  });

  test("a held lock, metadata backing and calls from a callback are refused", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const code = (body: () => unknown): string => {
      try {
        body();
      } catch (error) {
        return (error as HmmError).code;
      }
      return "none";
    };
    const sem = mm.mmapSem.write();
    assert.is(
      code(() => hmm.ksmScan()),
      "EDEADLK",
    );
    sem.close();
    assert.is(
      code(() => hmm.ksmScan()),
      "none",
    );
    assert.is(
      code(() => engine({ backing: "metadata" }).ksmScan()),
      "EOPNOTSUPP",
    );
    const addr = mergeable(mm, 7, 7);
    new MmuIntervalNotifier(mm, 0, 2 ** 47, { invalidate: () => (hmm.ksmScan(), true) });
    assert.is(
      code(() => mm.munmap(addr, PAGE_SIZE)),
      "EDEADLK",
    );
    assert.is(mm.mmapSem.mode, "free");
    hmm.verify();
  });
}).run();
