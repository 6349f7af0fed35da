import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  EINVAL,
  HMM_UPDATE_INVALIDATE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_UNMAP,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, TestGpu, type Update } from "../../util/driver.ts";

onEachBuild("mirror", (test, module) => {
  const listen = (updates: Update[]): HmmMirror =>
    new HmmMirror({
      update: (_m, action, start, end, event) => void updates.push({ action, start, end, event }),
    });

  test("two mirrors hear each event once, unclipped; one unregisters and registers again", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 8 * PAGE_SIZE });
    const [a, b]: [Update[], Update[]] = [[], []];
    const [first, second] = [listen(a), listen(b)];
    assert.is(hmmMirrorRegister(first, mm), 0);
    assert.is(hmmMirrorRegister(second, mm), 0);
    mm.munmap(addr, 2 * PAGE_SIZE);
    const expected = {
      action: HMM_UPDATE_INVALIDATE,
      start: addr,
      end: addr + 2 * PAGE_SIZE,
      event: MMU_NOTIFY_UNMAP,
    };
    assert.equal(a, [expected]);
    assert.equal(b, [expected]);
    hmmMirrorUnregister(first);
    hmmMirrorUnregister(first);
    assert.not(first.registered);
    mm.munmap(addr + 2 * PAGE_SIZE, PAGE_SIZE);
    assert.is(a.length, 1);
    assert.is(b.length, 2);
    assert.is(hmmMirrorRegister(first, mm), 0);
    mm.munmap(addr + 3 * PAGE_SIZE, PAGE_SIZE);
    assert.is(a.length, 2);
  });

  test("the callback may have the kernel code's name", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    let calls = 0;
    const mirror = new HmmMirror({ syncCpuDevicePagetables: () => void calls++ });
    hmmMirrorRegister(mirror, mm);
    mm.munmap(addr, PAGE_SIZE);
    assert.is(calls, 1);
  });

  test("the action tells write protection from invalidation", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.populate(addr, PAGE_SIZE);
    const updates: Update[] = [];
    hmmMirrorRegister(listen(updates), mm);
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    mm.mprotect(addr, PAGE_SIZE, PROT_NONE);
    mm.mprotect(addr, PAGE_SIZE, 3);
    mm.fork();
    assert.equal(
      updates.map(({ action, event }) => [action, event]),
      [
        [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_VMA],
        [HMM_UPDATE_INVALIDATE, MMU_NOTIFY_PROTECTION_VMA],
        [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_VMA],
        [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_PAGE],
      ],
    );
  });

  test("register: null is -EINVAL; locks and classes are checked", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const mirror = listen([]);
    assert.is(hmmMirrorRegister(null, mm), -EINVAL);
    assert.is(hmmMirrorRegister(mirror, null), -EINVAL);
    assert.is(hmmMirrorRegister(new HmmMirror(null as never), mm), -EINVAL);
    assert.instance(
      errorOf(() => hmmMirrorRegister({} as never, mm)),
      TypeError,
    );
    assert.instance(
      errorOf(() => hmmMirrorRegister(new HmmMirror({}), mm)),
      TypeError,
    );
    assert.instance(
      errorOf(() => hmmMirrorRegister(mirror, {} as never)),
      TypeError,
    );
    assert.match(
      errorOf(() => hmmMirrorRegisterLocked(mirror, mm))!.message,
      /must be held for write, and it is free/,
    );
    {
      using _sem = mm.mmapSem.write();
      assert.is((errorOf(() => hmmMirrorRegister(mirror, mm)) as HmmError).code, "EDEADLK");
      assert.is(hmmMirrorRegisterLocked(mirror, mm), 0);
    }
    assert.match(errorOf(() => hmmMirrorRegister(mirror, mm))!.message, /registered already/);
    mirror.close();
    const other = hmm.createMm();
    other.close();
    assert.instance(
      errorOf(() => hmmMirrorRegister(mirror, other)),
      TypeError,
    );
  });

  test("the end of the mm: a last update and one release for each mirror", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    const log: string[] = [];
    const make = (name: string, release?: (mirror: HmmMirror) => void): HmmMirror => {
      const mirror = new HmmMirror({
        update: (_m, _action, _start, _end, event) => void log.push(`${name} update ${event}`),
        release: (m) => {
          log.push(`${name} release`);
          release?.(m);
        },
      });
      hmmMirrorRegister(mirror, mm);
      return mirror;
    };
    const first = make("first");
    // One release callback invalidates, another one unregisters.
    make("second", () => mm.munmap(addr, PAGE_SIZE));
    const third = make("third", () => hmmMirrorUnregister(third));
    mm.close();
    assert.equal(log, [
      `third update ${MMU_NOTIFY_RELEASE}`,
      "third release",
      `second update ${MMU_NOTIFY_RELEASE}`,
      "second release",
      `first update ${MMU_NOTIFY_UNMAP}`,
      `first update ${MMU_NOTIFY_RELEASE}`,
      "first release",
    ]);
    assert.not(first.registered);
    hmmMirrorUnregister(first);
    hmm.verify();
  });

  test("exit with device pages: released, freed, nothing in use", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const free = hmm.freePages;
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * PAGE_SIZE });
    mm.populate(addr, 8 * PAGE_SIZE);
    assert.is(gpu.toDevice(addr, addr + 8 * PAGE_SIZE).moved, 8);
    mm.close();
    assert.is(gpu.released, 1);
    assert.is(gpu.freed.length, 8);
    assert.is(gpu.devmem.usedPages, 0);
    assert.ok(gpu.table.closed);
    assert.is(hmm.freePages, free);
    hmm.verify();
  });

  test("an exception of release comes out after the mm is closed", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    hmmMirrorRegister(
      new HmmMirror({
        update: () => undefined,
        release: () => {
          throw new Error("stuck");
        },
      }),
      mm,
    );
    assert.is(errorOf(() => mm.close())!.message, "stuck");
    assert.ok(mm.closed);
    assert.equal(hmm.mms(), []);
  });

  test("closing the mm again in the callbacks of its end does nothing", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * PAGE_SIZE });
    mm.populate(addr, 4 * PAGE_SIZE);
    const open: boolean[] = [];
    const again = (): void => {
      mm.close();
      open.push(!mm.closed);
    };
    hmmMirrorRegister(new HmmMirror({ update: again, release: again }), mm);
    new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => (again(), true) });
    mm.close();
    assert.equal(open, [true, true, true]);
    assert.ok(mm.closed);
    assert.equal(hmm.mms(), []);
    hmm.verify();
  });
}).run();
