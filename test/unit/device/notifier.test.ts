import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  EBUSY,
  hmmRangeFault,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_UNMAP,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  type MmuNotifierRange,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, TestGpu } from "../../util/driver.ts";

onEachBuild("notifier", (test, module) => {
  test("hears exactly the events that overlap its interval", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 8 * PAGE_SIZE });
    mm.populate(addr, 8 * PAGE_SIZE);
    const heard: MmuNotifierRange[] = [];
    using _notifier = new MmuIntervalNotifier(mm, addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE, {
      invalidate: (range) => void heard.push(range),
    });
    mm.munmap(addr, 2 * PAGE_SIZE);
    mm.munmap(addr + 4 * PAGE_SIZE, PAGE_SIZE);
    assert.is(heard.length, 0);
    mm.mprotect(addr + 3 * PAGE_SIZE, PAGE_SIZE, PROT_READ);
    mm.munmap(addr + 2 * PAGE_SIZE, 4 * PAGE_SIZE);
    assert.equal(
      heard.map(({ start, end, event, owner }) => [
        (start - addr) / PAGE_SIZE,
        (end - addr) / PAGE_SIZE,
        event,
        owner,
      ]),
      [
        [3, 4, MMU_NOTIFY_PROTECTION_VMA, null],
        [2, 6, MMU_NOTIFY_UNMAP, null],
      ],
    );
    assert.is(heard[0].mm, mm);
  });

  test("hears events on its first and last byte, even as the only subscription", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 8 * PAGE_SIZE });
    const hears = (start: number, length: number): boolean => {
      let heard = false;
      using _notifier = new MmuIntervalNotifier(mm, start, length, { invalidate: () => void (heard = true) });
      mm.munmap(addr + 4 * PAGE_SIZE, PAGE_SIZE);
      mm.mmap({ addr: addr + 4 * PAGE_SIZE, length: PAGE_SIZE });
      return heard;
    };
    assert.ok(hears(addr + PAGE_SIZE, 3 * PAGE_SIZE + 1));
    assert.not(hears(addr + PAGE_SIZE, 3 * PAGE_SIZE));
    assert.ok(hears(addr + 5 * PAGE_SIZE - 1, 2 * PAGE_SIZE));
    assert.not(hears(addr + 5 * PAGE_SIZE, 2 * PAGE_SIZE));
  });

  test("collision and retry", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 4 * PAGE_SIZE });
    mm.populate(addr, 4 * PAGE_SIZE);
    using notifier = new MmuIntervalNotifier(mm, addr, 4 * PAGE_SIZE, { invalidate: () => undefined });
    using other = new MmuIntervalNotifier(mm, addr + 8 * PAGE_SIZE, PAGE_SIZE, {
      invalidate: () => undefined,
    });
    let seq = notifier.readBegin();
    const otherSeq = other.readBegin();
    assert.not(notifier.readRetry(seq));
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    assert.ok(notifier.readRetry(seq));
    assert.not(other.readRetry(otherSeq));
    using pfns = mm.hmm.pfnArray(4);
    using _sem = mm.mmapSem.read();
    const args = { notifier, start: addr, end: addr + 4 * PAGE_SIZE, pfns };
    pfns.fill(7);
    assert.is(hmmRangeFault({ ...args, notifierSeq: seq }), -EBUSY);
    assert.equal([...pfns], [7, 7, 7, 7]);
    seq = notifier.readBegin();
    assert.is(hmmRangeFault({ ...args, notifierSeq: seq }), 0);
    assert.not(notifier.readRetry(seq));
  });

  test("an ignored event does not collide", () => {
    const mm = makeHmm(module).createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.populate(addr, PAGE_SIZE);
    const events: [number, unknown][] = [];
    const ops = (own: unknown): { invalidate(range: MmuNotifierRange): boolean } => ({
      invalidate: (range) => {
        events.push([range.event, range.owner]);
        return !(range.event === MMU_NOTIFY_MIGRATE && range.owner === own);
      },
    });
    using mine = new MmuIntervalNotifier(mm, addr, PAGE_SIZE, ops(gpu));
    using theirs = new MmuIntervalNotifier(mm, addr, PAGE_SIZE, ops("another"));
    const [a, b] = [mine.readBegin(), theirs.readBegin()];
    assert.is(gpu.toDevice(addr, addr + PAGE_SIZE).moved, 1);
    assert.not(mine.readRetry(a));
    assert.ok(theirs.readRetry(b));
    assert.equal(events, [
      [MMU_NOTIFY_MIGRATE, gpu],
      [MMU_NOTIFY_MIGRATE, gpu],
    ]);
  });

  test("a callback cannot wait: readBegin, close and mmapSem for write throw", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    mm.populate(addr, 2 * PAGE_SIZE);
    const codes: string[] = [];
    const notifier = new MmuIntervalNotifier(mm, addr, 2 * PAGE_SIZE, {
      invalidate: () => {
        for (const call of [
          () => notifier.readBegin(),
          () => notifier.close(),
          () => mm.mmap({ length: 1 }),
        ]) {
          codes.push((errorOf(call) as HmmError).code);
        }
        codes.push((errorOf(() => mm.read(addr, 1)) as HmmError).code);
      },
    });
    mm.munmap(addr, PAGE_SIZE);
    assert.equal(codes, ["EAGAIN", "EBUSY", "EDEADLK", "EDEADLK"]);
    notifier.close();
  });

  test("exceptions of callbacks come out after the operation is complete", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    mm.populate(addr, 2 * PAGE_SIZE);
    let calls = 0;
    const bad = (name: string): MmuIntervalNotifier =>
      new MmuIntervalNotifier(mm, addr, 2 * PAGE_SIZE, {
        invalidate: () => {
          calls++;
          throw new Error(name);
        },
      });
    const first = bad("first");
    const seq = first.readBegin();
    assert.is(errorOf(() => mm.munmap(addr, PAGE_SIZE))!.message, "first");
    assert.is(mm.findVma(addr), null);
    assert.ok(first.readRetry(seq));
    bad("second");
    const both = errorOf(() => mm.munmap(addr + PAGE_SIZE, PAGE_SIZE)) as AggregateError;
    assert.instance(both, AggregateError);
    // The most recently registered notifier hears first.
    assert.equal(
      both.errors.map((error: Error) => error.message),
      ["second", "first"],
    );
    assert.is(calls, 3);
    hmm.verify();
  });

  test("bad intervals and the end of the mm", () => {
    const hmm = makeHmm(module, { capacities: { notifiers: 1 } });
    const mm = hmm.createMm();
    const ops = { invalidate: (range: MmuNotifierRange) => void events.push(range.event) };
    const events: number[] = [];
    const make = (start: number, length: number): MmuIntervalNotifier =>
      new MmuIntervalNotifier(mm, start, length, ops);
    assert.is((errorOf(() => make(0x10000, 0)) as HmmError).code, "EOVERFLOW");
    assert.is((errorOf(() => make(0x10000, 2 ** 64)) as HmmError).code, "EOVERFLOW");
    assert.instance(
      errorOf(() => make(-1, 10)),
      RangeError,
    );
    assert.instance(
      errorOf(() => new MmuIntervalNotifier(mm, 0, 1, {} as never)),
      TypeError,
    );
    const notifier = make(0x10000, 2 ** 40);
    assert.match((errorOf(() => make(0, 1)) as HmmError).detail, /notifiers \(capacity 1\)/);
    mm.close();
    assert.equal(events, [MMU_NOTIFY_RELEASE]);
    assert.ok(notifier.closed);
    assert.instance(
      errorOf(() => notifier.readBegin()),
      TypeError,
    );
    notifier.close();
    hmm.verify();
  });

  test("the event of a copy on write comes before the copy", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.write(addr, Uint8Array.of(5));
    const child = mm.fork();
    let seen = -1;
    using _notifier = new MmuIntervalNotifier(child, addr, PAGE_SIZE, {
      invalidate: (range) => {
        assert.is(range.event, MMU_NOTIFY_CLEAR);
        seen = child.read(addr, 1)[0]!;
      },
    });
    child.write(addr, Uint8Array.of(6));
    assert.is(seen, 5);
    hmm.verify();
  });
}).run();
