/** The page that takes the place of a huge page while the huge page migrates to a device. */
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
import { advised, AT, byteAt, MIB, PAGES, PMD, write } from "../../util/huge.ts";

const SELECT = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;

onEachBuild("a huge page that is dropped while it migrates", (test, module) => {
  for (const what of ["the huge zero page", "another huge page"]) {
    test(`is split for single destinations; ${what} in its place stays huge`, () => {
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
}).run();
