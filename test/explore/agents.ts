/** Drivers and threads as agents: each yield names the step that comes next. */
import {
  EBUSY,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  hmmPfn,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaRangeDone,
  MADV_DONTNEED,
  makeDeviceExclusive,
  migrateDeviceRange,
  migrateVmaSetup,
  PAGE_SIZE,
  PROT_READ,
  type ExclusivePages,
  type Migration,
} from "../../src/index.ts";
import { waitFor, type Agent } from "../../src/testing.ts";
import type { Gpu, World } from "./world.ts";

export type Steps = Generator<string, void, void>;

/** The 2018 protocol. */
export function* populate({ mm, start, end }: World, gpu: Gpu): Steps {
  for (let mapped = false; !mapped;) {
    yield "fault the range in";
    if (gpu.mirror!.mm === null) return;
    using _sem = mm.mmapSem.read(gpu.name);
    const vma = mm.findVma(start);
    const range = new HmmRange({ owner: gpu });
    if (hmmVmaFault(vma, range, start, end, gpu.pfns, true, true) !== 0) return;
    yield "lock, and range done";
    using _lock = gpu.lock.acquire();
    mapped = hmmVmaRangeDone(vma, range);
    if (!mapped) continue;
    yield "map, and unlock";
    gpu.table.map(start, gpu.pfns);
  }
}

/** The modern one: mmapSem is free while the driver waits for its lock. */
export function* populateModern({ mm, start, end }: World, gpu: Gpu): Steps {
  const notifier = gpu.notifier!;
  const defaultFlags = (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0;
  for (let mapped = false; !mapped;) {
    yield "read begin";
    if (notifier.closed) return;
    const notifierSeq = notifier.readBegin();
    yield "fault the range in";
    if (notifier.closed) return;
    const sem = mm.mmapSem.read(gpu.name);
    const ret = hmmRangeFault({
      notifier,
      notifierSeq,
      start,
      end,
      pfns: gpu.pfns,
      defaultFlags,
      owner: gpu,
    });
    sem.close();
    if (ret === -EBUSY) continue;
    if (ret !== 0) return;
    yield "lock, and read retry";
    if (notifier.closed) return;
    using _lock = gpu.lock.acquire();
    mapped = !notifier.readRetry(notifierSeq);
    if (!mapped) continue;
    yield "map, and unlock";
    gpu.table.map(start, gpu.pfns);
  }
}

/**
 * A migration to the device, its copies a step of their own. What was invalidated since setup (by MADV_DONTNEED, which
 * mmapSem held for read does not keep out) may be gone, and is not mapped.
 */
export function* toDevice({ hmm, mm }: World, gpu: Gpu, start: number, npages: number): Steps {
  yield "setup";
  if (mm.closed) return;
  using _sem = mm.mmapSem.read(`${gpu.name}'s migration`);
  const vma = mm.findVma(start);
  if (vma === null) return;
  using m = migrateVmaSetup({ vma, start, end: start + npages * PAGE_SIZE, owner: gpu });
  const { invalidations } = gpu;
  gpu.devmem.allocPages(m.src, m.dst);
  yield "copy";
  hmm.copyPages(m.src, m.dst);
  yield "pages";
  m.pages();
  yield "map, locked";
  mapMigrated(gpu, m, invalidations);
  yield "finalize";
}

export function mapMigrated(gpu: Gpu, m: Migration, invalidations = gpu.invalidations): void {
  using _lock = gpu.lock.acquire();
  if (gpu.invalidations === invalidations) gpu.table.mapMigrated(m);
}

/** The device's memory is wanted back: everything in it goes to system memory. */
export function* evict({ hmm }: World, gpu: Gpu): Steps {
  yield "evict: setup";
  const { pfnFirst } = gpu.devmem;
  using m = migrateDeviceRange(gpu.devmem, pfnFirst, 16);
  hmm.allocPages(m.src, m.dst);
  yield "evict: copy";
  hmm.copyPages(m.src, m.dst);
  yield "evict: pages";
  m.pages();
  yield "evict: finalize";
}

/** The device writes a word, if its table lets it; what it cannot write it leaves. */
export function* deviceWrite(w: World, gpu: Gpu, value: number, page = 0): Steps {
  yield `the device writes ${value}`;
  if (gpu.table.closed) return;
  using _lock = gpu.lock.acquire();
  const written = gpu.table.write(w.start + page * PAGE_SIZE, new Uint8Array(Uint32Array.of(value).buffer));
  if (written === 4) w.values[page] = value;
}

function borrow({ mm, start }: World, gpu: Gpu): ExclusivePages {
  using _sem = mm.mmapSem.read(gpu.name);
  return makeDeviceExclusive(mm, start, 1, gpu);
}

/** Atomic access: the page is the device's alone until a CPU wants it. */
export function* exclusive(w: World, gpu: Gpu): Steps {
  yield "make exclusive";
  const lent = borrow(w, gpu);
  const { invalidations } = gpu;
  yield "map, locked";
  const lock = gpu.lock.acquire();
  if (lent.pages[0] !== 0 && gpu.invalidations === invalidations)
    gpu.table.map(w.start, Uint32Array.of(hmmPfn(lent.pages[0], HMM_PFN_WRITE)));
  lock.close();
  yield "unlock the pages";
  lent.close();
  yield* deviceWrite(w, gpu, 30);
}

/** The CPU writes to a page, once a value. */
export function* store(w: World, values: number[], page = 0): Steps {
  for (const value of values) {
    yield `write ${value}`;
    if (w.mm.closed || w.mm.findVma(w.start) === null) return;
    w.mm.store32(w.start + page * PAGE_SIZE, value);
    w.values[page] = value;
  }
}

export const munmap: Agent<World> = function* ({ mm, start, end }) {
  yield "munmap";
  mm.munmap(start, end - start);
};

export const protect: Agent<World> = function* ({ mm, start, end }) {
  yield "mprotect, read only";
  mm.mprotect(start, end - start, PROT_READ);
};

/** A fork, and a write of each of the two. */
export const fork: Agent<World> = function* (w) {
  yield "fork";
  w.child = { mm: w.mm.fork(), values: [...w.values] };
  yield "the parent writes";
  w.mm.store32(w.start, 7);
  w.values[0] = 7;
  yield "the child writes";
  w.child.mm.store32(w.start, 8);
  w.child.values[0] = 8;
};

/** Memory is given back and comes again as zeros; mmapSem is held for read only. */
export const discard: Agent<World> = function* (w) {
  yield "MADV_DONTNEED";
  w.mm.madvise(w.start, w.end - w.start, MADV_DONTNEED);
  w.values.fill(0);
};

/** The process ends. */
export const exit: Agent<World> = function* ({ mm, hmm }) {
  yield "exit";
  waitFor(
    hmm.migrations().every((m) => m.vma === null || m.vma.mm !== mm),
    "the end of its migrations",
  );
  mm.close();
};

// ── agents of the usual world ──

export const driver: Agent<World> = (w) => populate(w, w.gpu);
export const modern: Agent<World> = (w) => populateModern(w, w.gpu);
export const migrate: Agent<World> = (w) => toDevice(w, w.gpu, w.start, 2);
export const overlapping: Agent<World> = (w) => toDevice(w, w.other ?? w.gpu, w.start + PAGE_SIZE, 2);
export const reclaim: Agent<World> = (w) => evict(w, w.gpu);
export const lend: Agent<World> = (w) => exclusive(w, w.gpu);
export const write =
  (...values: number[]): Agent<World> =>
  (w) =>
    store(w, values);
