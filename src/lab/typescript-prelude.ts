/** The head of each program that the lab writes: its driver, on the public API. */
export const PRELUDE = `import {
  DeviceTable,
  Hmm,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  hmmDevmemAdd,
  hmmPfn,
  hmmRangeFault,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  Memcg,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type HmmDevmem,
  type Mm,
  type Vma,
} from "heteromem";
import { Lock } from "heteromem/testing";

/** The bytes of a 32-bit word. */
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** A device with its driver: memory, a lock, and for each process a page table and a notifier. */
class Driver {
  readonly devmem: HmmDevmem;
  readonly lock = new Lock();
  readonly owner: string;
  readonly #frames: number;
  readonly #mirrors = new Map<Mm, { table: DeviceTable; notifier: MmuIntervalNotifier }>();

  constructor(hmm: Hmm, number: number, frames: number) {
    this.owner = \`device\${number}\`;
    this.#frames = frames;
    const fault = (_: HmmDevmem, vma: Vma, addr: number): void => {
      const start = addr - (addr % PAGE_SIZE);
      const m = migrateVmaSetup({ vma, start, end: start + PAGE_SIZE });
      hmm.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      m.pages();
      m.finalize();
    };
    this.devmem = hmmDevmemAdd(hmm, { fault }, this.owner, 2 << 20, { id: this.owner });
  }

  /** Follows a process. */
  mirror(mm: Mm): void {
    const table = new DeviceTable(mm);
    const invalidate = ({ start, end }: { start: number; end: number }): void => {
      const lock = this.lock.acquire();
      table.clear(start, end);
      lock.close();
    };
    this.#mirrors.set(mm, { table, notifier: new MmuIntervalNotifier(mm, 0, 2 ** 48, { invalidate }) });
  }

  table(mm: Mm): DeviceTable {
    return this.#mirrors.get(mm)!.table;
  }

  notifier(mm: Mm): MmuIntervalNotifier {
    return this.#mirrors.get(mm)!.notifier;
  }

  /** Faults pages in for the device. */
  rangeFault(mm: Mm, notifierSeq: number, start: number, pfns: Uint32Array, write: boolean): number {
    const sem = mm.mmapSem.read();
    const defaultFlags = (write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT) >>> 0;
    const end = start + pfns.length * PAGE_SIZE;
    const notifier = this.notifier(mm);
    const ret = hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags, owner: this.owner });
    sem.close();
    return ret;
  }

  /** Allocates a frame for each candidate, as long as there are some. */
  allocPages(src: Uint32Array, dst: Uint32Array): void {
    src.forEach((word, i) => {
      if ((word & MIGRATE_PFN_MIGRATE) === 0 || this.devmem.usedPages >= this.#frames) return;
      dst[i] = migratePfn(this.devmem.allocPage());
    });
  }

  /** Makes pages exclusive to the device. */
  exclusive(mm: Mm, start: number, npages: number): void {
    const sem = mm.mmapSem.read();
    const lent = makeDeviceExclusive(mm, start, npages, this.owner);
    const words = Uint32Array.from(lent.pages, (page) => (page === 0 ? 0 : hmmPfn(page, HMM_PFN_WRITE)));
    this.table(mm).map(start, words);
    lent.close();
    sem.close();
  }
}
`;

/** The head of a program whose driver only notes what it is told. */
export const LATE_PRELUDE = PRELUDE.replace(
  /const invalidate = [^]*?\n {4}};/,
  `const invalidate = ({ start, end }: { start: number; end: number }): void => {
      this.#late.push(() => table.clear(start, end)); // the bug: the device may still use the range
    };`,
)
  .replace(
    "  readonly #mirrors",
    `  #late: (() => number)[] = [];
  readonly #mirrors`,
  )
  .replace(
    "  table(mm: Mm)",
    `  /** Drops what was noted. */
  settleLate(): void {
    for (const drop of this.#late) drop();
    this.#late = [];
  }

  table(mm: Mm)`,
  );
