/** The tables of address spaces, used up. */
import {
  DeviceTable,
  hmmPfn,
  MADV_DONTFORK,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
  type Mm,
} from "../../src/index.ts";
import { few, GIB, PART, place, SPLIT, written, type Capacity } from "./capacity.ts";

/**
 * One mapping of many pages, of which every second page is treated differently: each call splits the mapping.
 */
const splitting =
  (split: (mm: Mm, addr: number) => void): Capacity["use"] =>
  (hmm) => {
    const { mm, addr } = written(hmm, 64);
    return (i) => split(mm, addr + (2 * i + 1) * PAGE_SIZE);
  };

export const tables: Capacity[] = [
  {
    name: "address spaces",
    config: few({ mms: 4 }),
    use: (hmm) => () => void hmm.createMm(),
    says: /^address spaces \(capacity 4\)/,
  },
  {
    name: "address spaces, by fork",
    config: few({ mms: 4 }),
    use: (hmm) => {
      const { mm } = written(hmm, 4);
      return () => void mm.fork();
    },
    says: /^address spaces \(capacity 4\)/,
  },
  {
    name: "vmas, by mmap",
    config: few({ vmas: 8 }),
    use: (hmm) => {
      const mm = hmm.createMm();
      return (i) => void place(mm, (i + 1) * GIB);
    },
    says: /^vmas \(capacity 8\)/,
  },
  {
    name: "vmas, by munmap",
    config: few({ vmas: 8 }),
    use: splitting((mm, addr) => mm.munmap(addr, PAGE_SIZE)),
    says: /^vmas \(capacity 8\)/,
    keeps: SPLIT,
  },
  {
    name: "vmas, by mprotect",
    config: few({ vmas: 8 }),
    use: splitting((mm, addr) => mm.mprotect(addr, PAGE_SIZE, PROT_READ)),
    says: /^vmas \(capacity 8\)/,
    keeps: SPLIT,
  },
  {
    name: "vmas, by madvise",
    config: few({ vmas: 8 }),
    use: splitting((mm, addr) => mm.madvise(addr, PAGE_SIZE, MADV_DONTFORK)),
    says: /^vmas \(capacity 8\)/,
    keeps: SPLIT,
  },
  {
    name: "vmas, by mlock",
    config: few({ vmas: 8 }),
    use: splitting((mm, addr) => mm.mlock(addr, PAGE_SIZE)),
    says: /^vmas \(capacity 8\)/,
    keeps: SPLIT,
  },
  {
    name: "vmas, by mremap",
    config: few({ vmas: 8 }),
    use: splitting((mm, addr) => void mm.mremap(addr, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE)),
    says: /^vmas \(capacity 8\)/,
    keeps: SPLIT,
  },
  {
    name: "vmas, by fork",
    config: few({ vmas: 8 }),
    use: (hmm) => {
      const { mm } = written(hmm, 4);
      place(mm, 4 * GIB);
      place(mm, 6 * GIB);
      return () => void mm.fork();
    },
    says: /^vmas \(capacity 8\)/,
  },
  {
    name: "anon_vmas, by a fault",
    config: few({ anonVmas: 4 }),
    use: (hmm) => {
      const mm = hmm.createMm();
      for (let i = 1; i < 10; i++) mm.read(place(mm, i * GIB), 1);
      return (i) => mm.store32((i + 1) * GIB, 1);
    },
    says: /^anon_vmas \(capacity 4\)/,
  },
  {
    name: "anon_vma links, by fork",
    config: few({ anonVmaLinks: 16 }),
    use: (hmm) => {
      let { mm } = written(hmm, 4);
      return () => void (mm = mm.fork());
    },
    says: /^anon_vma links \(capacity 16\)/,
  },
  {
    name: "page tables, by a fault",
    config: few({ pageTables: 12 }),
    use: (hmm) => {
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: 16 * GIB });
      mm.store32(addr, 1);
      return (i) => mm.store32(addr + i * GIB, 1);
    },
    says: /^page tables \(capacity 12\)/,
  },
  {
    name: "page tables, by fork",
    config: few({ pageTables: 12 }),
    use: (hmm) => {
      const { mm } = written(hmm, 4);
      return () => void mm.fork();
    },
    says: /^page tables \(capacity 12\)/,
  },
  {
    name: "page tables, by mremap",
    config: few({ pageTables: 12 }),
    use: (hmm) => {
      const mm = hmm.createMm();
      const addr = place(mm, GIB, (4 * GIB) / PAGE_SIZE);
      for (let at = 0; at < 4; at++) mm.store32(addr + at * GIB, 1);
      return () => void mm.mremap(addr, 4 * GIB, 4 * GIB, MREMAP_MAYMOVE | MREMAP_FIXED, 2 ** 42);
    },
    says: /^page tables \(capacity 12\)/,
  },
  {
    name: "page tables, by device tables",
    config: few({ pageTables: 12 }),
    use: (hmm) => () => void new DeviceTable(hmm),
    says: /^page tables \(capacity 12\)/,
  },
  {
    name: "page tables, by address spaces",
    config: few({ pageTables: 12 }),
    use: (hmm) => () => void hmm.createMm(),
    says: /^page tables \(capacity 12\)/,
  },
  {
    name: "page tables, by a device table's entries",
    config: few({ pageTables: 12 }),
    use: (hmm) => {
      const { mm, addr } = written(hmm, 1);
      const table = new DeviceTable(hmm);
      const pfn = Uint32Array.of(hmmPfn(mm.lookupPte(addr)!.pfn));
      return (i) => void table.map(i * GIB, pfn);
    },
    says: /^page tables \(capacity 12\)/,
    keeps: PART,
  },
];
