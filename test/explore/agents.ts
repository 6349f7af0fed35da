/** Drivers and threads as agents: each yield names the next step. */
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

/** Populates the device's table with the protocol of 2018. */
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

/**
 * Populates the device's table with the modern protocol: mmapSem is free while the driver waits for its lock.
 */
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
 * Migrates to the device, with the copies as a step of their own. Does not map pages that were invalidated
 * since setup: MADV_DONTNEED, which runs with mmapSem held for read, may have dropped them.
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

/** Moves everything in the device's memory to system memory. */
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

/** The device writes a word to each page that its table lets it write. */
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

/** Atomic access: the device has the page exclusively until a CPU touches the page. */
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

/** The CPU writes each of the values to a page. */
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

/** Forks; then the parent and the child both write. */
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

/** Drops memory, which comes back as zeros, with mmapSem held for read. */
export const discard: Agent<World> = function* (w) {
  yield "MADV_DONTNEED";
  w.mm.madvise(w.start, w.end - w.start, MADV_DONTNEED);
  w.values.fill(0);
};

/** Ends the process. */
export const exit: Agent<World> = function* ({ mm, hmm }) {
  yield "exit";
  waitFor(
    hmm.migrations().every((m) => m.vma === null || m.vma.mm !== mm),
    "the end of its migrations",
  );
  mm.close();
};

// ── Agents of the usual world ──

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
