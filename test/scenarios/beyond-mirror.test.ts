/** Mirrors and tracked ranges, beyond the kernel's own tests: scenarios E01 to E11. */
import * as assert from "uvu/assert";
import {
  EINVAL,
  EPERM,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  HmmRange,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  MADV_DONTNEED,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_UNMAP,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import { Beyond, filled, listen, P } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

const STALE = 0x1234567;

/** Tracks n pages from start; the caller holds mmapSem. */
function track(mm: Mm, start: number, n: number): { range: HmmRange; pfns: Uint32Array } {
  const range = new HmmRange();
  const pfns = new Uint32Array(n);
  assert.is(hmmVmaGetPfns(mm.findVma(start), range, start, start + n * P, pfns), 0);
  assert.ok(pfns.every((word) => word !== 0));
  return { range, pfns };
}

scenario("E01 get_pfns without VM_READ: -EPERM, every slot NONE, not tracked", ({ mm }) => {
  const addr = filled(mm, 4);
  for (const prot of [PROT_NONE, PROT_WRITE]) {
    mm.mprotect(addr, 4 * P, prot);
    using _sem = mm.mmapSem.read();
    for (const fault of [false, true]) {
      const range = new HmmRange();
      const pfns = new Uint32Array(4).fill(STALE);
      const vma = mm.findVma(addr);
      const answer = fault
        ? hmmVmaFault(vma, range, addr, addr + 4 * P, pfns, false, true)
        : hmmVmaGetPfns(vma, range, addr, addr + 4 * P, pfns);
      assert.is(answer, -EPERM);
      assert.equal([...pfns], [0, 0, 0, 0]);
      assert.not(range.tracked);
      assert.throws(() => hmmVmaRangeDone(vma, range), /not tracked/);
    }
  }
});

scenario("E03 a range that crosses an end of its mapping: -EINVAL, no slot touched", ({ mm }) => {
  const addr = filled(mm, 8);
  mm.mprotect(addr + 4 * P, 4 * P, PROT_READ);
  using _sem = mm.mmapSem.read();
  const first = mm.findVma(addr)!;
  const second = mm.findVma(addr + 4 * P)!;
  assert.is(first.end, second.start);
  const cases = [
    [first, 0, 5],
    [first, 3, 5],
    [first, 4, 5],
    [second, 3, 5],
    [second, 7, 9],
    [first, 2, 2],
    [first, 3, 2],
  ] as const;
  for (const [vma, from, to] of cases) {
    for (const fault of [false, true]) {
      const range = new HmmRange();
      const pfns = new Uint32Array(8).fill(STALE);
      const [start, end] = [addr + from * P, addr + to * P];
      const answer = fault
        ? hmmVmaFault(vma, range, start, end, pfns, true, true)
        : hmmVmaGetPfns(vma, range, start, end, pfns);
      assert.is(answer, -EINVAL, `${from} to ${to}`);
      assert.ok(
        pfns.every((word) => word === STALE),
        "the slots have changed",
      );
      assert.not(range.tracked);
    }
  }
});

scenario("E04 the middle third is invalidated: those slots are cleared, and done says false", ({ mm }) => {
  const addr = filled(mm, 12);
  using _sem = mm.mmapSem.read();
  const { range, pfns } = track(mm, addr, 12);
  const before = [...pfns];
  mm.madvise(addr + 4 * P, 4 * P, MADV_DONTNEED);
  assert.is(hmmVmaRangeDone(mm.findVma(addr), range), false);
  assert.equal([...pfns], [...before.slice(0, 4), 0, 0, 0, 0, ...before.slice(8)]);
});

scenario("E05 an invalidation that only touches the range's ends leaves it valid", ({ mm }) => {
  const addr = filled(mm, 12);
  using _sem = mm.mmapSem.read();
  const { range, pfns } = track(mm, addr + 4 * P, 4);
  const before = [...pfns];
  mm.madvise(addr, 4 * P, MADV_DONTNEED);
  mm.madvise(addr + 8 * P, 4 * P, MADV_DONTNEED);
  assert.is(range.valid, true);
  assert.is(hmmVmaRangeDone(mm.findVma(addr), range), true);
  assert.equal([...pfns], before);
});

scenario("E06 one event: the two ranges that it overlaps are invalid, the third is not", ({ mm }) => {
  const addr = filled(mm, 12);
  using _sem = mm.mmapSem.read();
  const tracked = [track(mm, addr, 4), track(mm, addr + 2 * P, 5), track(mm, addr + 8 * P, 4)];
  const before = tracked.map(({ pfns }) => [...pfns]);
  mm.madvise(addr + 3 * P, 2 * P, MADV_DONTNEED);
  const vma = mm.findVma(addr);
  assert.equal(
    tracked.map(({ range }) => hmmVmaRangeDone(vma, range)),
    [false, false, true],
  );
  assert.equal(
    tracked.map(({ pfns }) => [...pfns]),
    [[...before[0].slice(0, 3), 0], [before[1][0], 0, 0, ...before[1].slice(3)], before[2]],
  );
});

scenario(
  "E07 two mirrors hear each event once and unclipped; one unregisters and registers again",
  ({ mm }) => {
    const addr = filled(mm, 16);
    const order: string[] = [];
    const a = listen(mm, { onUpdate: () => order.push("a") });
    const b = listen(mm, { onUpdate: () => order.push("b") });
    const unmap = (from: number, n: number): unknown => {
      for (const each of [a, b]) each.heard.length = 0;
      mm.munmap(addr + from * P, n * P);
      return { start: addr + from * P, end: addr + (from + n) * P, event: MMU_NOTIFY_UNMAP };
    };
    const first = unmap(1, 3);
    assert.equal([a.heard, b.heard], [[first], [first]]);
    assert.equal(order, ["b", "a"], "the one that came last hears first");
    hmmMirrorUnregister(b.mirror);
    const second = unmap(5, 2);
    assert.equal([a.heard, b.heard], [[second], []]);
    assert.is(hmmMirrorRegister(b.mirror, mm), 0);
    const third = unmap(8, 4);
    assert.equal([a.heard, b.heard], [[third], [third]]);
    for (const each of [a, b]) hmmMirrorUnregister(each.mirror);
    unmap(13, 1);
    assert.equal([a.heard, b.heard], [[], []]);
    assert.is(hmmMirrorRegister(a.mirror, mm), 0, "after the last one has left, too");
    assert.equal([unmap(14, 1)], a.heard);
  },
);

scenario("E08 register: null is -EINVAL; unregistering twice is harmless", ({ mm }) => {
  const mirror = new HmmMirror({ update: () => {} });
  for (const register of [hmmMirrorRegister, hmmMirrorRegisterLocked]) {
    assert.is(register(null, mm), -EINVAL);
    assert.is(register(mirror, null), -EINVAL);
    assert.is(register(new HmmMirror(null as never), mm), -EINVAL);
  }
  assert.not(mirror.registered);
  hmmMirrorUnregister(mirror);
  assert.is(hmmMirrorRegister(mirror, mm), 0);
  hmmMirrorUnregister(mirror);
  hmmMirrorUnregister(mirror);
  assert.not(mirror.registered);
  assert.is(hmmMirrorRegister(mirror, mm), 0);
});

scenario("E09 the mm goes: each mirror is released once, outside all locks", ({ hmm, memcg }) => {
  const mm = hmm.createMm({ memcg });
  filled(mm, 4);
  const modes: string[] = [];
  const onRelease = (): void => void modes.push(mm.mmapSem.mode);
  const both = [listen(mm, { onRelease }), listen(mm, { onRelease })];
  mm.close();
  assert.equal(modes, ["free", "free"]);
  for (const { mirror, heard, released } of both) {
    assert.is(released, 1);
    assert.equal(
      heard.map(({ event }) => event),
      [MMU_NOTIFY_RELEASE],
      "release is the last call",
    );
    assert.not(mirror.registered);
    hmmMirrorUnregister(mirror);
  }
  mm.close();
  assert.equal(
    both.map(({ released }) => released),
    [1, 1],
  );
});

scenario("E10 a release callback may trigger an invalidation", ({ hmm, memcg }) => {
  const mm = hmm.createMm({ memcg });
  const addr = filled(mm, 4);
  const stays = listen(mm);
  const goes = listen(mm, {
    onRelease: () => {
      mm.madvise(addr + P, P, MADV_DONTNEED);
      assert.is(mm.rss.anon, 3);
    },
  });
  mm.close();
  assert.equal(
    stays.heard.map(({ start, event }) => [event, start]),
    [
      [MMU_NOTIFY_CLEAR, addr + P],
      [MMU_NOTIFY_RELEASE, 0],
    ],
    "the other mirror is still registered",
  );
  assert.equal(
    goes.heard.map(({ event }) => event),
    [MMU_NOTIFY_RELEASE],
  );
  assert.equal([stays.released, goes.released], [1, 1]);
});

scenario("E11 range_done twice is an error, and the other ranges stay tracked", ({ mm }) => {
  const addr = filled(mm, 8);
  using _sem = mm.mmapSem.read();
  const vma = mm.findVma(addr);
  const [first, second, third] = [track(mm, addr, 4), track(mm, addr + 2 * P, 4), track(mm, addr, 8)];
  assert.is(hmmVmaRangeDone(vma, second.range), true);
  const error = errorOf(() => hmmVmaRangeDone(vma, second.range));
  assert.instance(error, TypeError);
  assert.match(error!.message, /not tracked/);
  mm.madvise(addr + 3 * P, P, MADV_DONTNEED);
  assert.is(second.range.valid, true, "it is not told any more");
  assert.is(hmmVmaRangeDone(vma, first.range), false);
  assert.is(hmmVmaRangeDone(vma, third.range), false);
  assert.equal([first.range.tracked, second.range.tracked, third.range.tracked], [false, false, false]);
});

scenarios.run("beyond: mirrors");
