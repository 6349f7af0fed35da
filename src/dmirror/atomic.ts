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
 * The pages that a mirror has for exclusive access: tags on entries of its device table, which go with the
 * entries. A tagged page belongs to the device alone: a CPU must revoke it before touching it, so several
 * accesses of the device are atomic together.
 */
export class AtomicTags {
  readonly #pages = new Set<number>();

  /**
   * Makes npages pages from addr on exclusive to `owner`, page by page, and enters them in `table`, until one
   * fails. Returns 0; -EFAULT: it cannot be written; -EOPNOTSUPP: it is not anonymous; -EBUSY: it is locked
   * (6.12; 7.3 waits, so that HmmError EAGAIN is thrown); -ENOMEM.
   */
  make(mm: Mm, table: DeviceTable, addr: number, npages: number, owner: unknown): number {
    using _sem = mm.mmapSem.read();
    try {
      let ret = 0;
      for (let i = 0; i < npages && ret === 0; i++)
        ret = this.#makeOne(mm, table, addr + i * PAGE_SIZE, owner);
      return ret;
    } catch (error) {
      if (error instanceof HmmError && error.errno !== EAGAIN) return -error.errno;
      throw error;
    }
  }

  #makeOne(mm: Mm, table: DeviceTable, addr: number, owner: unknown): number {
    using exclusive = makeDeviceExclusive(mm, addr, 1, owner);
    const page = exclusive.pages[0];
    if (page === 0) return (mm.findVma(addr)!.flags & VM_SHARED) !== 0 ? -EOPNOTSUPP : -EBUSY;
    table.map(addr, Uint32Array.of(hmmPfn(page, HMM_PFN_WRITE)));
    this.#pages.add(addr);
    return 0;
  }

  /** Forgets the pages of [start, end), whose entries are gone. */
  drop(start: number, end: number): void {
    for (const addr of this.#pages) if (addr >= start && addr < end) this.#pages.delete(addr);
  }

  /** Returns whether one of the pages of [start, end) is tagged. */
  some(start: number, end: number): boolean {
    for (const addr of this.#pages) if (addr >= start && addr < end) return true;
    return false;
  }
}
