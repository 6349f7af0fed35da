import { migrateVmaSetup, PAGE_SIZE, type Hmm, type Migration, type Mm } from "../../src/index.ts";
import { pattern } from "../util/driver.ts";

export type Scenario = (hmm: Hmm) => void | Promise<void>;

/** Creates an address space with npages written pages. */
export function populated(hmm: Hmm, npages: number): { mm: Mm; addr: number; end: number } {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: npages * PAGE_SIZE });
  mm.write(addr, pattern(npages));
  return { mm, addr, end: addr + npages * PAGE_SIZE };
}

export function setup(mm: Mm, start: number, end: number, owner?: unknown): Migration {
  using _sem = mm.mmapSem.read();
  return migrateVmaSetup({ vma: mm.findVma(start), start, end, owner });
}
