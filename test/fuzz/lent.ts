/** A device file's exclusive access: tags on entries of its device table. */
import {
  EBUSY,
  EINVAL,
  EPERM,
  HMM_PFN_WRITE,
  HmmError,
  hmmPfn,
  makeDeviceExclusive,
  PAGE_SIZE,
} from "../../src/index.ts";
import type { Handle } from "./handle.ts";
import { failure, type Reply } from "./reply.ts";

export class Lent {
  private readonly pages = new Set<number>();

  constructor(private readonly handle: Handle) {}

  has(address: number): boolean {
    return this.pages.has(address);
  }

  /** Removes the tags of [start, end). */
  drop(start: number, end: number): void {
    for (const address of this.pages) if (address >= start && address < end) this.pages.delete(address);
  }

  /** Makes n pages exclusive, one piece at a time, and maps them in the device table. Returns 0 or -EBUSY. */
  lend(start: number, n: number): number {
    const { mm, device } = this.handle;
    const size = device.rules.piece;
    using _sem = mm.mmapSem.read();
    if (mm.hmm.config.linux === "7.3") return this.lendSingly(start, n);
    for (let done = 0; done < n; done += size) {
      const piece = Math.min(size, n - done);
      if (this.lendPiece(start + done * PAGE_SIZE, piece) < piece) return -EBUSY;
    }
    return 0;
  }

  /**
   * 7.3: page by page, as the kernel does. A call for several pages would hold the folio of the first one,
   * so that a write to its other parts copies them.
   */
  private lendSingly(start: number, n: number): number {
    const { mm, table, device } = this.handle;
    for (let at = start; at < start + n * PAGE_SIZE; at += PAGE_SIZE) {
      try {
        using exclusive = makeDeviceExclusive(mm, at, 1, device);
        table.map(at, Uint32Array.of(hmmPfn(exclusive.pages[0], HMM_PFN_WRITE)));
        this.pages.add(at);
      } catch (error) {
        if (!(error instanceof HmmError)) throw error;
        return -error.errno;
      }
    }
    return 0;
  }

  /** Maps a piece only if all of it was reached. Returns the number of pages mapped. */
  private lendPiece(start: number, n: number): number {
    const { mm, table, device } = this.handle;
    let entered = 0;
    try {
      using exclusive = makeDeviceExclusive(mm, start, n, device);
      if (exclusive.reached < n) return 0;
      exclusive.pages.forEach((page, i) => {
        if (page === 0) return;
        table.map(start + i * PAGE_SIZE, Uint32Array.of(hmmPfn(page, HMM_PFN_WRITE)));
        this.pages.add(start + i * PAGE_SIZE);
        entered++;
      });
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
    }
    return entered;
  }

  /** Returns -EPERM if one of n pages is exclusive to the device. */
  check(start: number, n: number): Reply {
    if (n === 0) return failure(-EINVAL);
    for (let i = 0; i < n; i++) if (this.has(start + i * PAGE_SIZE)) return failure(-EPERM);
    return failure(0);
  }
}
