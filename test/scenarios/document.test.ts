/**
 * Where the HMM document of 2018 and the code of its time disagree: one test for each row of docs/linux.md
 * except D4, D9, D10 and D12 (document-device.test.ts), with what heteromem promises.
 */
import * as assert from "uvu/assert";
import {
  EBUSY,
  EFAULT,
  EINVAL,
  EPERM,
  HMM_PFN_ERROR,
  HMM_UPDATE_INVALIDATE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  hmmPfnValid,
  HmmRange,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  MADV_DONTNEED,
  MIGRATE_PFN_ERROR,
  migrateVmaSetup,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_UNMAP,
  PROT_READ,
  type HmmError,
  type Mm,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import { Beyond, codeOf, entries, entry, filled, P, pfnAt } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

const STALE = 0x1234567;

/** Calls hmmVmaFault over n pages; the caller holds mmapSem. */
function fault(
  mm: Mm,
  addr: number,
  n: number,
  how: { write?: boolean; block?: boolean; range?: HmmRange } = {},
): [answer: number, pfns: Uint32Array] {
  const { write = false, block = true, range = new HmmRange() } = how;
  const pfns = new Uint32Array(n).fill(STALE);
  return [hmmVmaFault(mm.findVma(addr), range, addr, addr + n * P, pfns, write, block), pfns];
}

scenario("D1 two ways to register: one takes mmapSem for write, the other requires it", ({ mm }) => {
  const mirror = new HmmMirror({ update: () => {} });
  const error = errorOf(() => hmmMirrorRegisterLocked(mirror, mm));
  assert.instance(error, TypeError);
  assert.match(error!.message, /mmapSem must be held for write/);
  {
    using _sem = mm.mmapSem.read();
    assert.match(errorOf(() => hmmMirrorRegisterLocked(mirror, mm))!.message, /held for write/);
    assert.is(
      codeOf(() => hmmMirrorRegister(mirror, mm)),
      "EDEADLK",
    );
  }
  {
    using _sem = mm.mmapSem.write();
    assert.is(
      codeOf(() => hmmMirrorRegister(mirror, mm)),
      "EDEADLK",
    );
    assert.not(mirror.registered);
    assert.is(hmmMirrorRegisterLocked(mirror, mm), 0);
    assert.is(mm.mmapSem.mode, "write");
  }
  hmmMirrorUnregister(mirror);
  assert.is(hmmMirrorRegister(mirror, mm), 0);
  assert.is(mm.mmapSem.mode, "free");
});

scenario("D2 the callback may have the code's name or the document's", ({ mm }) => {
  const addr = filled(mm, 1);
  const heard: string[] = [];
  const callback =
    (name: string) =>
    (_mirror: HmmMirror, action: number): void =>
      void heard.push(`${name} ${action}`);
  hmmMirrorRegister(new HmmMirror({ update: callback("update") }), mm);
  hmmMirrorRegister(new HmmMirror({ syncCpuDevicePagetables: callback("sync") }), mm);
  assert.throws(() => hmmMirrorRegister(new HmmMirror({}), mm), TypeError);
  mm.munmap(addr, P);
  assert.equal(heard, [`sync ${HMM_UPDATE_INVALIDATE}`, `update ${HMM_UPDATE_INVALIDATE}`]);
});

scenario(
  "D3 the action tells invalidation from write protection, an extra argument gives the event",
  ({ mm }) => {
    const addr = filled(mm, 4);
    const heard: number[][] = [];
    const update = (_mirror: HmmMirror, action: number, _s: number, _e: number, event: number): void =>
      void heard.push([action, event]);
    hmmMirrorRegister(new HmmMirror({ update }), mm);
    mm.mprotect(addr, P, PROT_READ);
    mm.fork().close();
    mm.madvise(addr, P, MADV_DONTNEED);
    mm.munmap(addr, 4 * P);
    assert.equal(heard, [
      [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_VMA],
      [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_PAGE], // the page that was protected
      [HMM_UPDATE_WRITE_PROTECT, MMU_NOTIFY_PROTECTION_PAGE], // the others
      [HMM_UPDATE_INVALIDATE, MMU_NOTIFY_CLEAR],
      [HMM_UPDATE_INVALIDATE, MMU_NOTIFY_UNMAP],
    ]);
  },
);

scenario("D5 where the kernel drops the lock, the answer is -EBUSY", ({ mm }) => {
  const addr = filled(mm, 2);
  using _sem = mm.mmapSem.read();
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + P, end: addr + 2 * P });
  const range = new HmmRange();
  assert.is(fault(mm, addr, 2, { block: false, range })[0], -EBUSY);
  assert.not(range.tracked);
  assert.is(mm.mmapSem.mode, "read");
  m.finalize();
  const [answer, pfns] = fault(mm, addr, 2, { block: false, range });
  assert.is(answer, 0);
  assert.ok(pfns.every(hmmPfnValid));
  assert.is(hmmVmaRangeDone(mm.findVma(addr), range), true);
});

scenario("D6 block: the lock is never dropped; a call that would wait throws", ({ mm }) => {
  const addr = filled(mm, 2);
  using sem = mm.mmapSem.read("the caller");
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P });
  const range = new HmmRange();
  const error = errorOf(() => fault(mm, addr, 2, { block: true, range })) as HmmError;
  assert.equal([error.code, error.migration, error.address], ["EAGAIN", m.id, addr]);
  assert.equal(mm.mmapSem.holders, ["the caller"]);
  assert.not(range.tracked);
  m.finalize();
  assert.is(fault(mm, addr, 2, { block: true, range })[0], 0);
  hmmVmaRangeDone(mm.findVma(addr), range);
  sem.close();
});

scenario("D7 a failed fault leaves ERROR in its slot and NONE in the slots after it", ({ mm }) => {
  const addr = filled(mm, 4);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + 2 * P, end: addr + 3 * P });
    m.dst[0] = MIGRATE_PFN_ERROR;
    m.pages();
  }
  using _sem = mm.mmapSem.read();
  const [answer, pfns] = fault(mm, addr, 4);
  assert.is(answer, -EFAULT);
  assert.ok(hmmPfnValid(pfns[0]) && hmmPfnValid(pfns[1]));
  assert.equal([...pfns.subarray(2)], [HMM_PFN_ERROR, 0]);
  _sem.close();
  mm.mprotect(addr, 4 * P, PROT_READ);
  using _again = mm.mmapSem.read();
  const [refused, slots] = fault(mm, addr, 2, { write: true });
  assert.is(refused, -EPERM);
  assert.equal([...slots], [HMM_PFN_ERROR, 0]);
});

scenario("D8 without a mirror the calls are -EINVAL", ({ hmm, memcg }) => {
  const mm = hmm.createMm({ memcg });
  const addr = filled(mm, 2);
  const calls = (): number[] => {
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const range = new HmmRange();
    const got = hmmVmaGetPfns(vma, range, addr, addr + P, new Uint32Array(1));
    if (range.tracked) hmmVmaRangeDone(vma, range);
    const [faulted] = fault(mm, addr, 1, { range });
    if (range.tracked) hmmVmaRangeDone(vma, range);
    return [got, faulted];
  };
  assert.equal(calls(), [-EINVAL, -EINVAL]);
  const mirror = new HmmMirror({ update: () => {} });
  hmmMirrorRegister(mirror, mm);
  assert.equal(calls(), [0, 0]);
  hmmMirrorUnregister(mirror);
  assert.equal(calls(), [-EINVAL, -EINVAL]);
});

scenario("D11 the device is told before the CPU's table changes", ({ mm }) => {
  const addr = filled(mm, 4);
  const seen: string[] = [];
  const update = (_mirror: HmmMirror, _action: number, start: number): void =>
    void seen.push(entry(mm, start));
  hmmMirrorRegister(new HmmMirror({ update }), mm);
  const old = pfnAt(mm, addr);
  mm.madvise(addr, P, MADV_DONTNEED);
  mm.mprotect(addr + P, P, PROT_READ);
  const child = mm.fork();
  mm.store32(addr + 2 * P, 1); // a copy: the device must drop the old page first
  {
    using _sem = mm.mmapSem.read();
    using _m = migrateVmaSetup({ vma: mm.findVma(addr + 3 * P), start: addr + 3 * P, end: addr + 4 * P });
  }
  mm.munmap(addr + 3 * P, P);
  assert.equal(seen, [
    "present w", // DONTNEED
    "present w", // mprotect
    "none", // fork, of the first vma: the page that was dropped …
    "present", // … of the protected one
    "present w", // … and of the rest
    "present", // the copy
    "present", // the migration
    "migration", // … its reverse-map walk, which finds the entry replaced
    "present", // munmap
  ]);
  assert.is.not(old, 0);
  assert.equal(entries(child, addr, 4), ["none", "present", "present", "present"]);
});

scenario("D13 unregister undoes register, any number of times", ({ hmm, memcg }) => {
  const mm = hmm.createMm({ memcg });
  const addr = filled(mm, 2);
  let heard = 0;
  const mirrors = [0, 1].map(() => new HmmMirror({ update: () => void heard++ }));
  // Far more times than the table has notifiers.
  const rounds = 2 * hmm.config.capacities.notifiers;
  for (let i = 0; i < rounds; i++) {
    for (const mirror of mirrors) assert.is(hmmMirrorRegister(mirror, mm), 0);
    for (const mirror of i % 2 === 0 ? mirrors : [...mirrors].reverse()) hmmMirrorUnregister(mirror);
  }
  mm.madvise(addr, P, MADV_DONTNEED);
  assert.is(heard, 0);
  assert.is(hmmMirrorRegister(mirrors[0], mm), 0);
  mm.madvise(addr + P, P, MADV_DONTNEED);
  assert.is(heard, 1);
});

scenario("D14 a failed walk returns an error and fills the rest of the slots", ({ mm }) => {
  const addr = filled(mm, 6);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + 2 * P, end: addr + 3 * P });
    m.dst[0] = MIGRATE_PFN_ERROR;
    m.pages();
  }
  using _sem = mm.mmapSem.read();
  const range = new HmmRange();
  const [answer, pfns] = fault(mm, addr, 6, { range });
  assert.is(answer, -EFAULT);
  assert.not(range.tracked);
  assert.equal([...pfns.subarray(2)], [HMM_PFN_ERROR, 0, 0, 0], "no slot keeps what was in it");
  // A snapshot cannot fail this way: the page is absent.
  const slots = new Uint32Array(6).fill(STALE);
  assert.is(hmmVmaGetPfns(mm.findVma(addr), range, addr, addr + 6 * P, slots), 0);
  assert.equal(
    [...slots].map((word) => hmmPfnValid(word)),
    [true, true, false, true, true, true],
  );
  assert.is(slots[2], 0);
  hmmVmaRangeDone(mm.findVma(addr), range);
});

scenario("D15 an invalidated slot is NONE", ({ mm }) => {
  const addr = filled(mm, 3);
  using _sem = mm.mmapSem.read();
  const range = new HmmRange();
  const [answer, pfns] = fault(mm, addr, 3, { range });
  assert.is(answer, 0);
  const before = [...pfns];
  mm.madvise(addr + P, P, MADV_DONTNEED);
  assert.equal([...pfns], [before[0], 0, before[2]], "at once, not only at the end");
  assert.is(hmmVmaRangeDone(mm.findVma(addr), range), false);
  // The same word as for an empty page.
  assert.is(hmmVmaGetPfns(mm.findVma(addr), range, addr, addr + 3 * P, pfns), 0);
  assert.equal([...pfns], [before[0], 0, before[2]]);
  hmmVmaRangeDone(mm.findVma(addr), range);
});

scenario("D16 an invalidation that only touches the ends of a range leaves the range valid", ({ mm }) => {
  const addr = filled(mm, 6);
  using _sem = mm.mmapSem.read();
  const range = new HmmRange();
  assert.is(fault(mm, addr + 2 * P, 2, { range })[0], 0);
  mm.madvise(addr, 2 * P, MADV_DONTNEED);
  mm.madvise(addr + 4 * P, 2 * P, MADV_DONTNEED);
  assert.is(hmmVmaRangeDone(mm.findVma(addr), range), true);
  for (const from of [1, 3]) {
    assert.is(fault(mm, addr + 2 * P, 2, { range })[0], 0);
    mm.madvise(addr + from * P, 2 * P, MADV_DONTNEED);
    assert.is(hmmVmaRangeDone(mm.findVma(addr), range), false, "one page of it is");
  }
});

scenarios.run("the document's promises: mirrors and ranges");
