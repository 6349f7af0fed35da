/** Walks over ranges skip what has no tables: the debug build counts how often they walk down to a leaf. */
import * as assert from "uvu/assert";
import { suite } from "uvu";
import {
  DeviceTable,
  Hmm,
  HmmError,
  type HmmFile,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_REMOVE,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type Mm,
  PAGE_SIZE,
  PROT_READ,
} from "../../../src/index.ts";
import { HDR_DESCENTS, HEADER } from "../../../assembly/abi/header.ts";
import { builds } from "../../util/builds.ts";

const debug = builds.find(([name]) => name === "debug")![1];
const LENGTH = 2 ** 42;
/**
 * One descent for each page of two leaves, some for each GiB: far below the 2^21 leaves that the range could
 * have.
 */
const DESCENTS_MAX = 3 * 512 + 4 * (LENGTH / 2 ** 30);

interface World {
  hmm: Hmm;
  mm: Mm;
  addr: number;
  file: HmmFile | undefined;
  /** Descents since the last call. */
  readonly descents: () => number;
}

/** A mapping of 4 TiB with a page at both ends and a page of zeros between them. */
function world(kind?: "disk" | "shmem"): World {
  const hmm = Hmm.createSync(debug, { systemMemory: 8 << 20, deviceMemory: 0, swap: 1 << 20 });
  const mm = hmm.createMm();
  const words = new DataView(hmm.pfnArray(1).buffer);
  let before = 0;
  const file = kind && hmm.createFile({ kind, bytes: LENGTH });
  const addr = mm.mmap(file ? { length: LENGTH, file } : { length: LENGTH });
  mm.store32(addr, 7);
  mm.load32(addr + LENGTH / 2);
  mm.store32(addr + LENGTH - PAGE_SIZE, 7);
  const descents = (): number => {
    const now = words.getUint32(HEADER + HDR_DESCENTS, true);
    const since = now - before;
    before = now;
    return since;
  };
  descents();
  return { hmm, mm, addr, file, descents };
}

const test = suite("sparse ranges, debug");

/** Runs a call on a world and checks how many descents it took. An HmmError is an answer like any other. */
function count(name: string, call: (world: World) => void, file?: "disk" | "shmem"): void {
  test(name, () => {
    const w = world(file);
    try {
      call(w);
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
    }
    const descents = w.descents();
    assert.ok(descents <= DESCENTS_MAX, `${descents} descents, ${DESCENTS_MAX} allowed`);
    w.hmm.verify();
    w.hmm.close();
  });
}

const ADVICE = {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
};
test("a descent is counted", () => {
  const { mm, addr, descents } = world();
  mm.load32(addr);
  assert.is(descents(), 1);
  mm.mincore(addr, 512 * PAGE_SIZE);
  assert.ok(descents() >= 512);
});

for (const [name, advice] of Object.entries(ADVICE))
  count(name, ({ mm, addr }) => mm.madvise(addr, LENGTH, advice));
count("MADV_WILLNEED after MADV_PAGEOUT", ({ mm, addr }) => {
  mm.madvise(addr, LENGTH, MADV_PAGEOUT);
  mm.madvise(addr, LENGTH, MADV_WILLNEED);
});
count("MADV_UNMERGEABLE of merged pages, and the scans before", ({ hmm, mm, addr }) => {
  mm.madvise(addr, LENGTH, MADV_MERGEABLE);
  hmm.ksmScan(3);
  mm.madvise(addr, LENGTH, MADV_UNMERGEABLE);
});
count("mprotect", ({ mm, addr }) => mm.mprotect(addr, LENGTH, PROT_READ));
count("munmap", ({ mm, addr }) => mm.munmap(addr, LENGTH));
count("fork", ({ mm }) => void mm.fork());
count("close", ({ mm }) => mm.close());
count(
  "mremap to aligned addresses",
  ({ mm, addr }) => void mm.mremap(addr, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, addr - 2 * LENGTH),
);
count(
  "mremap by a page",
  ({ mm, addr }) =>
    void mm.mremap(addr, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, addr - 2 * LENGTH + PAGE_SIZE),
);
for (const kind of ["disk", "shmem"] as const) {
  count(`msync, ${kind}`, ({ mm, addr }) => mm.msync(addr, LENGTH), kind);
  count(`MADV_REMOVE, ${kind}`, ({ mm, addr }) => mm.madvise(addr, LENGTH, MADV_REMOVE), kind);
  count(`a hole, ${kind}`, ({ file }) => file!.punchHole(PAGE_SIZE, LENGTH - PAGE_SIZE), kind);
  count(`truncate, ${kind}`, ({ file }) => file!.truncate(0), kind);
}
count("a device's table", ({ mm, addr }) => {
  const table = new DeviceTable(mm);
  table.protect(addr, addr + LENGTH);
  table.clear(addr, addr + LENGTH);
});

test.run();
