import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  Memcg,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  REASON_HOLE_FILLED,
  REASON_MEMCG_LIMIT,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, isHuge, MIB, PMD } from "../../util/huge.ts";

const TO = AT + 16 * PMD;

onEachBuild("holes of a migration", (test, module) => {
  test("a page that the memcg refuses leaves its mapping with an anon_vma, huge or not", () => {
    for (const select of [
      MIGRATE_VMA_SELECT_SYSTEM,
      MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND,
    ]) {
      const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB });
      const mm = hmm.createMm({ memcg: new Memcg({ limit: 0 }) });
      const owner = {};
      const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, owner, 8 * MIB);
      const moved = (fill: boolean): number => {
        advised(mm);
        if (fill) {
          using _sem = mm.mmapSem.read();
          using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + PMD, owner, select });
          devmem.allocPages(m.src, m.dst);
          assert.is(m.pages(), 0);
          assert.is(m.reasons[0], REASON_MEMCG_LIMIT);
        }
        mm.mremap(AT, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, TO);
        return mm.findVma(TO)!.pgoff;
      };
      // A mapping that never had an anon_vma takes the page offset of its new place.
      assert.is(moved(false), TO / PAGE_SIZE);
      assert.is(moved(true), AT / PAGE_SIZE);
      assert.equal([mm.rss.anon, devmem.usedPages], [0, 0]);
      hmm.verify();
      hmm.close();
    }
  });

  for (const linux of ["6.12", "7.3"] as const)
    test(`${linux}: a read maps the huge zero page over holes of an open migration`, () => {
      const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: MIB, linux });
      const mm = hmm.createMm();
      advised(mm);
      const owner = {};
      const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, owner, MIB);
      const start = AT + 8 * PAGE_SIZE;
      const range = { start, end: start + 4 * PAGE_SIZE, owner, select: MIGRATE_VMA_SELECT_SYSTEM };
      {
        using _sem = mm.mmapSem.read();
        using m = migrateVmaSetup({ vma: mm.findVma(AT), ...range });
        devmem.allocPages(m.src, m.dst);
        mm.read(AT, 1);
        // migrate_vma_insert_page of 6.12 gives up at a huge entry. 7.3 splits the huge zero page first.
        assert.is(m.pages(), linux === "6.12" ? 0 : 4);
        if (linux === "6.12") assert.equal([...m.reasons], new Array(4).fill(REASON_HOLE_FILLED));
      }
      const moved = linux === "6.12" ? 0 : 4;
      assert.equal([mm.rss.anon, devmem.usedPages], [moved, moved]);
      assert.is(isHuge(mm, AT), linux === "6.12");
      hmm.verify();
      hmm.close();
    });
}).run();
