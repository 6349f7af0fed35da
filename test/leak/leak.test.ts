/** After every kind of work, once everything is closed, no frame, table, link or byte is in use. */
import * as assert from "uvu/assert";
import { PAGE_SIZE } from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { makeHmm } from "../util/driver.ts";
import { fileScenarios } from "./files.ts";
import { scenarios } from "./scenarios.ts";
import { LeakCheck, SMALL } from "./usage.ts";

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

  test("LeakCheck reports what is still open", () => {
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
    assert.is(check.leaked, "64 arena bytes");
  });
}).run();
