/**
 * A device on the public API: its memory, and the faults of CPUs on its pages. With handle.ts it is the
 * counterpart of the reference model's Mirror under exact rules (test/model/world.ts).
 */
import {
  hmmDevmemAdd,
  hmmVmaAllocLockedPage,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  PAGE_SIZE,
  VM_FAULT_OOM,
  type Hmm,
  type HmmDevmem,
  type HmmDevmemOps,
  type Migration,
  type Page,
  type Vma,
} from "../../src/index.ts";
import type { DriverRules } from "../model/driver-rules.ts";

const MOVES = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

/** Whether a word of src is a page that will move or, after pages(), has moved. A hole is not. */
export const moves = (word: number): boolean => (word & MOVES) >>> 0 === MOVES;

/** Pages of a huge page. */
const UNIT = 512;

/** Returns a page as a destination; 0 for no page. */
const word = (page: Page): number => (page === 0 ? 0 : migratePfn(page));

/** Number of pages for which a word of src or dst stands. */
export const unitPages = (of: number): number =>
  of === 0 ? 0 : (of & MIGRATE_PFN_COMPOUND) !== 0 ? UNIT : 1;

/** A device with memory of its own. */
export class Device {
  hmm: Hmm;
  devmem: HmmDevmem;
  readonly rules: DriverRules;
  /** The engine's callbacks. */
  readonly ops: HmmDevmemOps;
  /** Number of pages that the driver hands out at most. */
  private readonly capacity: number;
  /** Pages in use, in order of arrival. */
  private readonly pages = new Set<Page>();

  /** Allocates `pages` pages of device memory, of which the driver uses `capacity`. */
  constructor(hmm: Hmm, rules: DriverRules, pages: number, capacity: number, coherent: boolean) {
    this.hmm = hmm;
    this.rules = rules;
    this.capacity = capacity;
    this.ops = {
      fault: (_devmem, vma, address, page, _flags, order) =>
        order === 0 ? this.bringBack(vma, address, page) : this.bringBackUnit(vma, address, page),
      free: (_devmem, page) => this.forget(page),
    };
    this.devmem = hmmDevmemAdd(hmm, this.ops, this, pages * PAGE_SIZE, { coherent });
  }

  /** Continues on an engine restored from a snapshot. */
  moveTo(hmm: Hmm): void {
    this.hmm = hmm;
    this.devmem = hmm.devmems().find(({ id }) => id === this.devmem.id)!;
  }

  /** Number of pages in use by the engine's count. */
  get used(): number {
    return this.devmem.usedPages;
  }

  /** Number of pages in use by the driver's count. */
  get known(): number {
    return this.pages.size;
  }

  private forget(page: Page): void {
    if (!this.pages.delete(page)) throw new Error(`page ${page} is freed, which is not in use`);
  }

  /** Fills in destinations in device memory for the candidates of src, as far as memory reaches. */
  fill(src: Uint32Array, dst: Uint32Array): void {
    if (this.capacity >= this.devmem.npages && !this.rules.compound) this.devmem.allocPages(src, dst);
    else
      for (let i = 0; i < src.length && this.devmem.usedPages < this.capacity; i++) {
        if ((src[i] & MIGRATE_PFN_MIGRATE) === 0) continue;
        if ((src[i] & MIGRATE_PFN_COMPOUND) !== 0)
          this.fillUnit(src.subarray(i, i + UNIT), dst.subarray(i, i + UNIT));
        else dst[i] = word(this.devmem.allocPage());
      }
    for (const target of dst)
      for (let i = 0; i < unitPages(target); i++) this.pages.add(migratePfnToPage(target) + i);
  }

  /** Fills in a huge page for a huge page, or as many single pages as there are. */
  private fillUnit(src: Uint32Array, dst: Uint32Array): void {
    const { devmem, capacity, rules } = this;
    if (rules.largeDevice && !devmem.coherent && devmem.usedPages + UNIT <= capacity)
      devmem.allocPages(src, dst);
    else for (let i = 0; i < UNIT && devmem.usedPages < capacity; i++) dst[i] = word(devmem.allocPage());
  }

  /** Fills in destinations in system memory, except for holes. */
  fillSystem(src: Uint32Array, dst: Uint32Array): void {
    if (!this.rules.largeRam)
      src.forEach((source, at) => {
        if ((source & MIGRATE_PFN_COMPOUND) === 0 || !moves(source)) return;
        for (let i = at; i < at + UNIT; i++) dst[i] = word(this.hmm.allocPage());
      });
    this.hmm.allocPages(src, dst);
  }

  /** Serves a fault of a CPU or another device on a page of a huge mapping. */
  private bringBackUnit(vma: Vma, address: number, page: Page): number {
    const start = address - (address % (UNIT * PAGE_SIZE));
    const end = start + UNIT * PAGE_SIZE;
    using m = migrateVmaSetup({ vma, start, end, owner: this, select: this.select(false), faultPage: page });
    if (!moves(m.src[0]) || unitPages(m.src[0]) !== UNIT)
      throw new Error(`the huge page of the faulting page ${page} is no candidate`);
    this.fillSystem(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }

  /** Options of a migration that selects system memory's pages or this device's. */
  select(system: boolean): number {
    const own = this.devmem.coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const from = system ? MIGRATE_VMA_SELECT_SYSTEM : own;
    return this.rules.compound ? from | MIGRATE_VMA_SELECT_COMPOUND : from;
  }

  /** Serves a fault on a single page, which goes to system memory with the rest of its cluster. */
  private bringBack(vma: Vma, address: number, page: Page): number {
    const size = this.rules.cluster * PAGE_SIZE;
    const from = address - (address % size);
    const start = Math.max(from, vma.start);
    const end = Math.min(from + size, vma.end);
    using m = migrateVmaSetup({ vma, start, end, owner: this, select: this.select(false), faultPage: page });
    // The first of a merged page's addresses in the cluster has the slot.
    const wanted = m.src.findIndex((word) => moves(word) && migratePfnToPage(word) === page);
    // In 7.3 the first fault on a part of a huge page splits the huge page, and the next one moves the part.
    if (wanted < 0 && this.rules.compound) return 0;
    if (wanted < 0) throw new Error(`the faulting page ${page} is no candidate`);
    const target = hmmVmaAllocLockedPage(vma, address);
    if (target === 0) return VM_FAULT_OOM;
    m.dst[wanted] = migratePfn(target);
    this.hmm.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }

  /** Moves every page to system memory, wherever it is mapped; pages without a destination stay. */
  evict(): void {
    const { devmem } = this;
    if (this.rules.evictSingly) for (const page of [...this.pages]) this.evictRange(page, 1);
    else this.evictRange(devmem.pfnFirst, devmem.npages);
  }

  /** Starts to move the oldest page to system memory, up to the copy. Returns null if no page can move. */
  beginEvict(): Migration | null {
    for (const page of this.pages) {
      const m = migrateDeviceRange(this.devmem, page, 1);
      if (m.cpages === 1) {
        this.hmm.allocPages(m.src, m.dst);
        this.hmm.copyPages(m.src, m.dst);
        return m;
      }
      m.finalize();
    }
    return null;
  }

  private evictRange(first: Page, npages: number): void {
    using m = migrateDeviceRange(this.devmem, first, npages);
    this.hmm.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
  }

  close(): void {
    this.devmem.close();
  }
}
