import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  EBUSY,
  EFAULT,
  EINVAL,
  EPERM,
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfn,
  HmmMirror,
  hmmMirrorRegister,
  hmmPfnToPage,
  hmmPfnValid,
  hmmPfnWritable,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  migrateVmaSetup,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;
const bits = (pfns: Uint32Array): string =>
  [...pfns]
    .map((word) =>
      word === HMM_PFN_ERROR ? "E" : !hmmPfnValid(word) ? "-" : hmmPfnWritable(word) ? "w" : "r",
    )
    .join("");

onEachBuild("range", (test, module) => {
  test("get_pfns looks, fault brings pages in; done tells whether the result is still valid", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr + P, pattern(1));
    mm.read(addr + 2 * P, 1);
    for (const pfns of [hmm.pfnArray(4), new Uint32Array(4)]) {
      using _sem = mm.mmapSem.read();
      const vma = mm.findVma(addr)!;
      const range = new HmmRange();
      assert.is(hmmVmaGetPfns(vma, range, addr, addr + 4 * P, pfns), 0);
      assert.ok(range.tracked && range.valid);
      assert.ok(hmmVmaRangeDone(vma, range));
      assert.is(hmmVmaFault(vma, range, addr, addr + 4 * P, pfns, true, false), 0);
      assert.is(bits(pfns), "wwww");
      assert.is(hmmPfnToPage(pfns[1]), mm.lookupPte(addr + P)!.pfn);
      assert.ok(hmmVmaRangeDone(vma, range));
      assert.match(errorOf(() => hmmVmaRangeDone(vma, range))!.message, /not tracked/);
    }
    hmm.verify();
  });

  test("an invalidation inside clears exactly its slots and invalidates the range", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    new TestGpu(mm);
    const addr = mm.mmap({ length: 12 * P });
    mm.populate(addr, 12 * P);
    const snapshot = (from: number, to: number): [HmmRange, Uint32Array] => {
      const pfns = new Uint32Array(to - from);
      const range = new HmmRange();
      assert.is(hmmVmaGetPfns(mm.findVma(addr + from * P), range, addr + from * P, addr + to * P, pfns), 0);
      return [range, pfns];
    };
    const sem = mm.mmapSem.read();
    const [before, beforePfns] = snapshot(0, 3);
    const [middle, middlePfns] = snapshot(2, 8);
    const [other] = snapshot(4, 6);
    const [after] = snapshot(5, 12);
    sem.close();
    mm.madvise(addr + 3 * P, 2 * P, 4);
    assert.equal([before.valid, middle.valid, other.valid, after.valid], [true, false, false, true]);
    assert.is(bits(beforePfns), "www");
    assert.is(bits(middlePfns), "w--www");
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    assert.equal(
      [before, middle, other, after].map((range) => hmmVmaRangeDone(vma, range)),
      [true, false, false, true],
    );
  });

  test("refused calls: the order of the checks and the slots afterwards", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    const pfns = new Uint32Array(6).fill(7);
    const range = new HmmRange();
    assert.match(
      errorOf(() => hmmVmaGetPfns(mm.findVma(addr), range, addr, addr + P, pfns))!.message,
      /mmapSem must be held/,
    );
    let sem = mm.mmapSem.read();
    assert.is(hmmVmaGetPfns(mm.findVma(addr), range, addr, addr + P, pfns), -EINVAL, "no mirror");
    assert.is(hmmVmaGetPfns(null, range, addr, addr + P, pfns), -EINVAL, "no vma");
    sem.close();
    new TestGpu(mm);
    sem = mm.mmapSem.read();
    const vma = mm.findVma(addr)!;
    assert.is(hmmVmaGetPfns(vma, range, addr, addr + 5 * P, pfns), -EINVAL, "crosses the end");
    assert.is(hmmVmaGetPfns(vma, range, addr - P, addr + P, pfns), -EINVAL, "starts before");
    assert.is(hmmVmaGetPfns(vma, range, addr + P, addr + P, pfns), -EINVAL, "empty");
    assert.equal([...pfns], [7, 7, 7, 7, 7, 7]);
    assert.instance(
      errorOf(() => hmmVmaGetPfns(vma, range, addr + 1, addr + P, pfns)),
      RangeError,
    );
    assert.instance(
      errorOf(() => hmmVmaGetPfns(vma, range, addr, addr + 4 * P, new Uint32Array(3))),
      RangeError,
    );
    assert.instance(
      errorOf(() => hmmVmaGetPfns(vma, {} as never, addr, addr + P, pfns)),
      TypeError,
    );
    assert.is(hmmVmaGetPfns(vma, range, addr, addr + P, pfns), 0);
    assert.match(errorOf(() => hmmVmaGetPfns(vma, range, addr, addr + P, pfns))!.message, /tracked already/);
    hmmVmaRangeDone(vma, range);
    sem.close();
    mm.mprotect(addr, 4 * P, PROT_NONE);
    sem = mm.mmapSem.read();
    assert.is(hmmVmaFault(mm.findVma(addr), range, addr, addr + 2 * P, pfns.fill(7), false, false), -EPERM);
    assert.is(bits(pfns.subarray(0, 3)), "---");
    assert.is(pfns[2], 7);
    assert.not(range.tracked);
    sem.close();
  });

  test("a page that fails: ERROR in its slot, nothing after it", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(2));
    mm.mprotect(addr, 4 * P, PROT_READ);
    using _sem = mm.mmapSem.read();
    const pfns = new Uint32Array(4);
    const range = new HmmRange();
    assert.is(hmmVmaFault(mm.findVma(addr), range, addr, addr + 4 * P, pfns, true, false), -EPERM);
    assert.is(bits(pfns), "E---");
    assert.is(hmmVmaFault(mm.findVma(addr), range, addr, addr + 4 * P, pfns, false, false), 0);
    assert.is(bits(pfns), "rrrr");
    hmmVmaRangeDone(mm.findVma(addr), range);
  });

  test("device pages of any owner by default, of the named owner if one is named", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm, 1 << 21);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    gpu.toDevice(addr, addr + 2 * P);
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const pfns = new Uint32Array(2);
    const get = (range: HmmRange): string => {
      assert.is(hmmVmaGetPfns(vma, range, addr, addr + 2 * P, pfns), 0);
      hmmVmaRangeDone(vma, range);
      return bits(pfns);
    };
    assert.is(get(new HmmRange()), "ww");
    assert.ok(hmm.isDevicePage(hmmPfnToPage(pfns[0])));
    assert.is(get(new HmmRange({ owner: gpu })), "ww");
    assert.is(get(new HmmRange({ owner: gpu.devmem })), "ww");
    assert.is(get(new HmmRange({ owner: "another" })), "--");
    assert.is(get(new HmmRange({ owner: null })), "--");
    const fault = new HmmRange();
    assert.is(hmmVmaFault(vma, fault, addr, addr + 2 * P, pfns, false, false), 0);
    hmmVmaRangeDone(vma, fault);
    assert.is(gpu.faults, 0);
    const foreign = new HmmRange({ owner: "another" });
    assert.is(hmmVmaFault(vma, foreign, addr, addr + 2 * P, pfns, false, false), 0);
    assert.ok(hmmVmaRangeDone(vma, foreign));
    assert.is(gpu.faults, 2);
    assert.not(hmm.isDevicePage(hmmPfnToPage(pfns[0])));
  });

  test("if a callback throws, the exception comes out and the range is not tracked", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    let broken = false;
    hmmMirrorRegister(
      new HmmMirror({
        update() {
          if (broken) throw new Error("the driver is broken");
        },
      }),
      mm,
    );
    const addr = mm.mmap({ length: P });
    mm.read(addr, 1);
    const range = new HmmRange();
    const pfns = new Uint32Array(1);
    using _sem = mm.mmapSem.read();
    const fault = (): number => hmmVmaFault(mm.findVma(addr), range, addr, addr + P, pfns, true, false);
    broken = true;
    assert.match(errorOf(fault)!.message, /the driver is broken/);
    assert.not(range.tracked);
    broken = false;
    assert.is(fault(), 0);
    assert.ok(hmmVmaRangeDone(mm.findVma(addr), range));
  });

  test("an open migration: -EBUSY, or with block an error that names the migration", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    new TestGpu(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.populate(addr, 2 * P);
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const pfns = new Uint32Array(2);
    const range = new HmmRange();
    using m = migrateVmaSetup({ vma, start: addr + P, end: addr + 2 * P });
    assert.is(hmmVmaGetPfns(vma, range, addr, addr + 2 * P, pfns), 0);
    assert.is(bits(pfns), "w-");
    hmmVmaRangeDone(vma, range);
    assert.is(hmmVmaFault(vma, range, addr, addr + 2 * P, pfns, false, false), -EBUSY);
    const error = errorOf(() => hmmVmaFault(vma, range, addr, addr + 2 * P, pfns, false, true)) as HmmError;
    assert.is(error.code, "EAGAIN");
    assert.is(error.migration, m.id);
    assert.not(range.tracked);
  });

  test("words that JavaScript's bit operations made are accepted, signed or not", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    const request = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
    assert.ok(request < 0);
    using sem = mm.mmapSem.read();
    for (const [defaultFlags, pfnFlagsMask, slot] of [
      [request, 0, 0],
      [0, request, request],
    ]) {
      const pfns = Uint32Array.of(slot);
      const args = { mm, start: addr, end: addr + PAGE_SIZE, pfns, defaultFlags, pfnFlagsMask };
      assert.is(hmmRangeFault(args), 0);
      assert.ok(hmmPfnWritable(pfns[0]), `flags ${defaultFlags}, mask ${pfnFlagsMask}`);
      assert.is(hmmPfn(hmmPfnToPage(pfns[0]), HMM_PFN_VALID | HMM_PFN_WRITE), pfns[0]);
      assert.is(hmmPfn(hmmPfnToPage(pfns[0]), (HMM_PFN_VALID | HMM_PFN_WRITE) >>> 0), pfns[0]);
    }
    assert.ok(sem.held);
  });

  test("hmmRangeFault: several mappings, holes, a request for each slot", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    mm.munmap(addr + 2 * P, P);
    mm.write(addr, pattern(1));
    using _sem = mm.mmapSem.read();
    const pfns = new Uint32Array(4);
    assert.is(hmmRangeFault({ mm, start: addr, end: addr + 4 * P, pfns }), 0);
    assert.is(bits(pfns), "w-E-");
    const all = { mm, start: addr, end: addr + 4 * P, pfns, defaultFlags: HMM_PFN_REQ_FAULT };
    assert.is(hmmRangeFault(all), -EFAULT);
    pfns.fill(0);
    pfns[3] = (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0;
    pfns[0] = HMM_PFN_REQ_WRITE;
    assert.is(hmmRangeFault({ mm, start: addr, end: addr + 4 * P, pfns, pfnFlagsMask: 0xffffffff }), 0);
    assert.is(bits(pfns), "wrEw");
    assert.instance(
      errorOf(() => hmmRangeFault({ mm, start: addr, end: addr, pfns })),
      RangeError,
    );
    assert.instance(
      errorOf(() => hmmRangeFault({ start: addr, end: addr + P, pfns })),
      TypeError,
    );
  });
}).run();
