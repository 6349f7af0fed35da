/** Programs of faults: a CPU's on new and on device pages, and a device's on pages that it mirrors. */
import {
  DeviceTable,
  HMM_PFN_REQ_FAULT,
  hmmDevmemAdd,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_SYSTEM,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Mm,
} from "../index.ts";
import {
  closeEngine,
  createEngine,
  expect,
  MIB,
  migrate,
  pagesOf,
  sizeName,
  KIB,
  type Microbenchmark,
  type Work,
} from "./program.ts";

const BYTES = 4 * MIB;
const PAGES = pagesOf(BYTES);
/** Pages of a batch of device faults. */
const BATCH = 256;

/** A mapping that each repetition finds untouched. */
async function untouched(write: (mm: Mm, start: number) => void): Promise<Work> {
  const hmm = await createEngine(BYTES);
  const mm = hmm.createMm();
  let start = 0;
  return {
    units: PAGES,
    bytes: 0,
    prepare() {
      if (start !== 0) mm.munmap(start, BYTES);
      start = mm.mmap({ length: BYTES });
    },
    run: () => write(mm, start),
    check: () => expect("pages of the process", mm.rss.anon, PAGES),
    close: () => closeEngine(hmm),
  };
}

/** A CPU reads a word of each cluster in device memory; the driver brings the cluster back. */
async function faultBack(cluster: number): Promise<Work> {
  const hmm = await createEngine(BYTES);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: BYTES });
  mm.populate(start, BYTES);
  const owner = {};
  const fault = (_: unknown, __: unknown, address: number): number => {
    const from = address - (address % cluster);
    migrate({ mm, start: from, end: from + cluster, to: hmm, owner });
    return 0;
  };
  const devmem = hmmDevmemAdd(hmm, { fault }, owner, BYTES);
  return {
    units: PAGES,
    bytes: BYTES,
    prepare() {
      using _sem = mm.mmapSem.read();
      const select = MIGRATE_VMA_SELECT_SYSTEM;
      const moved = migrate({ mm, start, end: start + BYTES, to: devmem, select, owner });
      expect("pages to the device", moved, PAGES);
    },
    run() {
      for (let at = start; at < start + BYTES; at += cluster) mm.load32(at);
    },
    check: () => expect("pages on the device", devmem.usedPages, 0),
    close: () => closeEngine(hmm),
  };
}

/** A device's driver serves batches of faults on pages that the CPU has, and maps them in its table. */
async function deviceFaults(): Promise<Work> {
  const hmm = await createEngine(BYTES);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: BYTES });
  mm.populate(start, BYTES);
  const table = new DeviceTable(mm);
  const notifier = new MmuIntervalNotifier(mm, start, BYTES, null, { table });
  const pfns = hmm.pfnArray(BATCH);
  const serve = (from: number): void => {
    using _sem = mm.mmapSem.read();
    for (;;) {
      const notifierSeq = notifier.readBegin();
      const end = from + BATCH * PAGE_SIZE;
      hmmRangeFault({ notifier, notifierSeq, start: from, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
      if (notifier.readRetry(notifierSeq)) continue;
      table.map(from, pfns);
      return;
    }
  };
  return {
    units: PAGES,
    bytes: 0,
    prepare: () => void table.clear(start, start + BYTES),
    run() {
      for (let at = start; at < start + BYTES; at += BATCH * PAGE_SIZE) serve(at);
    },
    check: () => expect("entries of the device's table", table.entries, PAGES),
    close: () => closeEngine(hmm),
  };
}

function back(cluster: number): Microbenchmark {
  return {
    name: `fault/back/${sizeName(cluster)}`,
    about: `a CPU reads device memory, and the driver migrates ${sizeName(cluster)} back`,
    unit: "page",
    open: () => faultBack(cluster),
  };
}

export const FAULTS: readonly Microbenchmark[] = [
  {
    name: "fault/populate",
    about: "one call writes to every page of an untouched mapping (MADV_POPULATE_WRITE)",
    unit: "page",
    open: () => untouched((mm, start) => void mm.populate(start, BYTES)),
  },
  {
    name: "fault/store",
    about: "one store to each page of an untouched mapping, one call each",
    unit: "page",
    open: () =>
      untouched((mm, start) => {
        for (let at = start; at < start + BYTES; at += PAGE_SIZE) mm.store32(at, 1);
      }),
  },
  {
    name: "fault/device",
    about: `a device mirrors pages that the CPU has: hmmRangeFault and map, ${BATCH} pages a batch`,
    unit: "page",
    open: deviceFaults,
  },
  back(4 * KIB),
  back(64 * KIB),
];
