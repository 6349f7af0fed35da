/** Drivers that break the protocol. */
import {
  HMM_PFN_REQ_FAULT,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaRangeDone,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Agent } from "../../src/testing.ts";
import { mapMigrated } from "./agents.ts";
import type { World } from "./world.ts";

/** Trusts what it has read, in entries of its own, and never asks whether it is still true. */
export const skipsRangeDone: Agent<World> = function* ({ mm, gpu, start, end }) {
  yield "fault the range in";
  using _sem = mm.mmapSem.read("gpu");
  const range = new HmmRange({ owner: gpu });
  hmmVmaFault(mm.findVma(start), range, start, end, gpu.pfns, true, true);
  const entries = gpu.pfns.slice();
  yield "map, locked";
  using _lock = gpu.lock.acquire();
  gpu.table.map(start, entries);
};

/**
 * The same with the engine's array: invalidated entries are 0 and stay unmapped, but the range stays tracked.
 */
export const neverEndsTheRange: Agent<World> = function* ({ mm, gpu, start, end }) {
  yield "fault the range in";
  using _sem = mm.mmapSem.read("gpu");
  hmmVmaFault(mm.findVma(start), new HmmRange({ owner: gpu }), start, end, gpu.pfns, true, true);
  yield "map, locked";
  using _lock = gpu.lock.acquire();
  gpu.table.map(start, gpu.pfns);
};

/** Asks before it takes its lock. */
export const checksOutsideItsLock: Agent<World> = function* ({ mm, gpu, start, end }) {
  for (;;) {
    yield "fault the range in";
    using _sem = mm.mmapSem.read("gpu");
    const vma = mm.findVma(start);
    const range = new HmmRange({ owner: gpu });
    if (hmmVmaFault(vma, range, start, end, gpu.pfns, true, true) !== 0) return;
    yield "range done";
    if (!hmmVmaRangeDone(vma, range)) continue;
    yield "map, locked";
    using _lock = gpu.lock.acquire();
    gpu.table.map(start, gpu.pfns);
    return;
  }
};

/** The modern form without read retry. */
export const skipsReadRetry: Agent<World> = function* ({ mm, gpu, start, end }) {
  yield "fault the range in";
  const sem = mm.mmapSem.read("gpu");
  const notifier = gpu.notifier!;
  const notifierSeq = notifier.readBegin();
  const { pfns } = gpu;
  const ret = hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
  sem.close();
  if (ret !== 0) return;
  yield "map, locked";
  using _lock = gpu.lock.acquire();
  gpu.table.map(start, pfns);
};

/** Migrates and forgets to copy the second page. */
export const forgetsACopy: Agent<World> = function* ({ hmm, mm, gpu, start, end }) {
  yield "setup";
  using _sem = mm.mmapSem.read("gpu");
  using m = migrateVmaSetup({ vma: mm.findVma(start), start, end, owner: gpu });
  gpu.devmem.allocPages(m.src, m.dst);
  yield "copy";
  hmm.copyPages(m.src.slice(0, 1), m.dst.slice(0, 1));
  yield "pages, map, finalize";
  m.pages();
  mapMigrated(gpu, m);
};

/** Migrates and never finalizes. */
export const forgetsToFinalize: Agent<World> = function* ({ hmm, mm, gpu, start, end }) {
  yield "migrate";
  using _sem = mm.mmapSem.read("gpu");
  const m = migrateVmaSetup({ vma: mm.findVma(start), start, end, owner: gpu });
  gpu.devmem.allocPages(m.src, m.dst);
  hmm.copyPages(m.src, m.dst);
  m.pages();
  mapMigrated(gpu, m);
};
