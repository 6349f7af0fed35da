/**
 * After everything is closed, every frame, table, link, mapping and byte of the arena is free again: after work of every
 * kind, after drivers that throw, and after every allocation that can fail has failed.
 */
import * as assert from "uvu/assert";
import { HmmError, MREMAP_MAYMOVE, PAGE_SIZE, type Hmm, type HmmConfig } from "../../src/index.ts";
import { capacities } from "./capacities.ts";
import { failures, HARMLESS, isIntact } from "./failures.ts";
import { fileCapacities, fileFailures, fileScenarios } from "./files.ts";
import { scenarios } from "./scenarios.ts";
import { LeakCheck } from "./usage.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, makeHmm, pattern, rejectionOf } from "../util/driver.ts";

const SMALL: HmmConfig = { systemMemory: 2 << 20, deviceMemory: 8 << 20, swap: 1 << 16, arena: 1 << 18 };
/** More allocations than any operation here makes. */
const ALLOCATIONS_MAX = 200;

onEachBuild("leak", (test, module) => {
  for (const [name, run] of Object.entries({ ...scenarios, ...fileScenarios })) {
    test(name, async () => {
      const hmm = makeHmm(module, SMALL);
      const check = new LeakCheck(hmm);
      await run(hmm);
      hmm.verify();
      assert.is(check.leaked, "");
    });
  }

  test("what is still open is noticed", () => {
    const hmm = makeHmm(module, SMALL);
    const check = new LeakCheck(hmm);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.store32(addr, 1);
    const pin = mm.pin(addr, 1);
    mm.close();
    assert.is(check.leaked, "1 system pages, 1 system frames that are not free, 1 references of callers");
    pin.close();
    hmm.pfnArray(1);
    assert.is(check.leaked, "16 arena bytes");
  });
}).run();

/** Closes what is left open, whatever it takes. */
function closeAll(hmm: Hmm, others: { close(): void }[]): void {
  for (const other of others) other.close();
  hmm.close();
}

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

  test("a mremap that fails leaves memory as it was", () => {
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

onEachBuild("leak: every allocation fails once", (test, module) => {
  for (const [name, prepare] of Object.entries({ ...failures, ...fileFailures })) {
    test(name, async () => {
      let failed = 0;
      for (let nth = 1; ; nth++) {
        assert.ok(nth < ALLOCATIONS_MAX, "an operation of so many allocations");
        const hmm = makeHmm(module, SMALL);
        const check = new LeakCheck(hmm);
        const held: { close(): void }[] = [];
        const call = prepare(hmm, held);
        hmm.failAllocation(nth);
        const error = await rejectionOf(async () => call());
        const reached = check.allocationsToFailure === 0;
        hmm.failAllocation(0);
        // mlock() and drivers' fault callbacks have their own words for it.
        if (error !== undefined)
          assert.match(String(error), /ENOMEM|injected failure|SIGBUS/, `allocation ${nth}`);
        hmm.verify();
        if (error !== undefined && HARMLESS.test(name))
          assert.ok(isIntact(hmm), `allocation ${nth}: content`);
        closeAll(hmm, held);
        hmm.verify();
        assert.is(check.leaked, "", `allocation ${nth}, ${error}`);
        if (!reached) break;
        failed++;
      }
      assert.ok(failed > 0, "no allocation was made to fail");
    });
  }
}).run();
