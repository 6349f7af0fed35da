/** A driver's callback cannot take a snapshot: the operation that called it is not complete. */
import * as assert from "uvu/assert";
import {
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Hmm,
} from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../util/driver.ts";

onEachBuild("snapshot: not inside a callback", (test, module) => {
  /** Returns what hmm.snapshot() throws in the callback that `act` triggers. */
  function inside(act: (hmm: Hmm, callback: () => void) => void): string {
    const hmm = makeHmm(module);
    let thrown: unknown = "the callback was not called";
    act(hmm, () => (thrown = errorOf(() => hmm.snapshot())));
    assert.ok(hmm.snapshot().length > 0, "afterwards it is possible again");
    return String(thrown);
  }
  const refused = /^TypeError: hmm\.snapshot: must not be called from a driver's callback/;

  test("update", () => {
    const act = (hmm: Hmm, update: () => void): void => {
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: PAGE_SIZE });
      hmmMirrorRegister(new HmmMirror({ update }), mm);
      mm.munmap(addr, PAGE_SIZE);
    };
    assert.match(inside(act), refused);
  });
  test("release", () => {
    const act = (hmm: Hmm, release: () => void): void => {
      const mm = hmm.createMm();
      hmmMirrorRegister(new HmmMirror({ update: () => undefined, release }), mm);
      mm.close();
    };
    assert.match(inside(act), refused);
  });
  test("invalidate", () => {
    const act = (hmm: Hmm, invalidate: () => void): void => {
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: PAGE_SIZE });
      mm.write(addr, pattern(1));
      new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => invalidate() });
      mm.mprotect(addr, PAGE_SIZE, 1);
    };
    assert.match(inside(act), refused);
  });
  for (const which of ["fault", "free"] as const) {
    test(which, () => {
      const act = (hmm: Hmm, callback: () => void): void => {
        const mm = hmm.createMm();
        const addr = mm.mmap({ length: PAGE_SIZE });
        mm.write(addr, pattern(1));
        const ops = { fault: () => undefined, [which]: callback };
        const devmem = hmmDevmemAdd(hmm, ops, {}, 2 << 20);
        const page = devmem.allocPage();
        if (which === "free") {
          hmm.pageUnlock(page);
          hmm.pagePut(page);
          return;
        }
        hmm.pageUnlock(page);
        hmm.pagePut(page);
        moveOut(hmm, addr);
        errorOf(() => mm.read(addr, 1));
      };
      assert.match(inside(act), refused);
    });
  }

  function moveOut(hmm: Hmm, addr: number): void {
    const [mm] = hmm.mms();
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + PAGE_SIZE });
    hmm.devmems()[0].allocPages(m.src, m.dst);
    m.pages();
  }
}).run();
