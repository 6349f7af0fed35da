/**
 * What the accessed and dirty bits of device tables tell of the pages in a device's memory. The device itself
 * sets them, and other devices that access its memory over links.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { DEVICE_PFN_DIRTY, HMM_PFN_VALID, PFN_MASK } from "../../assembly/uapi/pfn.ts";
import type { PeerDevice } from "../device/peer-counts.ts";
import { roundDown } from "../engine/errors.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import type { DeviceBooks, MovedPages } from "./device-books.ts";
import { bitsIn, type PageRange } from "./page-runs.ts";

export class AccessMarks {
  /** The devices, beside this one, that access its memory. */
  accessors: readonly PeerDevice[] = [];
  readonly #device: PeerDevice;
  readonly #books: DeviceBooks;

  constructor(device: PeerDevice, books: DeviceBooks) {
    this.#device = device;
    this.#books = books;
  }

  /** Whether an entry of a table names the device's memory. */
  isOwn(word: number): boolean {
    const { pfnFirst, pfnEnd } = this.#device.devmem;
    const pfn = word & PFN_MASK;
    return (word & HMM_PFN_VALID) !== 0 && pfn >= pfnFirst && pfn < pfnEnd;
  }

  /** Whether a device has stored to a page of the range that is here, since the page came. */
  isWritten({ start, end }: PageRange): boolean {
    for (let page = start; page < end; page += PAGE_SIZE) if (this.#isWritten(page)) return true;
    return false;
  }

  /** Returns which pages of the range's aligned 64 KiB were stored to so far, a bit each. */
  writtenIn({ start, end }: PageRange): (base: number) => number {
    const pages: number[] = [];
    for (let page = start; page < end; page += PAGE_SIZE) if (this.#isWritten(page)) pages.push(page);
    return (base) => bitsIn(base, pages);
  }

  /** Returns a mover's answers for a range that is about to leave, with what other devices have written. */
  answersFor(range: PageRange, mover: MovedPages): MovedPages {
    if (this.accessors.length === 0) return mover;
    const written = this.writtenIn(range);
    return {
      moved: (base) => mover.moved(base),
      copied: (base) => mover.copied(base),
      written: (base) => mover.written(base) | written(base),
      used: (base) => mover.used(base),
    };
  }

  /** Tells the books which pages of the range that came along with others were used so far. */
  noteUses({ start, end }: PageRange): void {
    const { fates } = this.#books;
    if (!fates.followsUses) return;
    for (let base = roundDown(start, CLUSTER_SIZE); base < end; base += CLUSTER_SIZE) {
      if (fates.unused(base) === 0) continue;
      let bits = accessedIn(this.#device, base);
      for (const accessor of this.accessors) bits |= accessedIn(accessor, base);
      fates.used(base, bits);
    }
  }

  /** The same of all pages that came along. */
  noteAllUses(): void {
    for (const base of this.#books.fates.unusedClusters())
      this.noteUses({ start: base, end: base + CLUSTER_SIZE });
  }

  #isWritten(page: number): boolean {
    const isDirty = ({ table }: PeerDevice): boolean => {
      const word = table.lookup(page);
      return (word & DEVICE_PFN_DIRTY) !== 0 && this.isOwn(word);
    };
    return isDirty(this.#device) || this.accessors.some(isDirty);
  }
}

/** Which pages of the aligned 64 KiB at `base` a device has accessed, a bit each. */
function accessedIn({ table }: PeerDevice, base: number): number {
  const marks = table.accessed(base, CLUSTER_PAGES);
  let bits = 0;
  for (let i = 0; i < CLUSTER_PAGES; i++) bits |= marks[i] << i;
  return bits;
}
