/**
 * The world of the random test of huge pages: processes with four adjacent areas of 2 MiB each, two devices,
 * and a shadow copy of the contents of each page.
 */
import * as assert from "uvu/assert";
import {
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MASK,
  PTE_PRESENT,
  PTE_SPECIAL,
} from "../../../../assembly/uapi/pte.ts";
import {
  DeviceTable,
  explain,
  Hmm,
  HmmError,
  hmmDevmemAdd,
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  Memcg,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MmuIntervalNotifier,
  migrateVmaSetup,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  REASON_LARGE_FOLIO,
  REASON_NO_DESTINATION,
  REASON_NONE,
  REASON_ORDER,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type HmmDevmem,
  type HmmDevmemOps,
  type MmuNotifierRange,
  type Mm,
  type VmFault,
  type Vma,
} from "../../../../src/index.ts";
import { AT, MIB, PAGES } from "../../../util/huge.ts";

/** Pages of a process's memory: four areas of 2 MiB. */
export const SPAN = 4 * PAGES;
/** The offset of a page's word. */
const OFFSET = 3000;
const UNMAPPED = -1;
export const RW = PROT_READ | PROT_WRITE;

export const at = (page: number): number => AT + page * PAGE_SIZE;
export const wordAt = (page: number): number => at(page) + OFFSET;

/** A process in the engine, and its expected memory. */
export class Process {
  readonly id: number;
  mm: Mm;
  table: DeviceTable;
  /** The expected word of each page. */
  readonly words: Uint32Array;
  /** PROT_* of each page, or UNMAPPED. */
  readonly prots: Int8Array;
  readonly ops = {
    invalidate: ({ start, end }: MmuNotifierRange): void => void this.table.clear(start, end),
  };

  constructor(mm: Mm, like?: Process) {
    this.id = mm.id;
    this.mm = mm;
    this.table = new DeviceTable(mm);
    this.words = like?.words.slice() ?? new Uint32Array(SPAN);
    this.prots = like?.prots.slice() ?? new Int8Array(SPAN).fill(UNMAPPED);
    new MmuIntervalNotifier(mm, 0, 2 ** 47, this.ops, { id: `process ${mm.id}` });
  }

  /** Whether all n pages from `page` may be read, or read and written. */
  allows(page: number, n: number, prot = PROT_READ): boolean {
    return this.prots.subarray(page, page + n).every((has) => has !== UNMAPPED && (has & prot) === prot);
  }

  mapped(page: number, n = 1): boolean {
    return !this.prots.subarray(page, page + n).includes(UNMAPPED);
  }

  /** n pages from `page` become a new mapping, or unmapped. */
  remap(page: number, n: number, prot = UNMAPPED): void {
    this.words.fill(0, page, page + n);
    this.prots.fill(prot, page, page + n);
  }

  /** n pages from `page` become zeros. */
  drop(page: number, n: number): void {
    this.words.fill(0, page, page + n);
  }

  /** Moves n pages; with `keep`, the old mapping stays, empty. */
  move(from: number, to: number, n: number, keep: boolean): void {
    const words = this.words.slice(from, from + n);
    const prots = this.prots.slice(from, from + n);
    if (keep) this.words.fill(0, from, from + n);
    else this.remap(from, n);
    this.words.set(words, to);
    this.prots.set(prots, to);
  }

  /** Compares the pages that are visible without a fault; swapped and migrating pages are not. */
  check(): void {
    const { hmm } = this.mm;
    for (let page = 0; page < SPAN; page++) {
      const pte = this.mm.lookupPte(at(page));
      if (pte === null || (pte.flags & PTE_SPECIAL) !== 0) {
        // Text for millions of pages would take longer than looking at them.
        if (this.words[page] !== 0)
          assert.is(this.words[page], 0, `page ${page} of process ${this.id}: zeros`);
        continue;
      }
      const kind = pte.flags & PTE_KIND_MASK;
      const there = (pte.flags & PTE_PRESENT) !== 0;
      if (!there && kind !== PTE_KIND_DEVICE && kind !== PTE_KIND_DEVICE_EXCLUSIVE) continue;
      const got = hmm.pageBytes(pte.pfn, wordIn);
      if (got !== this.words[page])
        assert.is(got, this.words[page], `page ${page} of process ${this.id} (frame ${pte.pfn})`);
    }
  }
}

function wordIn(bytes: Uint8Array): number {
  return (
    (bytes[OFFSET] | (bytes[OFFSET + 1] << 8) | (bytes[OFFSET + 2] << 16) | (bytes[OFFSET + 3] << 24)) >>> 0
  );
}

/** A device that owns its memory. Its fault callback brings back what the faulting entry maps. */
export class Gpu {
  readonly name: string;
  /** Whether the fault callback brings huge pages back as one. */
  readonly compound: boolean;
  devmem: HmmDevmem;
  /** The device's own page, which keeps one block from being wholly free. */
  spoiler = 0;
  /** The reason why the page of the last fault did not come back. */
  refused = "";

  constructor(hmm: Hmm, name: string, bytes: number, compound: boolean) {
    this.name = name;
    this.compound = compound;
    this.devmem = hmmDevmemAdd(hmm, this.ops, this, bytes, { id: name });
  }

  readonly ops: HmmDevmemOps = {
    fault: (_devmem, vma, address, _page, _flags, order) => {
      try {
        return this.#fault(vma, address, PAGE_SIZE << order);
      } catch (error) {
        if (error instanceof HmmError && error.code === "ENOMEM") return VM_FAULT_OOM;
        throw error;
      }
    },
  };

  #fault(vma: Vma, address: number, size: number): VmFault {
    let reason = this.#back(vma, address, size);
    // The first migrations may only split the huge mapping, and then the folio that the page is a part of.
    for (let i = 0; i < 2 && (reason === REASON_ORDER || reason === REASON_LARGE_FOLIO); i++)
      reason = this.#back(vma, address, PAGE_SIZE);
    if (reason === REASON_NONE) return 0;
    this.refused = explain(reason);
    return reason === REASON_NO_DESTINATION ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
  }

  /** Migrates `size` bytes around address to system memory. Returns why the page stays. */
  #back(vma: Vma, address: number, size: number): number {
    const { hmm } = vma.mm;
    const start = address - (address % size);
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | (this.compound ? MIGRATE_VMA_SELECT_COMPOUND : 0);
    using m = migrateVmaSetup({ vma, start, end: start + size, select });
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    return m.reasons[(address - start) / PAGE_SIZE];
  }
}

/** An object that stays open over several steps. */
export interface Open {
  readonly what: string;
  readonly process: Process;
  /** Whether the object holds mmapSem. */
  readonly holds: boolean;
  close(): void;
}

export class HugeWorld {
  hmm: Hmm;
  readonly #module: WebAssembly.Module;
  readonly #memcg = new Memcg();
  readonly #free: number;
  processes: Process[] = [];
  readonly gpus: readonly [Gpu, Gpu];
  open: Open[] = [];
  /** Whether memory is short, so that allocations may fail. */
  short: boolean;

  constructor(module: WebAssembly.Module, scarce: boolean) {
    this.#module = module;
    this.short = scarce;
    const systemMemory = (scarce ? 11 : 64) * MIB;
    this.hmm = Hmm.createSync(module, { systemMemory, deviceMemory: 16 * MIB, swap: 3 * MIB });
    this.#free = this.hmm.freePages;
    this.gpus = [
      new Gpu(this.hmm, "whole", (scarce ? 4 : 14) * MIB, true),
      new Gpu(this.hmm, "parts", 2 * MIB, false),
    ];
    this.processes.push(new Process(this.hmm.createMm({ memcg: this.#memcg })));
  }

  /**
   * Runs `body`, which must succeed, must fail with one of `codes`, or may fail ("maybe"). Returns whether it
   * succeeded. EAGAIN is allowed while an object is open, and a lack of memory while memory is short.
   */
  attempt(body: () => void, expected: boolean | "maybe", codes: readonly string[] = ["EFAULT"]): boolean {
    try {
      body();
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
      const busy = this.open.length > 0 && error.code === "EAGAIN";
      const short = this.short && error.code === "ENOMEM";
      if (busy || short || (expected !== true && codes.includes(error.code))) return false;
      throw error;
    }
    assert.is.not(expected, false, "it should have failed");
    return true;
  }

  /** Forks a child with its parent's expected memory. */
  forked(parent: Process): Process {
    const mm = parent.mm.fork();
    this.hmm.failAllocation(0);
    return new Process(mm, parent);
  }

  /** Returns the open object that holds mmapSem of this process. */
  held(process: Process): boolean {
    return this.open.some((open) => open.process === process && open.holds);
  }

  /** Checks everything. */
  check(): void {
    this.hmm.verify();
    for (const process of this.processes) process.check();
  }

  /** Replaces the engine by one restored from its snapshot. No object may be open. */
  reload(): void {
    const notifiers = Object.fromEntries(this.processes.map(({ id, ops }) => [`process ${id}`, ops]));
    const devmems = Object.fromEntries(this.gpus.map((gpu) => [gpu.name, { ops: gpu.ops, device: gpu }]));
    this.hmm = Hmm.restore(this.hmm.snapshot(), { module: this.#module, notifiers, devmems });
    for (const process of this.processes) {
      process.mm = this.hmm.mms().find(({ id }) => id === process.id)!;
      process.table = this.hmm.deviceTables().find(({ mm }) => mm === process.mm)!;
    }
    for (const gpu of this.gpus) gpu.devmem = this.hmm.devmems().find(({ id }) => id === gpu.name)!;
  }

  /** Closes everything and asserts that all memory is free. */
  close(): void {
    for (const open of this.open.splice(0)) open.close();
    this.check();
    for (const { mm } of this.processes.splice(0)) mm.close();
    this.hmm.verify();
    for (const { devmem, spoiler } of this.gpus) {
      if (spoiler !== 0) letGo(this.hmm, spoiler, 1);
      assert.is(devmem.usedPages, 0, "device pages are left in use");
    }
    assert.is(this.hmm.freePages, this.#free, "system pages are left in use");
    assert.equal(
      this.hmm.memcgs().map(({ usage }) => usage),
      [0],
      "pages are still charged",
    );
  }
}

/** Makes a new mapping in place of the existing one. */
export function mapNew(process: Process, page: number, n: number, prot: number, huge: boolean): void {
  const [addr, length] = [at(page), n * PAGE_SIZE];
  process.mm.mmap({ addr, length, prot, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
  process.remap(page, n, prot);
  if (huge) process.mm.madvise(addr, length, MADV_HUGEPAGE);
}

/** Frees n locked pages that a driver has allocated. */
export function letGo(hmm: Hmm, first: number, n: number): void {
  for (let page = first; page < first + n; page++) {
    hmm.pageUnlock(page);
    hmm.pagePut(page);
  }
}
