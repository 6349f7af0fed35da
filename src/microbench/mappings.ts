/** Programs of changed mappings: mprotect and munmap under mirrors, fork, copy on write, snapshots. */
import {
  DeviceTable,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../index.ts";
import {
  closeEngine,
  createEngine,
  expect,
  MIB,
  pagesOf,
  type Microbenchmark,
  type Work,
} from "./program.ts";

const BYTES = 8 * MIB;
const PAGES = pagesOf(BYTES);

/** A device whose table follows the CPU's through a mirror's callback. */
function mirror(mm: Mm): DeviceTable {
  const table = new DeviceTable(mm);
  const update = (_: unknown, action: number, start: number, end: number): void => {
    if (action === HMM_UPDATE_WRITE_PROTECT) table.protect(start, end);
    else table.clear(start, end);
  };
  hmmMirrorRegister(new HmmMirror({ update }), mm);
  return table;
}

/** A mapping that `count` devices map whole before each repetition. */
async function mirrored(count: number, change: "mprotect" | "munmap"): Promise<Work> {
  const hmm = await createEngine(BYTES);
  const mm = hmm.createMm();
  const tables = Array.from({ length: count }, () => mirror(mm));
  let start = 0;
  const map = (): void => {
    start = mm.mmap({ length: BYTES });
    mm.populate(start, BYTES);
  };
  const mapDevices = (): void => {
    const pfns = Uint32Array.from({ length: PAGES }, (_, i) => {
      const { pfn } = mm.lookupPte(start + i * PAGE_SIZE)!;
      return (HMM_PFN_VALID | HMM_PFN_WRITE | pfn) >>> 0;
    });
    for (const table of tables) table.map(start, pfns);
  };
  map();
  const writable = (address: number): number =>
    tables.filter((table) => (table.lookup(address) & HMM_PFN_WRITE) !== 0).length;
  const unmaps = change === "munmap";
  return {
    units: PAGES,
    bytes: 0,
    prepare() {
      if (unmaps && mm.rss.anon === 0) map();
      if (!unmaps) mm.mprotect(start, BYTES, PROT_READ | PROT_WRITE);
      mapDevices();
    },
    run() {
      if (unmaps) mm.munmap(start, BYTES);
      else mm.mprotect(start, BYTES, PROT_READ);
    },
    check() {
      expect("devices that may write to the first page", writable(start), 0);
      expect("devices that may write to the last page", writable(start + BYTES - PAGE_SIZE), 0);
    },
    close: () => closeEngine(hmm),
  };
}

/** A process with BYTES in pages of its own, and the child of the last repetition. */
async function family(written: boolean): Promise<Work> {
  const hmm = await createEngine(2 * BYTES);
  const parent = hmm.createMm();
  const start = parent.mmap({ length: BYTES });
  parent.populate(start, BYTES);
  let child: Mm | null = null;
  return {
    units: PAGES,
    bytes: written ? BYTES : 0,
    prepare() {
      child?.close();
      parent.populate(start, BYTES); // the pages are its own again, and its entries writable
      child = written ? parent.fork() : null;
    },
    run() {
      if (child === null) child = parent.fork();
      else child.populate(start, BYTES);
    },
    check: () => {
      expect("pages of the child", child!.rss.anon, PAGES);
      const shared = parent.lookupPte(start)!.pfn === child!.lookupPte(start)!.pfn;
      expect("whether the first page is shared", Number(shared), Number(!written));
    },
    close: () => closeEngine(hmm),
  };
}

/** An engine of BYTES whose snapshots go into one array. */
async function snapshots(): Promise<Work> {
  const hmm = await createEngine(BYTES);
  const mm = hmm.createMm();
  mm.populate(mm.mmap({ length: BYTES }), BYTES);
  const into = new Uint8Array(hmm.snapshot().length);
  let length = 0;
  return {
    units: 1,
    bytes: into.length,
    run: () => void ({ length } = hmm.snapshot({ into })),
    check: () => expect("bytes of the snapshot", length, into.length),
    close: () => closeEngine(hmm),
  };
}

function changes(count: number, change: "mprotect" | "munmap"): Microbenchmark {
  const by = count === 1 ? "one device mirrors" : `${count} devices mirror`;
  return {
    name: `${change}/${count}-mirror${count === 1 ? "" : "s"}`,
    about: `${change} of a mapping that ${by}, tables included`,
    unit: "page",
    open: () => mirrored(count, change),
  };
}

export const MAPPINGS: readonly Microbenchmark[] = [
  changes(1, "mprotect"),
  changes(4, "mprotect"),
  changes(1, "munmap"),
  changes(4, "munmap"),
  {
    name: "fork",
    about: "a process is forked: page tables, references and write bits",
    unit: "page",
    open: () => family(false),
  },
  {
    name: "fork/copy-on-write",
    about: "the child of a fork writes to every page, which copies it",
    unit: "page",
    open: () => family(true),
  },
  {
    name: "snapshot",
    about: "a snapshot of an engine of 8 MiB, into an array that was used before",
    unit: "snapshot",
    open: snapshots,
  },
];
