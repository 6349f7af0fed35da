/** Interval notifiers, beyond the kernel's own tests: scenarios E13 to E17, and E35. */
import * as assert from "uvu/assert";
import {
  EBUSY,
  HMM_PFN_REQ_FAULT,
  hmmPfnValid,
  hmmRangeFault,
  MADV_DONTNEED,
  migrateVmaSetup,
  MMU_NOTIFY_MIGRATE,
  MmuIntervalNotifier,
  type Mm,
  type MmuNotifierRange,
} from "../../src/index.ts";
import { Beyond, codeOf, filled, P } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

/** Subscribes to n pages from start. */
function subscribe(
  mm: Mm,
  start: number,
  n: number,
  invalidate: (range: MmuNotifierRange) => boolean | void = () => {},
): MmuIntervalNotifier {
  return new MmuIntervalNotifier(mm, start, n * P, { invalidate });
}

function drop(mm: Mm, start: number, n = 1): void {
  mm.madvise(start, n * P, MADV_DONTNEED);
}

scenario(
  "E13 insert: an empty or wrapping interval is EOVERFLOW; during an invalidation insert waits",
  ({ mm }) => {
    const addr = filled(mm, 4);
    for (const length of [0, Infinity]) {
      assert.is(
        codeOf(() => new MmuIntervalNotifier(mm, addr, length, { invalidate: () => {} })),
        "EOVERFLOW",
      );
    }
    let born: MmuIntervalNotifier | undefined;
    let heard = 0;
    const outer = subscribe(mm, addr, 4, () => {
      born = subscribe(mm, addr + P, 1, () => void heard++);
      assert.is(
        codeOf(() => born!.readBegin()),
        "EAGAIN",
        "readBegin would wait for the end of the invalidation",
      );
    });
    drop(mm, addr + P);
    outer.close();
    assert.is(heard, 0);
    const seq = born!.readBegin();
    assert.is(born!.readRetry(seq), false);
    drop(mm, addr + P);
    assert.is(heard, 1);
    assert.is(born!.readRetry(seq), true);
  },
);

scenario("E14 remove during an invalidation: no callback afterwards", ({ mm }) => {
  const addr = filled(mm, 4);
  const heard: string[] = [];
  const older = subscribe(mm, addr, 4, () => void heard.push("older"));
  // The newest subscription hears first.
  const newer = subscribe(mm, addr, 4, () => {
    heard.push("newer");
    older.close();
    older.close();
    assert.is(
      codeOf(() => newer.close()),
      "EBUSY",
      "a callback cannot wait for its own end",
    );
  });
  drop(mm, addr);
  drop(mm, addr + P);
  assert.equal(heard, ["newer", "newer"]);
  newer.close();
  drop(mm, addr + 2 * P);
  assert.equal(heard, ["newer", "newer"]);
});

scenario("E15 nested invalidations: the sequence is even only after the last end", ({ mm }) => {
  const addr = filled(mm, 8);
  const inner = subscribe(mm, addr + 4 * P, 4);
  let between = 0;
  const outer = subscribe(mm, addr, 4, () => {
    between = inner.readBegin();
    assert.is(inner.readRetry(between), false);
    drop(mm, addr + 4 * P);
    // The inner invalidation has ended, the outer one has not.
    assert.is(inner.readRetry(between), true);
    assert.is(
      codeOf(() => inner.readBegin()),
      "EAGAIN",
    );
  });
  const before = outer.readBegin();
  drop(mm, addr);
  for (const [notifier, seq] of [
    [outer, before],
    [inner, between],
  ] as const) {
    assert.is(notifier.readRetry(seq), true);
    const now = notifier.readBegin();
    assert.is(notifier.readRetry(now), false);
  }
});

scenario("E16 read_begin while another subscription is invalidated does not wait", ({ mm }) => {
  const addr = filled(mm, 8);
  const other = subscribe(mm, addr + 4 * P, 4);
  let seq = -1;
  subscribe(mm, addr, 4, () => void (seq = other.readBegin()));
  drop(mm, addr, 4);
  assert.is.not(seq, -1);
  assert.is(other.readRetry(seq), false);
});

scenario("E17 a driver ignores its own MIGRATE event; another driver must retry", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 4);
  const ignoring = (owner: unknown) => (range: MmuNotifierRange) =>
    range.event !== MMU_NOTIFY_MIGRATE || range.owner !== owner;
  const own = subscribe(mm, addr, 4, ignoring(gpu));
  const foreign = subscribe(mm, addr, 4, ignoring({}));
  using _sem = mm.mmapSem.read();
  const pfns = new Uint32Array(4);
  const seqs = [own, foreign].map((notifier) => notifier.readBegin());
  const [start, end] = [addr, addr + 4 * P];
  assert.is(hmmRangeFault({ notifier: own, notifierSeq: seqs[0], start, end, pfns }), 0);
  assert.ok(pfns.every(hmmPfnValid));
  const seen = [...pfns];
  {
    using _m = migrateVmaSetup({ vma: mm.findVma(addr), start, end, owner: gpu });
  }
  assert.equal([own.readRetry(seqs[0]), foreign.readRetry(seqs[1])], [false, true]);
  // The migration was given up, so what the owner has read is still valid.
  assert.is(hmmRangeFault({ notifier: own, notifierSeq: seqs[0], start, end, pfns }), 0);
  assert.equal([...pfns], seen);
  assert.is(hmmRangeFault({ notifier: foreign, notifierSeq: seqs[1], start, end, pfns }), -EBUSY);
  assert.is(hmm.migrations().length, 0);
});

scenario("E35 a stale sequence at entry: -EBUSY before any slot changes", ({ mm }) => {
  const addr = filled(mm, 4);
  const notifier = subscribe(mm, addr, 4);
  using _sem = mm.mmapSem.read();
  const notifierSeq = notifier.readBegin();
  drop(mm, addr + 2 * P);
  const pfns = new Uint32Array(4).fill(0x1234567);
  const { total } = mm.faults;
  const range = { notifier, notifierSeq, start: addr, end: addr + 4 * P, pfns };
  assert.is(hmmRangeFault(range), -EBUSY);
  assert.is(hmmRangeFault({ ...range, defaultFlags: HMM_PFN_REQ_FAULT }), -EBUSY);
  assert.ok(pfns.every((word) => word === 0x1234567));
  assert.is(mm.faults.total, total);
  assert.is(hmmRangeFault({ ...range, notifierSeq: notifier.readBegin() }), 0);
  assert.equal(
    [...pfns].map((word) => hmmPfnValid(word)),
    [true, true, false, true],
  );
});

scenarios.run("beyond: notifiers");
