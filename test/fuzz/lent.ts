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
  type Page,
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

  /** Makes n pages exclusive, one piece at a time, and maps them in the device table. 0 or an error. */
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

  /** 7.3: as many pages at a time as can be, up to the first that fails. Returns 0 or its error. */
  private lendSingly(start: number, n: number): number {
    const { mm, device } = this.handle;
    for (let done = 0; done < n;) {
      const at = start + done * PAGE_SIZE;
      try {
        using exclusive = makeDeviceExclusive(mm, at, Math.min(device.rules.piece, n - done), device);
        exclusive.pages.forEach((page, i) => this.map(at + i * PAGE_SIZE, page));
        done += exclusive.reached;
      } catch (error) {
        if (!(error instanceof HmmError)) throw error;
        return -error.errno;
      }
    }
    return 0;
  }

  /** Maps a piece only if all of it was reached. Returns the number of pages mapped. */
  private lendPiece(start: number, n: number): number {
    const { mm, device } = this.handle;
    let entered = 0;
    try {
      using exclusive = makeDeviceExclusive(mm, start, n, device);
      if (exclusive.reached < n) return 0;
      exclusive.pages.forEach((page, i) => {
        if (page === 0) return;
        this.map(start + i * PAGE_SIZE, page);
        entered++;
      });
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
    }
    return entered;
  }

  /** Enters an exclusive page in the device table. */
  private map(address: number, page: Page): void {
    this.handle.table.map(address, Uint32Array.of(hmmPfn(page, HMM_PFN_WRITE)));
    this.pages.add(address);
  }

  /** Returns -EPERM if one of n pages is exclusive to the device. */
  check(start: number, n: number): Reply {
    if (n === 0) return failure(-EINVAL);
    for (let i = 0; i < n; i++) if (this.has(start + i * PAGE_SIZE)) return failure(-EPERM);
    return failure(0);
  }
}
