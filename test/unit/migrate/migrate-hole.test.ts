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
  REASON_MEMCG_LIMIT,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, MIB, PMD } from "../../util/huge.ts";

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
}).run();
