/**
 * After everything is closed, every frame, table, link, mapping and byte of the arena is free again: after work of every
 * kind, after drivers that throw, and after every allocation that can fail has failed.
 */
import * as assert from "uvu/assert";
import { HmmError, type Hmm, type HmmConfig } from "../src/index.ts";
import { capacities } from "./leak/capacities.ts";
import { failures } from "./leak/failures.ts";
import { scenarios } from "./leak/scenarios.ts";
import { LeakCheck } from "./leak/usage.ts";
import { onEachBuild } from "./util/builds.ts";
import { errorOf, makeHmm } from "./util/driver.ts";

const SMALL: HmmConfig = { systemMemory: 2 << 20, deviceMemory: 8 << 20, arena: 1 << 18 };
/** More allocations than any operation here makes. */
const ALLOCATIONS_MAX = 200;

onEachBuild("leak", (test, module) => {
  for (const [name, run] of Object.entries(scenarios)) {
    test(name, async () => {
      const hmm = makeHmm(module, SMALL);
      const check = new LeakCheck(hmm);
      await run(hmm);
      hmm.verify();
      assert.is(check.leaked, "");
    });
  }
}).run();

/** Closes what is left open, whatever it takes. */
function closeAll(hmm: Hmm, others: { close(): void }[]): void {
  for (const other of others) other.close();
  hmm.close();
}

onEachBuild("leak: no memory left in a table", (test, module) => {
  for (const { name, config, use, says } of capacities) {
    test(name, () => {
      const hmm = makeHmm(module, { ...SMALL, ...config });
      const check = new LeakCheck(hmm);
      const held: { close(): void }[] = [];
      const call = use(hmm, held);
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
      assert.equal(check.usage, before, "the call that failed keeps nothing");
      closeAll(hmm, held);
      hmm.verify();
      assert.is(check.leaked, "");
    });
  }
}).run();

onEachBuild("leak: every allocation fails once", (test, module) => {
  for (const [name, prepare] of Object.entries(failures)) {
    test(name, async () => {
      let failed = 0;
      for (let nth = 1; ; nth++) {
        assert.ok(nth < ALLOCATIONS_MAX, "an operation of so many allocations");
        const hmm = makeHmm(module, SMALL);
        const check = new LeakCheck(hmm);
        const held: { close(): void }[] = [];
        const call = prepare(hmm, held);
        hmm.failAllocation(nth);
        let error: unknown;
        try {
          await call();
        } catch (thrown) {
          error = thrown;
        }
        const reached = hmm.allocationFailed;
        hmm.failAllocation(0);
        if (error !== undefined) assert.match(String(error), /ENOMEM/, `allocation ${nth}: ${String(error)}`);
        hmm.verify();
        closeAll(hmm, held);
        hmm.verify();
        assert.is(check.leaked, "", `allocation ${nth}, ${error === undefined ? "no error" : String(error)}`);
        if (!reached) break;
        failed++;
      }
      assert.ok(failed > 0, "no allocation was made to fail");
    });
  }
}).run();
