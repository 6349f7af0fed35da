import {
  DeviceTable,
  HmmMirror,
  hmmMirrorRegister,
  HmmRange,
  hmmVmaFault,
  hmmVmaRangeDone,
} from "../../src/index.ts";
import { MADV_DONTNEED, PAGE_SIZE, type Hmm } from "../../src/index.ts";
import { explore, Lock, type Agent } from "../../src/testing.ts";

/** The world, made anew for each schedule: a process with a page, and a device that mirrors it. */
function setup(hmm: Hmm) {
  const mm = hmm.createMm();
  const start = mm.mmap({ length: PAGE_SIZE });
  mm.store32(start, 42);
  const table = new DeviceTable(mm);
  const lock = new Lock();
  const update = (_mirror: HmmMirror, _action: number, from: number, to: number): void => {
    using _lock = lock.acquire(); // in the middle of a CPU's step: while the driver has it, that step waits
    table.clear(from, to);
  };
  hmmMirrorRegister(new HmmMirror({ update }), mm);
  return { hmm, mm, start, end: start + PAGE_SIZE, table, lock, pfns: hmm.pfnArray(1), value: 42 };
}
type World = ReturnType<typeof setup>;

/** The driver: what has changed between its two steps, it reads again. */
const driver: Agent<World> = function* ({ mm, start, end, table, lock, pfns }) {
  for (;;) {
    yield "fault the page in";
    using _sem = mm.mmapSem.read("the driver");
    const vma = mm.findVma(start);
    const range = new HmmRange();
    if (hmmVmaFault(vma, range, start, end, pfns, true, true) !== 0) return;
    yield "check and map";
    using _lock = lock.acquire();
    if (!hmmVmaRangeDone(vma, range)) continue;
    table.map(start, pfns);
    return;
  }
};

/** A thread of the process. */
const cpu: Agent<World> = function* (w) {
  yield "write 43";
  w.mm.store32(w.start, 43);
  w.value = 43;
  yield "give the page back";
  w.mm.madvise(w.start, PAGE_SIZE, MADV_DONTNEED);
  w.value = 0;
  yield "write 44";
  w.mm.store32(w.start, 44);
  w.value = 44;
};

/** The device reads no stale page. */
function deviceReads({ table, start, value }: World): boolean {
  const bytes = new Uint8Array(4);
  return table.read(start, bytes) < 4 || bytes[0] === value;
}

export const result = explore(
  { driver, cpu },
  { setup, invariants: { "the device reads what was written": deviceReads }, state: ({ value }) => value },
);
// { complete: true, schedules: 5, pruned: 11, states: 27, … }
