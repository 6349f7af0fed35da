/** Mappings that a driver makes, beyond the kernel's own tests: scenarios E02, E28 and E33. */
import * as assert from "uvu/assert";
import {
  EFAULT,
  EINVAL,
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  hmmPfnToPage,
  hmmPfnValid,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaGetPfns,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  MmuIntervalNotifier,
  type Mm,
} from "../../src/index.ts";
import { Beyond, filled, holds, P, pfnAt, times } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

const STALE = 0x1234567;

const hugetlb = (mm: Mm): number =>
  mm.mmap({ length: 512 * P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB });

scenario("E02 the calls of 2018 on a special mapping: -EINVAL, every slot ERROR, not tracked", ({ mm }) => {
  for (const kind of ["pfn", "mixed", "hugetlb"] as const) {
    for (const flags of [MAP_SHARED, MAP_PRIVATE]) {
      const addr = kind === "hugetlb" ? hugetlb(mm) : mm.mmapSpecial(kind, { length: 4 * P, flags });
      using _sem = mm.mmapSem.read();
      const vma = mm.findVma(addr)!;
      assert.ok(vma.special);
      for (const fault of [false, true]) {
        const range = new HmmRange();
        const pfns = new Uint32Array(4).fill(STALE);
        const call = (end: number): number =>
          fault
            ? hmmVmaFault(vma, range, addr, end, pfns, false, true)
            : hmmVmaGetPfns(vma, range, addr, end, pfns);
        assert.is(call(addr + 3 * P), -EINVAL);
        assert.equal([...pfns], [...times(3, HMM_PFN_ERROR), STALE]);
        assert.not(range.tracked);
      }
      _sem.close();
      mm.munmap(vma.start, vma.end - vma.start);
    }
  }
});

scenario("E33 hugetlb not yet faulted: no slot is valid until one is requested", ({ hmm, mm }) => {
  const addr = hugetlb(mm);
  using notifier = new MmuIntervalNotifier(mm, addr, 512 * P, { invalidate: () => true });
  const pfns = hmm.pfnArray(512);
  const range = (defaultFlags: number): number => {
    using _sem = mm.mmapSem.read();
    const args = { notifier, notifierSeq: notifier.readBegin(), start: addr, end: addr + 512 * P, pfns };
    return hmmRangeFault({ ...args, defaultFlags });
  };
  assert.is(range(0), 0);
  assert.ok(pfns.every((word) => word === 0));
  pfns.fill(0);
  assert.is(range(HMM_PFN_REQ_FAULT), 0);
  assert.ok(pfns.every((word, i) => hmmPfnValid(word) && hmmPfnToPage(word) === hmmPfnToPage(pfns[0]) + i));
  mm.munmap(addr, 512 * P);
});

scenario("E28 memory without pages in the middle of a range", ({ hmm, mm }) => {
  const addr = filled(mm, 9);
  mm.mmapSpecial("pfn", { addr: addr + 3 * P, length: 3 * P, flags: MAP_SHARED | MAP_FIXED });
  using _sem = mm.mmapSem.read();
  const pfns = new Uint32Array(9).fill(STALE);
  const range = { mm, start: addr, end: addr + 9 * P, pfns };
  assert.is(hmmRangeFault(range), 0);
  assert.equal([...pfns.subarray(3, 6)], times(3, HMM_PFN_ERROR));
  for (const i of [0, 1, 2, 6, 7, 8]) {
    assert.is(hmmPfnToPage(pfns[i]), pfnAt(mm, addr + i * P));
    hmm.pageBytes(hmmPfnToPage(pfns[i]), (bytes) => assert.is(bytes[0], i + 1));
  }
  pfns.fill(STALE);
  assert.is(hmmRangeFault({ ...range, defaultFlags: HMM_PFN_REQ_FAULT }), -EFAULT);
  assert.equal([...pfns.subarray(0, 3)].map(hmmPfnValid), times(3, true), "before it: written");
  assert.equal([...pfns.subarray(3)], times(6, STALE), "from it on: what was put in");
  holds(mm, addr, 3);
});

scenarios.run("beyond: special mappings");
