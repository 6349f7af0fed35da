/**
 * A device on the public API: its memory, and what becomes of pages that the CPU touches. With handle.ts the counterpart
 * of the reference model's Mirror under exact rules (test/util/model/world.ts).
 */
import {
  hmmDevmemAdd,
  hmmVmaAllocLockedPage,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
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
import type { DriverRules } from "../util/model/world.ts";

const MOVES = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

/** Is this word of src a page that is to move, or after pages() one that has? Holes are not. */
export const moves = (word: number): boolean => (word & MOVES) >>> 0 === MOVES;

/** A device with memory of its own. */
export class Device {
  hmm: Hmm;
  devmem: HmmDevmem;
  readonly rules: DriverRules;
  /** What the engine calls. */
  readonly ops: HmmDevmemOps;
  /** Pages that the driver hands out at most. */
  private readonly capacity: number;
  /** Pages in use, those that came first first. */
  private readonly pages = new Set<Page>();

  /** Takes `pages` pages of device memory, of which the driver uses `capacity`. */
  constructor(hmm: Hmm, rules: DriverRules, pages: number, capacity: number, coherent: boolean) {
    this.hmm = hmm;
    this.rules = rules;
    this.capacity = capacity;
    this.ops = {
      fault: (_devmem, vma, address, page) => this.bringBack(vma, address, page),
      free: (_devmem, page) => this.forget(page),
    };
    this.devmem = hmmDevmemAdd(hmm, this.ops, this, pages * PAGE_SIZE, { coherent });
  }

  /** Goes on on an engine that was restored from a snapshot. */
  moveTo(hmm: Hmm): void {
    this.hmm = hmm;
    this.devmem = hmm.devmems().find(({ id }) => id === this.devmem.id)!;
  }

  /** Pages in use, as the engine counts them. */
  get used(): number {
    return this.devmem.usedPages;
  }

  /** Pages in use, as the driver has been told. */
  get known(): number {
    return this.pages.size;
  }

  /** What collects its pages. */
  get select(): number {
    return this.devmem.coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  }

  private forget(page: Page): void {
    if (!this.pages.delete(page)) throw new Error(`page ${page} is freed, which is not in use`);
  }

  /** Destinations in device memory for the candidates of src, as long as there are any. */
  fill(src: Uint32Array, dst: Uint32Array): void {
    if (this.capacity >= this.devmem.npages) this.devmem.allocPages(src, dst);
    else {
      for (let i = 0; i < src.length && this.devmem.usedPages < this.capacity; i++) {
        if ((src[i] & MIGRATE_PFN_MIGRATE) === 0) continue;
        const page = this.devmem.allocPage();
        if (page === 0) break;
        dst[i] = migratePfn(page);
      }
    }
    for (const word of dst) if (word !== 0) this.pages.add(migratePfnToPage(word));
  }

  /** The CPU, or another device, touches a page: it goes to system memory, with what is left of its cluster. */
  private bringBack(vma: Vma, address: number, page: Page): number {
    const size = this.rules.cluster * PAGE_SIZE;
    const from = address - (address % size);
    const start = Math.max(from, vma.start);
    const end = Math.min(from + size, vma.end);
    using m = migrateVmaSetup({ vma, start, end, owner: this, select: this.select, faultPage: page });
    // Of a merged page's addresses the first one in the cluster has the slot.
    const wanted = m.src.findIndex((word) => moves(word) && migratePfnToPage(word) === page);
    if (wanted < 0) throw new Error(`the faulting page ${page} is no candidate`);
    const target = hmmVmaAllocLockedPage(vma, address);
    if (target === 0) return VM_FAULT_OOM;
    m.dst[wanted] = migratePfn(target);
    this.hmm.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }

  /** Every page to system memory, wherever it is mapped; those for which there is none stay. */
  evict(): void {
    const { devmem } = this;
    if (this.rules.evictSingly) for (const page of [...this.pages]) this.evictRange(page, 1);
    else this.evictRange(devmem.pfnFirst, devmem.npages);
  }

  /** The oldest page's way to system memory, up to the point where it is locked and copied; null if none can move. */
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
