/** Calls that change mappings under a lock that is held: `{ sem }`, and the forms that wait for it. */
import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  MADV_DONTNEED,
  MADV_NOHUGEPAGE,
  migrateVmaSetup,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, rejectionOf, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

/** Every call that changes mappings, on 4 mapped pages at `addr`. */
const CALLS: Record<string, (mm: Mm, addr: number, options: Parameters<Mm["fork"]>[0]) => unknown> = {
  mmap: (mm, _addr, options) => mm.mmap({ length: P, ...options }),
  mmapSpecial: (mm, _addr, options) => mm.mmapSpecial("mixed", { length: P, ...options }),
  mprotect: (mm, addr, options) => mm.mprotect(addr, P, PROT_READ, options),
  madvise: (mm, addr, options) => mm.madvise(addr, P, MADV_NOHUGEPAGE, options),
  dontneed: (mm, addr, options) => mm.madvise(addr, P, MADV_DONTNEED, options),
  populate: (mm, addr, options) => mm.populate(addr + P, P, options),
  mlock: (mm, addr, options) => mm.mlock(addr, P, options),
  munlock: (mm, addr, options) => mm.munlock(addr, P, options),
  uffdRegister: (mm, addr, options) => mm.uffdRegister(addr + 3 * P, P, options),
  uffdUnregister: (mm, addr, options) => mm.uffdUnregister(addr + 3 * P, P, options),
  fork: (mm, _addr, options) => mm.fork(options).close(),
  mremap: (mm, addr, options) => mm.mremap(addr, P, 2 * P, MREMAP_MAYMOVE, 0, options),
  munmap: (mm, addr, options) => mm.munmap(addr, 4 * P, options),
};

onEachBuild("held", (test, module) => {
  test("every call that changes mappings runs under its caller's write guard, and leaves it", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    const sem = mm.mmapSem.write("caller");
    for (const [name, call] of Object.entries(CALLS)) {
      assert.is((errorOf(() => call(mm, addr, {})) as HmmError).code, "EDEADLK", name);
      call(mm, addr, { sem });
      assert.equal(mm.mmapSem.holders, ["caller"], name);
    }
    sem.close();
    assert.is(mm.findVma(addr), null);
    hmm.verify();
  });

  test("a guard that does not hold the lock for write is refused, and nothing happens", () => {
    const hmm = makeHmm(module);
    const [mm, other] = [hmm.createMm(), hmm.createMm()];
    const addr = mm.mmap({ length: 4 * P });
    const closed = mm.mmapSem.write();
    closed.close();
    const wrong: [unknown, RegExp][] = [
      [closed, /sem must be a guard that holds this mm's mmapSem for write, got a closed one/],
      [other.mmapSem.write(), /got another mm's one/],
      [mm.mmapSem.read(), /got a read one/],
      [{}, /got an object/],
      [7, /got 7/],
    ];
    for (const [sem, message] of wrong) {
      const error = errorOf(() => mm.munmap(addr, P, { sem } as never));
      assert.instance(error, TypeError);
      assert.match(error!.message, message);
    }
    assert.instance(
      errorOf(() => mm.munmap(addr, P, null as never)),
      TypeError,
    );
    assert.is(mm.findVma(addr)!.end, addr + 4 * P);
  });

  test("one guard serves one call at a time: a callback cannot change mappings under it", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    mm.write(addr, Uint8Array.of(1));
    const gpu = new TestGpu(mm);
    gpu.toDevice(addr, addr + P);
    const sem = mm.mmapSem.write("caller");
    let refused: Error | undefined;
    gpu.onFault = (vma, address) => {
      refused = errorOf(() => mm.munmap(addr, P, { sem }));
      gpu.toSystem(vma, address, address + P);
    };
    mm.populate(addr, P, { sem });
    assert.is((refused as HmmError).code, "EDEADLK");
    assert.match(refused!.message, /mm\.populate is running under the same guard/);
    mm.munmap(addr, P, { sem });
    sem.close();
    hmm.verify();
  });

  test("the Async forms wait for the lock, in turn", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 8 * P });
    const done: string[] = [];
    const note = async <T>(name: string, promise: Promise<T>): Promise<T> => {
      const result = await promise;
      done.push(name);
      return result;
    };
    const reader = mm.mmapSem.read("driver");
    const all = [
      note("mprotect", mm.mprotectAsync(addr, P, PROT_READ)),
      note("mremap", mm.mremapAsync(addr + 4 * P, P, 2 * P, MREMAP_MAYMOVE)),
      note("fork", mm.forkAsync()),
      note("munmap", mm.munmapAsync(addr + P, P)),
    ] as const;
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(done, []);
    reader.close();
    const [, moved, child] = await Promise.all(all);
    assert.equal(done, ["mprotect", "mremap", "fork", "munmap"]);
    assert.is(mm.findVma(addr)!.end, addr + P);
    assert.is(mm.findVma(addr + P), null);
    assert.is(mm.findVma(moved)!.start, moved);
    assert.is(child.findVma(addr + P)!.start, addr + P);
    assert.is(mm.mmapSem.mode, "free");
    assert.match((await rejectionOf(() => mm.munmapAsync(1, P)))!.message, /mm\.munmapAsync: addr must be/);
    assert.is(mm.mmapSem.mode, "free");
    hmm.verify();
  });

  test("closeAsync waits for the lock and for open migrations", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    mm.write(addr, Uint8Array.of(1));
    const guard = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P });
    assert.is((errorOf(() => mm.close()) as HmmError).code, "EBUSY");
    const closing = mm.closeAsync();
    const late = mm.munmapAsync(addr, P);
    m.close();
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.not(mm.closed);
    guard.close();
    assert.is(await rejectionOf(() => late), undefined);
    await closing;
    assert.ok(mm.closed);
    await mm.closeAsync();
    assert.match((await rejectionOf(() => mm.forkAsync()))!.message, /the mm is closed/);
    hmm.verify();
  });

  test("what waits behind closeAsync finds the mm closed", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    const guard = mm.mmapSem.read();
    const closing = mm.closeAsync();
    const late = mm.munmapAsync(addr, P);
    guard.close();
    assert.match((await rejectionOf(() => late))!.message, /mm\.munmapAsync: the mm is closed/);
    await closing;
    assert.ok(mm.closed);
  });
}).run();
