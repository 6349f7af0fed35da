/** Every allocation of an operation fails once, and after everything is closed nothing is left in use. */
import * as assert from "uvu/assert";
import { onEachBuild } from "../util/builds.ts";
import { makeHmm, rejectionOf } from "../util/driver.ts";
import { HARMLESS, isIntact, type Failure } from "./failures.ts";
import { closeAll, LeakCheck, SMALL } from "./usage.ts";

/** More allocations than any operation in failures.ts makes. */
const ALLOCATIONS_MAX = 200;

/** Tests the operations of a table on each build. */
export function failOnce(failures: Readonly<Record<string, Failure>>): void {
  onEachBuild("leak: every allocation fails once", (test, module) => {
    for (const [name, prepare] of Object.entries(failures)) {
      test(name, async () => {
        let failed = 0;
        for (let nth = 1; ; nth++) {
          assert.ok(nth < ALLOCATIONS_MAX, `an operation makes more than ${ALLOCATIONS_MAX} allocations`);
          const hmm = makeHmm(module, SMALL);
          const check = new LeakCheck(hmm);
          const held: { close(): void }[] = [];
          const call = prepare(hmm, held);
          hmm.failAllocation(nth);
          const error = await rejectionOf(async () => call());
          const reached = check.allocationsToFailure === 0;
          hmm.failAllocation(0);
          // mlock() and drivers' fault callbacks report the failure in their own words.
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
}
