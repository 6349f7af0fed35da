import {
  migrateVmaSetup,
  PAGE_SIZE,
  type Hmm,
  type HmmConfig,
  type Migration,
  type Mm,
} from "../../src/index.ts";

export interface Capacity {
  name: string;
  config: HmmConfig;
  /**
   * A call that fails sooner or later, called with 0, 1, 2, …; it adds the objects that it opens to `held`.
   */
  use(hmm: Hmm, held: { close(): void }[]): (i: number) => void;
  /** The error's name for the resource that ran out. */
  says: RegExp;
  /** Usage that a failed call may leave until the end, as in Linux. */
  keeps?: readonly string[];
}

/** The first of two splits of a mapping, which has no visible effect. */
export const SPLIT = ["vmas", "anonVmaLinks"];
/** Tables on the way to an entry. */
export const PART = ["pageTables"];

export const few = (capacities: HmmConfig["capacities"]): HmmConfig => ({ capacities });
const FIXED = 0x100032; // private, anonymous, fixed, replacing nothing
export const GIB = 2 ** 30;

/** Written pages that are not neighbors. */
export function place(mm: Mm, addr: number, npages = 1): number {
  return mm.mmap({ length: npages * PAGE_SIZE, addr, flags: FIXED });
}

export function setup(mm: Mm, start: number, end: number): Migration {
  using _sem = mm.mmapSem.read();
  return migrateVmaSetup({ vma: mm.findVma(start), start, end });
}

export function written(hmm: Hmm, npages: number): { mm: Mm; addr: number } {
  const mm = hmm.createMm();
  const addr = place(mm, GIB, npages);
  mm.write(addr, new Uint8Array(npages * PAGE_SIZE).fill(1));
  return { mm, addr };
}
