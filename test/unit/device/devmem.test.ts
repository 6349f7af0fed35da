import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  hmmDevmemAdd,
  hmmDevmemRemove,
  hmmPfnValid,
  hmmRangeFault,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  migrateVmaSetup,
  PAGE_SIZE,
  REASON_NONE,
  REASON_PINNED,
  REASON_REFERENCED,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  type HmmDevmemOps,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, MIB, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;
const OPS: HmmDevmemOps = { fault: () => VM_FAULT_SIGBUS };

onEachBuild("devmem", (test, module) => {
  test("add gives disjoint ranges until device memory is used up; removed memory is used again", () => {
    const hmm = makeHmm(module);
    const a = hmmDevmemAdd(hmm, OPS, "a", 4 * MIB);
    const b = hmmDevmemAdd(hmm, OPS, "b", 2 * MIB);
    assert.is(a.npages, 1024);
    assert.is(a.freePages, 1024);
    assert.ok(a.pfnEnd <= b.pfnFirst || b.pfnEnd <= a.pfnFirst);
    assert.is(hmm.pageDevmem(a.pfnFirst), a);
    assert.is(hmm.pageDevmem(hmm.zeroPage), null);
    const error = errorOf(() => hmmDevmemAdd(hmm, OPS, "c", 4 * MIB)) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.match(error.detail, /device memory/);
    assert.equal(hmmDevmemRemove(a), { stillInUse: 0 });
    assert.ok(a.removed);
    assert.is(hmmDevmemAdd(hmm, OPS, "c", 4 * MIB).pfnFirst, a.pfnFirst);
    assert.equal(hmmDevmemRemove(null), { stillInUse: 0 });
    assert.instance(
      errorOf(() => hmmDevmemRemove(a)),
      TypeError,
    );
    assert.instance(
      errorOf(() => a.allocPage()),
      TypeError,
    );
    hmm.verify();
  });

  test("bad arguments", () => {
    const hmm = makeHmm(module);
    for (const call of [
      () => hmmDevmemAdd({} as never, OPS, 1, MIB),
      () => hmmDevmemAdd(hmm, {} as never, 1, MIB),
      () => hmmDevmemAdd(hmm, null as never, 1, MIB),
      () => hmmDevmemAdd(hmm, OPS, null, MIB),
      () => hmmDevmemAdd(hmm, { ...OPS, free: 5 as never }, 1, MIB),
    ]) {
      assert.instance(errorOf(call), TypeError);
    }
    assert.instance(
      errorOf(() => hmmDevmemAdd(hmm, OPS, 1, 0)),
      RangeError,
    );
    assert.equal(hmm.devmems(), []);
  });

  test("pages are allocated locked, freed through the driver, and allocated again", () => {
    const hmm = makeHmm(module);
    const freed: number[] = [];
    const devmem = hmmDevmemAdd(hmm, { ...OPS, free: (_d, page) => void freed.push(page) }, 1, 2 * MIB);
    const page = devmem.allocPage();
    assert.ok(page >= devmem.pfnFirst && page < devmem.pfnEnd);
    assert.not(hmm.pageLock(page));
    assert.is(devmem.usedPages, 1);
    hmm.pageGet(page);
    hmm.pageUnlock(page);
    hmm.pagePut(page);
    assert.equal(freed, []);
    hmm.pagePut(page);
    assert.equal(freed, [page]);
    assert.is(devmem.freePages, 512);
    assert.is((errorOf(() => hmm.pageGet(page)) as HmmError).code, "EINVAL");
    hmm.verify();
  });

  test("a device knows every page of its memory, from the first to the last", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm, 2 * MIB);
    const other = new TestGpu(mm, 2 * MIB);
    const end = 2 ** 32;
    const addr = end - 2 * MIB;
    mm.mmap({ length: 2 * MIB, addr, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    mm.write(addr, new Uint8Array(2 * MIB).fill(3));
    assert.is(gpu.toDevice(addr, end).moved, 512);
    assert.is(gpu.devmem.freePages, 0);
    const pfns = new Uint32Array(512);
    const known = (owner: unknown): number => {
      using _sem = mm.mmapSem.read();
      assert.is(hmmRangeFault({ mm, start: addr, end, pfns, owner }), 0);
      return pfns.reduce((n, word) => n + (hmmPfnValid(word) ? 1 : 0), 0);
    };
    assert.is(known(gpu), 512);
    assert.is(known(other), 0);
  });

  test("operations of a driver that serves a fault do not disturb the access that faulted", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    gpu.toDevice(addr + P, addr + 2 * P);
    const other = hmm.createMm();
    const elsewhere = other.mmap({ length: 4 * P });
    gpu.onFault = (vma, address) => {
      other.write(elsewhere, pattern(4, 77));
      assert.equal(other.read(elsewhere, 4 * P), pattern(4, 77));
      return gpu.toSystem(vma, address, address + P).moved === 1 ? 0 : VM_FAULT_OOM;
    };
    assert.equal(mm.read(addr, 4 * P), pattern(4));
    assert.is(gpu.faults, 1);
    gpu.toDevice(addr + P, addr + 2 * P);
    mm.write(addr, pattern(4, 5));
    assert.is(gpu.faults, 2);
    assert.equal(mm.read(addr, 4 * P), pattern(4, 5));
  });

  test("a CPU access brings its page back", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    assert.is(gpu.toDevice(addr, addr + 4 * P).moved, 4);
    hmm.verify();
    assert.is(mm.rss.anon, 4);
    assert.is(mm.load32(addr + P), 0x04030201);
    assert.is(gpu.faults, 1);
    assert.is(gpu.freed.length, 1);
    assert.is(gpu.devmem.usedPages, 3);
    mm.write(addr, Uint8Array.of(9), { kernel: true });
    assert.is(gpu.faults, 2);
    using pin = mm.pin(addr + 2 * P, 2);
    assert.is(gpu.faults, 4);
    assert.not(hmm.isDevicePage(pin.pages[0]));
    assert.equal(mm.read(addr + P, 3 * P), pattern(4).subarray(P));
    assert.is(gpu.table.entries, 0);
    hmm.verify();
  });

  test("failures of the fault callback: SIGBUS, out of memory, an exception, a promise, a loop", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    gpu.toDevice(addr, addr + P);
    const outcome = (): HmmError => errorOf(() => mm.read(addr, 1)) as HmmError;
    gpu.onFault = () => VM_FAULT_SIGBUS;
    assert.is(outcome().code, "EFAULT");
    assert.match(
      outcome().detail,
      /^SIGBUS at 0x[0-9a-f]+: the fault callback of devmem1 answered VM_FAULT_SIGBUS$/,
    );
    gpu.onFault = () => VM_FAULT_SIGSEGV;
    assert.match(outcome().detail, /: the fault callback of devmem1 answered VM_FAULT_SIGSEGV$/);
    gpu.onFault = () => VM_FAULT_OOM;
    assert.is(outcome().code, "ENOMEM");
    assert.match(outcome().detail, /^the fault callback of devmem1 answered VM_FAULT_OOM, at 0x[0-9a-f]+$/);
    const cause = new Error("dma failed");
    gpu.onFault = () => {
      throw cause;
    };
    assert.is(outcome().cause, cause);
    assert.match(outcome().detail, /^SIGBUS at .*: the fault callback of devmem1 threw Error: dma failed$/);
    gpu.onFault = (() => Promise.resolve(0)) as never;
    assert.instance(outcome().cause, TypeError);
    gpu.onFault = () => 0;
    assert.is(outcome().code, "ELOOP");
    assert.is((errorOf(() => mm.fault(addr)) as HmmError).code, "ELOOP");
    hmm.verify();
    gpu.onFault = null;
    assert.is(mm.read(addr, 2)[1], 1);
    assert.is(outcome(), undefined);
    // What a callback did before is not blamed for later failures.
    assert.match((errorOf(() => mm.read(0x20000, 1)) as HmmError).detail, /: no mapping$/);
    hmm.verify();
  });

  test("a driver that touches the faulting page does not hang", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    gpu.toDevice(addr, addr + P);
    gpu.onFault = () => void mm.read(addr, 1);
    const error = errorOf(() => mm.read(addr, 1)) as HmmError;
    assert.is(error.code, "EFAULT");
    assert.is((error.cause as HmmError).code, "EAGAIN");
    assert.match((error.cause as HmmError).detail, /page's lock/);
    hmm.verify();
  });

  test("an access inside a fault callback does not disturb the outer one", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const other = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    const there = other.mmap({ length: 4 * P });
    mm.write(addr, pattern(4, 1));
    gpu.toDevice(addr + 2 * P, addr + 3 * P);
    gpu.onFault = (vma, address) => {
      other.write(there, new Uint8Array(4 * P).fill(0xee));
      other.read(there, 4 * P);
      gpu.toSystem(vma, address, address + P);
      return 0;
    };
    assert.equal(mm.read(addr, 4 * P), pattern(4, 1));
    gpu.toDevice(addr + P, addr + 3 * P);
    mm.write(addr, pattern(4, 2));
    assert.equal(mm.read(addr, 4 * P), pattern(4, 2));
    hmm.verify();
  });

  test("one callback may bring back the neighbors too", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    gpu.toDevice(addr, addr + 8 * P);
    gpu.onFault = (vma) => void gpu.toSystem(vma, vma.start, vma.end);
    assert.is(mm.read(addr + 5 * P, 1)[0], 5);
    assert.is(gpu.faults, 1);
    assert.is(gpu.devmem.usedPages, 0);
    hmm.verify();
  });

  // The faulting page has one reference for the fault. One more may be its driver's until pages(); two are a
  // pin.
  for (const [extra, inSetup, inTheEnd] of [
    [0, REASON_NONE, REASON_NONE],
    [1, REASON_NONE, REASON_REFERENCED],
    [2, REASON_PINNED, REASON_PINNED],
  ]) {
    test(`a faulting page with ${extra} references besides the fault's, and its cluster`, () => {
      const hmm = makeHmm(module);
      const mm = hmm.createMm();
      const gpu = new TestGpu(mm);
      const addr = mm.mmap({ length: 4 * P });
      mm.write(addr, pattern(4));
      gpu.toDevice(addr, addr + 4 * P);
      let held = 0;
      const reasons: number[][] = [];
      gpu.onFault = (vma, _address, page) => {
        held = page;
        for (let i = 0; i < extra; i++) hmm.pageGet(page);
        using m = migrateVmaSetup({ vma, start: addr, end: addr + 4 * P });
        reasons.push([...m.reasons]);
        hmm.allocPages(m.src, m.dst);
        hmm.copyPages(m.src, m.dst);
        m.pages();
        reasons.push([...m.reasons]);
        return inTheEnd === REASON_NONE ? 0 : VM_FAULT_SIGBUS;
      };
      assert.is(errorOf(() => mm.read(addr + P, 1)) === undefined, extra === 0);
      assert.equal(
        reasons,
        [inSetup, inTheEnd].map((reason) => [REASON_NONE, reason, REASON_NONE, REASON_NONE]),
      );
      assert.is(gpu.devmem.usedPages, extra === 0 ? 0 : 1);
      hmm.verify();
      for (let i = 0; i < extra; i++) hmm.pagePut(held);
      gpu.onFault = null;
      assert.equal(mm.read(addr, 4 * P), pattern(4));
      hmm.verify();
    });
  }

  test("remove brings all pages back and reports those that cannot move", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    const child = mm.fork();
    gpu.toDevice(addr, addr + 8 * P);
    const held = hmm.pageDevmem(gpu.table.lookup(addr) & 0x7ffffff);
    assert.is(held, gpu.devmem);
    const page = gpu.table.lookup(addr + 3 * P) & 0x7ffffff;
    hmm.pageGet(page);
    assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 1 });
    assert.is(gpu.devmem.allocPage(), 0);
    hmm.verify();
    hmm.pagePut(page);
    assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 0 });
    assert.equal(mm.read(addr, 8 * P), pattern(8));
    assert.equal(child.read(addr, 8 * P), pattern(8));
    assert.is(gpu.faults, 0);
    hmm.verify();
  });

  test("an exception of free comes out of the call that freed the page", () => {
    const hmm = makeHmm(module);
    const devmem = hmmDevmemAdd(
      hmm,
      {
        ...OPS,
        free: () => {
          throw new Error("bad free");
        },
      },
      1,
      2 * MIB,
    );
    const page = devmem.allocPage();
    assert.is(errorOf(() => hmm.pagePut(page))!.message, "bad free");
    assert.is(devmem.freePages, 512);
    hmm.verify();
  });

  test("free may allocate the page, which is already free", () => {
    const hmm = makeHmm(module);
    let again = 0;
    const devmem = hmmDevmemAdd(hmm, { ...OPS, free: (d) => void (again ||= d.allocPage()) }, 1, 2 * MIB);
    const pages = Array.from({ length: 512 }, () => devmem.allocPage());
    assert.is(devmem.allocPage(), 0);
    hmm.pagePut(pages[7]);
    assert.is(again, pages[7]);
    assert.is(devmem.freePages, 0);
    hmm.verify();
  });
}).run();
