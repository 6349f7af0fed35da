/** A table without room fails the call that needs it, and that call keeps nothing. */
import * as assert from "uvu/assert";
import { HmmError, MREMAP_MAYMOVE, PAGE_SIZE } from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../util/driver.ts";
import { capacities } from "./capacities.ts";
import { fileCapacities } from "./files.ts";
import { closeAll, LeakCheck, SMALL } from "./usage.ts";

onEachBuild("leak: no memory left in a table", (test, module) => {
  for (const row of [...capacities, ...fileCapacities]) {
    const { name, config, says, keeps = [] } = row;
    test(name, () => {
      const hmm = makeHmm(module, { ...SMALL, ...config });
      const check = new LeakCheck(hmm);
      const held: { close(): void }[] = [];
      const call = row.use(hmm, held);
      let before = check.usage;
      const error = errorOf(() => {
        for (let i = 0; i < 100_000; i++) {
          before = check.usage;
          call(i);
        }
      });
      assert.instance(error, HmmError, String(error));
      assert.is((error as HmmError).code, "ENOMEM");
      assert.match((error as HmmError).detail, says);
      hmm.verify();
      const more = Object.entries(check.usage).filter(
        ([what, n]) => n !== before[what] && !keeps.includes(what),
      );
      assert.equal(more, [], "what the call that failed keeps");
      closeAll(hmm, held);
      hmm.verify();
      assert.is(check.leaked, "");
    });
  }

  test("a failed mremap leaves memory unchanged", () => {
    for (let vmas = 1; vmas < 5; vmas++) {
      const hmm = makeHmm(module, { ...SMALL, capacities: { vmas } });
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: 8 * PAGE_SIZE });
      mm.write(addr, pattern(8));
      const error = errorOf(() => mm.mremap(addr + PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE));
      assert.is(error === undefined, vmas === 4, `${vmas} vmas: ${error}`);
      if (error === undefined) continue;
      assert.is(
        Buffer.compare(mm.read(addr, 8 * PAGE_SIZE), pattern(8)),
        0,
        `${vmas} vmas: the content is gone`,
      );
      hmm.verify();
    }
  });
}).run();
