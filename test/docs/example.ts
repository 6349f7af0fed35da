import { DeviceTable, HMM_PFN_REQ_FAULT, hmmRangeFault, MADV_DONTNEED } from "../../src/index.ts";
import { MmuIntervalNotifier, PAGE_SIZE, type Hmm, type MmuNotifierRange } from "../../src/index.ts";
import { explore, Lock, type Agent } from "../../src/testing.ts";

/** Creates the world of one schedule: a process with a page, and a device that mirrors it. */
export function setup(hmm: Hmm) {
  const mm = hmm.createMm();
  const start = mm.mmap({ length: PAGE_SIZE });
  const table = new DeviceTable(mm);
  const lock = new Lock();
  const invalidate = (range: MmuNotifierRange): void => {
    using _lock = lock.acquire(); // runs inside a CPU's step, which waits while the driver holds the lock
    table.clear(range.start, range.end);
  };
  const notifier = new MmuIntervalNotifier(mm, start, PAGE_SIZE, { invalidate });
  return { mm, start, table, lock, notifier, pfns: hmm.pfnArray(1), value: 0 };
}
export type World = ReturnType<typeof setup>;

/** The driver. It starts over if something has changed before it holds its lock. */
const driver: Agent<World> = function* ({ mm, start, table, lock, notifier, pfns }) {
  for (;;) {
    yield "read begin, and fault the page in";
    const notifierSeq = notifier.readBegin();
    const sem = mm.mmapSem.read("the driver");
    const end = start + PAGE_SIZE;
    const ret = hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
    sem.close();
    if (ret !== 0) return;
    yield "lock, and read retry";
    using _lock = lock.acquire();
    if (notifier.readRetry(notifierSeq)) continue;
    yield "map, and unlock";
    table.map(start, pfns);
    return;
  }
};

/** A thread of the process, on the CPU. */
export const cpu: Agent<World> = function* (w) {
  yield "write 1";
  w.mm.store32(w.start, 1);
  w.value = 1;
  yield "give the page back";
  w.mm.madvise(w.start, PAGE_SIZE, MADV_DONTNEED);
  w.value = 0;
  yield "write 2";
  w.mm.store32(w.start, 2);
  w.value = 2;
};

/** Returns whether the device reads no stale page. */
export function deviceReads({ table, start, value }: World): boolean {
  const bytes = new Uint8Array(4);
  return table.read(start, bytes) < 4 || bytes[0] === value;
}

export const result = explore(
  { driver, cpu },
  { setup, invariants: { "the device reads what was written": deviceReads }, state: ({ value }) => value },
);
// { complete: true, schedules: 12, pruned: 7, states: 71, waits: 7, … }
