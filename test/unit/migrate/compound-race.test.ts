/** What happens to a huge page while it migrates to a device: it is dropped, or a part of it is held. */
import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  MADV_DONTNEED,
  migratePfn,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, byteAt, MIB, P, PAGES, PMD, write } from "../../util/huge.ts";

const SELECT = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;

onEachBuild("a huge page that is dropped or held while it migrates", (test, module) => {
  for (const what of ["the huge zero page", "another huge page"]) {
    test(`one that is dropped is split for single destinations; ${what} in its place stays huge`, () => {
      const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB });
      const mm = hmm.createMm();
      const owner = {};
      const callbacks = { free: () => undefined, fault: () => assert.unreachable() };
      const devmem = hmmDevmemAdd(hmm, callbacks, owner, 8 * MIB);
      advised(mm);
      write(mm, AT, 7);
      const sem = mm.mmapSem.read();
      const m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + PMD, owner, select: SELECT });
      for (let i = 0; i < PAGES; i++) m.dst[i] = migratePfn(devmem.allocPage());
      mm.madvise(AT, PMD, MADV_DONTNEED);
      const written = what === "another huge page";
      if (written) write(mm, AT + PMD - 1, 9);
      else assert.is(byteAt(mm, AT), 0);
      const entry = mm.lookupPte(AT)!;

      m.pages();
      m.finalize();
      sem.close();
      hmm.verify();
      assert.equal(mm.lookupPte(AT), entry);
      assert.equal([byteAt(mm, AT), byteAt(mm, AT + PMD - 1)], written ? [0, 9] : [0, 0]);
      assert.is(mm.rss.anon, written ? PAGES : 0);
      assert.is(devmem.usedPages, 0);
      hmm.close();
    });
  }

  test("the source is kept as a whole by whoever holds a part of it at the end", () => {
    const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB });
    const mm = hmm.createMm();
    const owner = {};
    const callbacks = { free: () => undefined, fault: () => assert.unreachable() };
    const devmem = hmmDevmemAdd(hmm, callbacks, owner, 8 * MIB);
    advised(mm);
    for (let i = 0; i < PAGES; i++) write(mm, AT + i * P, i | 1);
    const { pfn } = mm.lookupPte(AT + 3 * P)!;
    const free = hmm.freePages;
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + PMD, owner, select: SELECT });
      devmem.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), PAGES);
      hmm.pageGet(pfn);
    }
    hmm.verify();
    assert.equal([hmm.freePages, devmem.usedPages], [free, PAGES]);
    hmm.pagePut(pfn);
    assert.is(hmm.freePages, free + PAGES);
    // All of its bytes have moved, those of the last page too.
    assert.equal(
      Array.from({ length: PAGES }, (_, i) => hmm.pageBytes(mm.lookupPte(AT + i * P)!.pfn, ([byte]) => byte)),
      Array.from({ length: PAGES }, (_, i) => (i | 1) & 255),
    );
    hmm.verify();
    hmm.close();
  });
}).run();
