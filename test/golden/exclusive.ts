/** Device-exclusive access of the kernel's test driver (driver.ts). */
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
import { failure, type CommandResult, type DriverRules } from "./command.ts";

/** Tags of a device table's entries for exclusive access, which allow only reads. */
export class ExclusiveTags {
  private readonly pages = new Set<number>();

  has(address: number): boolean {
    return this.pages.has(address);
  }

  /** Removes the tags of [start, end). */
  drop(start: number, end: number): void {
    for (const address of this.pages) if (address >= start && address < end) this.pages.delete(address);
  }

  /** Makes n pages from `start` exclusive and maps them. Returns 0 or a negative errno. */
  lend(mm: Mm, table: DeviceTable, start: number, n: number, rules: DriverRules): number {
    using _sem = mm.mmapSem.read();
    if (rules.exclusiveByPage) return this.lendPages(mm, table, start, n);
    for (let done = 0; done < n; done += rules.piece) {
      const piece = Math.min(rules.piece, n - done);
      if (this.lendPiece(mm, table, start + done * PAGE_SIZE, piece) < piece) return -EBUSY;
    }
    return 0;
  }

  /** Makes pages exclusive one by one, up to the first that cannot be: returns its negative errno. */
  private lendPages(mm: Mm, table: DeviceTable, start: number, n: number): number {
    for (let address = start; address < start + n * PAGE_SIZE; address += PAGE_SIZE) {
      try {
        using exclusive = makeDeviceExclusive(mm, address, 1);
        if (exclusive.pages[0] === 0) return -EBUSY;
        table.map(address, Uint32Array.of(hmmPfn(exclusive.pages[0])));
        this.pages.add(address);
      } catch (error) {
        if (!(error instanceof HmmError)) throw error;
        return -error.errno;
      }
    }
    return 0;
  }

  /** Maps a piece only if all of it was reached. Returns the number of pages mapped. */
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

  /** Returns -EPERM if one of n entries from `start` is exclusive. */
  check(start: number, n: number): CommandResult {
    if (n === 0) return failure(-EINVAL);
    for (let i = 0; i < n; i++) if (this.has(start + i * PAGE_SIZE)) return failure(-EPERM);
    return failure(0);
  }
}
