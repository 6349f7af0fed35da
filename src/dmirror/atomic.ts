import {
  EAGAIN,
  EBUSY,
  EOPNOTSUPP,
  HmmError,
  hmmPfn,
  HMM_PFN_WRITE,
  makeDeviceExclusive,
  PAGE_SIZE,
  VM_SHARED,
  type DeviceTable,
  type Mm,
} from "../index.ts";

/**
 * The pages that a mirror has for exclusive access: tags on entries of its device table, which go when the
 * entries go. A tagged page is the device's alone: no CPU can touch it without revoking it first, so that
 * several accesses of the device to it are one.
 */
export class AtomicTags {
  readonly #pages = new Set<number>();

  /**
   * Has npages pages from addr on lent to `owner`, page by page, and enters them in `table`, until one cannot
   * be. Returns 0; -EFAULT: it cannot be written; -EOPNOTSUPP: no anonymous page; -EBUSY: somebody has it
   * locked; -ENOMEM.
   */
  lend(mm: Mm, table: DeviceTable, addr: number, npages: number, owner: unknown): number {
    using _sem = mm.mmapSem.read();
    try {
      let ret = 0;
      for (let i = 0; i < npages && ret === 0; i++) ret = this.#lend(mm, table, addr + i * PAGE_SIZE, owner);
      return ret;
    } catch (error) {
      if (error instanceof HmmError && error.errno !== EAGAIN) return -error.errno;
      throw error;
    }
  }

  #lend(mm: Mm, table: DeviceTable, addr: number, owner: unknown): number {
    using exclusive = makeDeviceExclusive(mm, addr, 1, owner);
    const page = exclusive.pages[0];
    if (page === 0) return (mm.findVma(addr)!.flags & VM_SHARED) !== 0 ? -EOPNOTSUPP : -EBUSY;
    table.map(addr, Uint32Array.of(hmmPfn(page, HMM_PFN_WRITE)));
    this.#pages.add(addr);
    return 0;
  }

  /** The entries of [start, end) are gone. */
  drop(start: number, end: number): void {
    for (const addr of this.#pages) if (addr >= start && addr < end) this.#pages.delete(addr);
  }

  /** Whether one of the pages of [start, end) is tagged. */
  some(start: number, end: number): boolean {
    for (const addr of this.#pages) if (addr >= start && addr < end) return true;
    return false;
  }
}
