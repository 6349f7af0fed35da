import * as assert from "uvu/assert";
import { type HmmError, PAGE_SIZE } from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("special mappings", (test, module) => {
  test("a write to memory without pages is lost and visible nowhere", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const device = mm.mmapSpecial("pfn", { length: P });
    mm.write(device, new Uint8Array(P).fill(7));
    mm.store32(device + 8, 0x01020304);
    assert.is(mm.load32(device + 8), 0);
    assert.equal(mm.read(device, P), new Uint8Array(P));
    const untouched = mm.mmap({ length: P });
    assert.equal(mm.read(untouched, P), new Uint8Array(P), "the page of zeros is as it was");
    hmm.verify();
  });

  test("userfaultfd accepts anonymous memory and refuses a driver's", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    for (const kind of ["mixed", "pfn"] as const) {
      const addr = mm.mmapSpecial(kind, { length: P });
      assert.is((errorOf(() => mm.uffdRegister(addr, P)) as HmmError).code, "EINVAL");
    }
    hmm.verify();
  });
}).run();
