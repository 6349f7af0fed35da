/** Files, shared memory and swap space: scenarios, capacities, and operations whose allocations fail. */
import * as assert from "uvu/assert";
import {
  MADV_DONTNEED,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MADV_UNMERGEABLE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  Memcg,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Hmm,
  type HmmFile,
  type Mm,
} from "../../src/index.ts";
import { errorOf, pattern, TestGpu } from "../util/driver.ts";
import type { Capacity } from "./capacity.ts";
import type { Scenario } from "./scenario.ts";

type Failure = (hmm: Hmm, held: { close(): void }[]) => () => unknown;

const PAGES = 8;
const BYTES = PAGES * PAGE_SIZE;
const SHARED = MAP_SHARED | MAP_ANONYMOUS;

function fileOf(hmm: Hmm, kind: "disk" | "shmem"): HmmFile {
  const file = hmm.createFile({ bytes: BYTES, kind });
  file.write(PAGE_SIZE, pattern(3));
  return file;
}

/** A file that two address spaces map; one of them also maps it privately. */
function shared(
  hmm: Hmm,
  kind: "disk" | "shmem",
): { file: HmmFile; mm: Mm; child: Mm; addr: number; own: number } {
  const file = fileOf(hmm, kind);
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: BYTES, file });
  mm.write(addr, pattern(4, 1));
  const child = mm.fork();
  const own = child.mmap({ length: BYTES, file, flags: MAP_PRIVATE });
  child.write(own + PAGE_SIZE, pattern(3, 2));
  return { file, mm, child, addr, own };
}

function swapped(hmm: Hmm): { mm: Mm; addr: number } {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: BYTES });
  mm.write(addr, pattern(PAGES));
  mm.madvise(addr, BYTES, MADV_PAGEOUT);
  return { mm, addr };
}

export const fileScenarios: Record<string, Scenario> = {
  "files that end before their mappings, and after"(hmm) {
    for (const kind of ["disk", "shmem"] as const) {
      const { file, mm, child } = shared(hmm, kind);
      if (kind === "disk") file.close();
      mm.close();
      child.close();
      file.close();
    }
  },
  "files that are cut and punched while they are mapped"(hmm) {
    for (const kind of ["disk", "shmem"] as const) {
      const { file, mm, child, addr } = shared(hmm, kind);
      new MmuIntervalNotifier(mm, addr, BYTES, { invalidate: () => undefined });
      file.punchHole(PAGE_SIZE, 2 * PAGE_SIZE);
      file.truncate(3 * PAGE_SIZE);
      mm.msync(addr, BYTES);
      assert.match(String(errorOf(() => mm.read(addr + 4 * PAGE_SIZE, 1))), /SIGBUS/);
      file.truncate(0);
      child.close();
      mm.close();
      file.close();
    }
  },
  "shared anonymous memory"(hmm) {
    const mm = hmm.createMm({ memcg: new Memcg() });
    const addr = mm.mmap({ length: BYTES, flags: SHARED });
    mm.write(addr, pattern(4));
    const child = mm.fork();
    child.write(addr + 2 * PAGE_SIZE, pattern(4));
    mm.munmap(addr + PAGE_SIZE, PAGE_SIZE);
    child.madvise(addr, BYTES, MADV_DONTNEED);
    mm.close();
    child.close();
    for (const memcg of hmm.memcgs()) memcg.close();
  },
  "special mappings"(hmm) {
    const mm = hmm.createMm();
    mm.mmapSpecial("mixed", { length: BYTES });
    mm.read(mm.mmapSpecial("pfn", { length: BYTES }), 8);
    mm.fork().close();
    mm.close();
  },
  "swapped pages that come back, are forked, unmapped and left"(hmm) {
    const { mm, addr } = swapped(hmm);
    assert.is(mm.rss.swap, PAGES);
    const child = mm.fork();
    child.read(addr, PAGE_SIZE);
    child.write(addr + PAGE_SIZE, pattern(1));
    mm.munmap(addr + 4 * PAGE_SIZE, PAGE_SIZE);
    mm.close();
    child.madvise(addr, BYTES, MADV_PAGEOUT);
    child.close();
  },
  "more pages than swap space"(hmm) {
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * BYTES });
    mm.write(addr, pattern(4 * PAGES));
    mm.madvise(addr, 4 * BYTES, MADV_PAGEOUT);
    assert.ok(mm.rss.swap > 0 && mm.rss.swap < 4 * PAGES, `${mm.rss.swap} pages are swapped out`);
    assert.equal(mm.read(addr, 4 * BYTES), pattern(4 * PAGES));
    hmm.close();
  },
  "swap space that is switched off"(hmm) {
    const { mm, addr } = swapped(hmm);
    hmm.swapOn = false;
    const gpu = new TestGpu(mm, 2 << 20);
    gpu.toDevice(addr, addr + BYTES);
    assert.equal(mm.read(addr, BYTES), pattern(PAGES));
    mm.close();
    gpu.devmem.close();
  },
};

export const fileCapacities: Capacity[] = [
  {
    name: "files",
    config: { capacities: { files: 3 } },
    use: (hmm) => () => void hmm.createFile(),
    says: /^files \(capacity 3\)/,
  },
  {
    name: "files, by shared memory",
    config: { capacities: { files: 3 } },
    use: (hmm) => {
      const mm = hmm.createMm();
      return () => void mm.mmap({ length: PAGE_SIZE, flags: SHARED });
    },
    says: /^files \(capacity 3\)/,
  },
  {
    name: "system memory, by a file",
    config: { systemMemory: 16 * PAGE_SIZE },
    use: (hmm) => {
      const file = hmm.createFile();
      return (i) => file.write(i * PAGE_SIZE, pattern(1));
    },
    says: /^system memory/,
  },
  {
    name: "page tables, by a file",
    config: { capacities: { pageTables: 8 } },
    use: (hmm) => {
      const file = hmm.createFile();
      return (i) => file.write(i * 2 ** 21, pattern(1));
    },
    says: /^page tables/,
    keeps: ["pageTables"],
  },
];

export const fileFailures: Record<string, Failure> = {
  "a file": (hmm) => () => hmm.createFile({ bytes: BYTES }),
  "writes to a file": (hmm) => {
    const file = hmm.createFile();
    return () => file.write(2 ** 21 - PAGE_SIZE, pattern(3), { memcg: new Memcg() });
  },
  "mappings of a file": (hmm) => {
    const file = fileOf(hmm, "disk");
    const mm = hmm.createMm();
    return () => {
      const addr = mm.mmap({ length: BYTES, file });
      mm.read(addr, BYTES);
      mm.write(addr, pattern(PAGES));
    };
  },
  "private copies of a file": (hmm) => {
    const file = fileOf(hmm, "shmem");
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: BYTES, file, flags: MAP_PRIVATE });
    mm.read(addr, BYTES);
    return () => mm.write(addr, pattern(PAGES));
  },
  "a child of mapped files": (hmm) => {
    const { child } = shared(hmm, "disk");
    return () => child.fork();
  },
  "shared memory": (hmm) => {
    const mm = hmm.createMm();
    return () => mm.write(mm.mmap({ length: BYTES, flags: SHARED }), pattern(PAGES));
  },
  "special mappings": (hmm) => {
    const mm = hmm.createMm();
    return () => mm.read(mm.mmapSpecial("mixed", { length: BYTES }), 8);
  },
  "pages that KSM merges, and breaks up again": (hmm) => {
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: BYTES });
    mm.write(addr, new Uint8Array(BYTES).fill(1));
    mm.madvise(addr, BYTES, MADV_MERGEABLE);
    return () => {
      hmm.ksmScan(3);
      mm.madvise(addr, BYTES, MADV_UNMERGEABLE);
    };
  },
  "pages that are swapped in": (hmm) => {
    const { mm, addr } = swapped(hmm);
    return () => {
      mm.read(addr, PAGE_SIZE);
      mm.write(addr + PAGE_SIZE, pattern(2));
    };
  },
  "a child of swapped pages": (hmm) => {
    const { mm, addr } = swapped(hmm);
    return () => mm.fork().write(addr, pattern(2));
  },
  "swapped pages on their way to a device": (hmm) => {
    const { mm, addr } = swapped(hmm);
    const gpu = new TestGpu(mm, 2 << 20);
    return () => {
      mm.read(addr, 2 * PAGE_SIZE);
      gpu.toDevice(addr, addr + BYTES);
    };
  },
};
