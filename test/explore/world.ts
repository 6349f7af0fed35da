/** The world of the explorer's agents: a process with some memory, and a device that mirrors it. */
import { PTE_KIND_MASK, PTE_KIND_MIGRATION } from "../../assembly/uapi/pte.ts";
import {
  DeviceTable,
  HMM_UPDATE_INVALIDATE,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  hmmPfnToPage,
  hmmPfnValid,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migratePfnToPage,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Hmm,
  type HmmDevmem,
  type Mm,
  type MmuNotifierRange,
  type Page,
  type PfnArray,
  type Vma,
} from "../../src/index.ts";
import { Lock } from "../../src/testing.ts";

/**
 * A driver with the lock that the protocol requires: its callback and all code that changes the table take
 * it.
 */
export class Gpu {
  readonly name: string;
  readonly mm: Mm;
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
  readonly lock: Lock;
  readonly pfns: PfnArray;
  /** Calls of the callback so far. */
  invalidations = 0;
  readonly mirror: HmmMirror | null;
  readonly notifier: MmuIntervalNotifier | null;

  /** @param generation the interface: the mirror of 2018 or the modern notifier */
  constructor(mm: Mm, npages: number, generation: 2018 | 2020 = 2018, name = "gpu") {
    const { hmm } = mm;
    this.name = name;
    this.mm = mm;
    this.table = new DeviceTable(mm);
    this.lock = new Lock(`${name}'s lock`);
    this.pfns = hmm.pfnArray(npages);
    const update = (_mirror: HmmMirror, action: number, start: number, end: number): void =>
      this.#invalidate(action === HMM_UPDATE_INVALIDATE, start, end);
    const release = (): void => this.#invalidate(true, 0, 2 ** 48);
    const invalidate = (range: MmuNotifierRange): void => this.#invalidate(true, range.start, range.end);
    this.mirror = generation === 2018 ? new HmmMirror({ update, release }) : null;
    if (this.mirror !== null) hmmMirrorRegister(this.mirror, mm);
    this.notifier = generation === 2018 ? null : new MmuIntervalNotifier(mm, 0, 2 ** 48, { invalidate });
    const fault = (_devmem: HmmDevmem, vma: Vma, address: number): number => this.#toSystem(vma, address);
    this.devmem = hmmDevmemAdd(hmm, { fault }, this, 2 << 20);
  }

  #invalidate(all: boolean, start: number, end: number): void {
    using _lock = this.lock.acquire();
    this.invalidations++;
    if (all) this.table.clear(start, end);
    else this.table.protect(start, end);
  }

  /** Serves a CPU fault on a page of the device. */
  #toSystem(vma: Vma, start: number): number {
    using m = migrateVmaSetup({
      vma,
      start,
      end: start + PAGE_SIZE,
      owner: this,
      select: MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
    });
    this.mm.hmm.allocPages(m.src, m.dst);
    this.mm.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }
}

/** The world of all scenarios: NPAGES pages from `start` to `end`. */
export interface World {
  hmm: Hmm;
  mm: Mm;
  gpu: Gpu;
  /** A second device that mirrors the same process. */
  other: Gpu | null;
  start: number;
  end: number;
  /** The value last written to the first word of each page. */
  values: number[];
  /** A forked process and the first words of its pages. */
  child: { mm: Mm; values: number[] } | null;
}

const NPAGES = 3;
/** The initial words: 100, 101, … */
const FIRST = 100;

export interface WorldOptions {
  generation?: 2018 | 2020;
  other?: boolean;
}

export function makeWorld(hmm: Hmm, { generation = 2018, other = false }: WorldOptions = {}): World {
  const mm = hmm.createMm();
  const start = mm.mmap({ length: NPAGES * PAGE_SIZE });
  const values = Array.from({ length: NPAGES }, (_, page) => FIRST + page);
  values.forEach((value, page) => mm.store32(start + page * PAGE_SIZE, value));
  const end = start + NPAGES * PAGE_SIZE;
  const gpu = new Gpu(mm, NPAGES, generation);
  return {
    hmm,
    mm,
    gpu,
    other: other ? new Gpu(mm, NPAGES, generation, "other") : null,
    start,
    end,
    values,
    child: null,
  };
}

/** Returns the pfn of the page at addr without touching it, or 0. */
function pageAt(mm: Mm, addr: number): Page {
  const pte = mm.closed ? null : mm.lookupPte(addr);
  if (pte === null) return 0;
  if ((pte.flags & PTE_KIND_MASK) !== PTE_KIND_MIGRATION) return pte.pfn;
  for (const { src, dst, result } of mm.hmm.migrations()) {
    const slot = src.findIndex((word) => migratePfnToPage(word) === pte.pfn);
    const moved = slot >= 0 && result.moved > 0 && (src[slot] & MIGRATE_PFN_MIGRATE) !== 0;
    if (moved) return migratePfnToPage(dst[slot]);
  }
  return pte.pfn;
}

function wordOf(hmm: Hmm, page: Page): number {
  return hmm.pageBytes(page, (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
}

function expectWords(
  hmm: Hmm,
  who: string,
  start: number,
  values: number[],
  at: (addr: number) => Page,
): void {
  values.forEach((value, i) => {
    const page = at(start + i * PAGE_SIZE);
    const found = page === 0 ? value : wordOf(hmm, page);
    if (found !== value) throw new Error(`${who} has ${found} in page ${i}, and ${value} was written`);
  });
}

/** Each page that a CPU maps holds the value written last. */
function nothingLost({ hmm, mm, start, values, child }: World): void {
  expectWords(hmm, "the process", start, values, (addr) => pageAt(mm, addr));
  if (child !== null) expectWords(hmm, "the child", start, child.values, (addr) => pageAt(child.mm, addr));
}

/** A device reads the value written last. */
function nothingStale({ hmm, start, values, gpu, other }: World): void {
  for (const { table, name } of [gpu, ...(other === null ? [] : [other])]) {
    if (table.closed) continue;
    const pageOf = (addr: number): Page => {
      const entry = table.lookup(addr);
      return hmmPfnValid(entry) ? hmmPfnToPage(entry) : 0;
    };
    expectWords(hmm, name, start, values, pageOf);
  }
}

/** The state outside the engine that decides what follows: words written, and what drivers remember. */
export function state({ values, child, gpu, other }: World): unknown {
  return [values, child?.values, gpu.invalidations, other?.invalidations];
}

export const invariants = {
  "no write is lost": nothingLost,
  "no device reads a stale page": nothingStale,
};

/** Mapped memory reads as expected, by accesses that bring pages back. */
export function readAll({ hmm, mm, start, values, child }: World): void {
  const processes = [{ mm, values }, ...(child === null ? [] : [child])];
  for (const process of processes) {
    if (process.mm.closed) continue;
    process.values.forEach((value, page) => {
      const at = start + page * PAGE_SIZE;
      const found = process.mm.findVma(at) === null ? value : process.mm.load32(at);
      if (found !== value) throw new Error(`page ${page} reads ${found}, and ${value} was written`);
    });
  }
  hmm.verify();
  for (const process of processes) process.mm.close();
}
