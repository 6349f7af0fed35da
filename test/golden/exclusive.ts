/** Device-exclusive access as the kernel's test driver does it: see driver.ts. */
import {
  EBUSY,
  EINVAL,
  EPERM,
  HmmError,
  hmmPfn,
  makeDeviceExclusive,
  PAGE_SIZE,
  type DeviceTable,
  type Mm,
} from "../../src/index.ts";
import { failure, PIECE, type CommandResult } from "./command.ts";

/** Tags of a device table: the entries that were made for exclusive access. They allow reading alone. */
export class ExclusiveTags {
  private readonly pages = new Set<number>();

  has(address: number): boolean {
    return this.pages.has(address);
  }

  /** The entries of [start, end) are gone. */
  drop(start: number, end: number): void {
    for (const address of this.pages) if (address >= start && address < end) this.pages.delete(address);
  }

  /** Has n pages from `start` lent, a piece at a time, and enters them in the table. 0, or a negative errno. */
  lend(mm: Mm, table: DeviceTable, start: number, n: number): number {
    using _sem = mm.mmapSem.read();
    for (let done = 0; done < n; done += PIECE) {
      const piece = Math.min(PIECE, n - done);
      if (this.lendPiece(mm, table, start + done * PAGE_SIZE, piece) < piece) return -EBUSY;
    }
    return 0;
  }

  /** Nothing of a piece is entered unless all of it was reached. Returns the pages entered. */
  private lendPiece(mm: Mm, table: DeviceTable, start: number, n: number): number {
    let mapped = 0;
    try {
      using exclusive = makeDeviceExclusive(mm, start, n);
      if (exclusive.reached < n) return 0;
      exclusive.pages.forEach((page, i) => {
        if (page === 0) return;
        table.map(start + i * PAGE_SIZE, Uint32Array.of(hmmPfn(page)));
        this.pages.add(start + i * PAGE_SIZE);
        mapped++;
      });
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
    }
    return mapped;
  }

  /** EPERM if one of n entries from `start` on is exclusive. */
  check(start: number, n: number): CommandResult {
    if (n === 0) return failure(-EINVAL);
    for (let i = 0; i < n; i++) if (this.has(start + i * PAGE_SIZE)) return failure(-EPERM);
    return failure(0);
  }
}
