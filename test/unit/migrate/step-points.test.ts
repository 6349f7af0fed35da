/** Step points of a migration's setup, at which the lab looks at the state. */
import * as assert from "uvu/assert";
import { REQUEST, STEP_COLLECTED, STEP_UNMAPPED } from "../../../assembly/abi/request.ts";
import { contextOf } from "../../../src/engine/context.ts";
import { migrateVmaSetup, MIGRATE_VMA_SELECT_SYSTEM, PAGE_SIZE } from "../../../src/index.ts";
import { watchSteps } from "../../../src/inside.ts";
import { onEachBuild } from "../../util/builds.ts";
import { makeHmm } from "../../util/driver.ts";

onEachBuild("step points", (test, module) => {
  test("somebody who looks sees both points of a setup; nobody is asked otherwise", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.store32(addr, 7);
    // Another process maps the page, too: unmapping it there is a step of its own.
    using child = mm.fork();
    const seen: number[] = [];
    watchSteps(hmm, (point) => void seen.push(point));
    {
      using _sem = mm.mmapSem.read();
      const select = MIGRATE_VMA_SELECT_SYSTEM;
      migrateVmaSetup({
        vma: mm.findVma(addr),
        start: addr,
        end: addr + PAGE_SIZE,
        owner: 1,
        select,
      }).finalize();
    }
    assert.equal(seen, [STEP_COLLECTED, STEP_UNMAPPED]);
    watchSteps(hmm, null);
    // The core's own answer: the id of the migration, at once.
    const { core } = contextOf("test", hmm);
    const id = core.migrateSetup(mm.id, addr, addr + PAGE_SIZE, MIGRATE_VMA_SELECT_SYSTEM, 1, 0);
    assert.ok(id > 0 && id !== REQUEST, `${id}`);
    assert.is(core.migrateFinalize(id), 0);
    assert.equal([mm.load32(addr), child.load32(addr)], [7, 7]);
    hmm.verify();
  });
}).run();
