/** A process with some memory and a device that mirrors it: what the explorer's agents act on. */
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

/** A driver with the lock that the protocol asks for: its callback takes it, and so does whoever changes the table. */
export class Gpu {
  readonly name: string;
  readonly mm: Mm;
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
  readonly lock: Lock;
  readonly pfns: PfnArray;
  /** Heard by the callback so far. */
  invalidations = 0;
  readonly mirror: HmmMirror | null;
  readonly notifier: MmuIntervalNotifier | null;

  /** @param generation which interface it uses: the 2018 mirror or the modern notifier */
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

  /** A CPU needs a page of ours. */
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

/** What all scenarios have: NPAGES pages from `start` to `end`. */
export interface World {
  hmm: Hmm;
  mm: Mm;
  gpu: Gpu;
  /** A second device that mirrors the same process. */
  other: Gpu | null;
  start: number;
  end: number;
  /** What the first word of each page was last set to. */
  values: number[];
  /** A forked process, and its first words. */
  child: { mm: Mm; values: number[] } | null;
}

export const NPAGES = 3;
/** The words at the beginning: 100, 101, … */
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

/** The page that has what is at addr, without touching it; 0: none. */
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

/** Where a CPU has a page, it has the value that was written last. */
function nothingLost({ hmm, mm, start, values, child }: World): void {
  expectWords(hmm, "the process", start, values, (addr) => pageAt(mm, addr));
  if (child !== null) expectWords(hmm, "the child", start, child.values, (addr) => pageAt(child.mm, addr));
}

/** What a device reads is what was written last. */
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

/** What stands beside the engine and decides what comes: what is written where, and what drivers remember. */
export function state({ values, child, gpu, other }: World): unknown {
  return [values, child?.values, gpu.invalidations, other?.invalidations];
}

export const invariants = {
  "no write is lost": nothingLost,
  "no device reads a stale page": nothingStale,
};

/** What is still mapped reads as it should, by accesses that bring pages back. */
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
