/**
 * Follows the managed driver with an engine: its pages really move. The CPU and each device have a page table
 * of what the driver has mapped for them, so an access that the driver would have to serve stops a replay. A
 * device's table has only pages of its own memory, and each from its first use on: accesses to other memory
 * and first uses are counted by the model.
 *
 * HMM has one copy of each page. A page that the driver has duplicated lies in RAM here.
 */
import { ENOMEM } from "../../../assembly/uapi/errno.ts";
import { MMU_NOTIFY_MIGRATE } from "../../../assembly/uapi/event.ts";
import { PAGE_SIZE, TASK_SIZE } from "../../../assembly/uapi/page.ts";
import {
  DEVICE_PFN_DIRTY,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from "../../../assembly/uapi/pfn.ts";
import { VM_FAULT_OOM } from "../../../assembly/uapi/vm.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  hmmRangeFault,
  migrateVmaSetup,
  MmuIntervalNotifier,
  Hmm,
  HmmError,
  type HmmDevmem,
  type Mm,
  type MmuNotifierRange,
  type PfnArray,
  type Vma,
} from "../../index.ts";
import { RIGHTS_NONE, RIGHTS_READ } from "../policies/rights.ts";
import { grow } from "../space.ts";
import { BLOCK_BYTES, BLOCK_PAGES, hasBit, newBits, nextBit, runsOf, setBit, type Bits } from "./bits.ts";
import { NoMover } from "./mover.ts";
import { CPU, type Processor } from "./processor.ts";
import type { VaBlock } from "./va-block.ts";

/** Attempts at reading what the CPU's table has; nothing overtakes the first. */
const RETRIES = 2;

/** A range of addresses of one mapping. */
interface PageRange {
  vma: Vma;
  start: number;
  end: number;
}

/** The names of the mover's objects in the engine's snapshots: of a device's memory, and of the notifier. */
const idOf = (device: Processor): string => `managed device ${device}`;
const DRIVER_ID = "managed driver";

/**
 * What the engine calls, and the owner of the device's memory. It exists before the mover does when a
 * snapshot is restored.
 */
class Callbacks {
  mover!: EngineMover;

  /** The driver serves every access before the engine makes it, so no CPU access reaches device memory. */
  fault(): number {
    return VM_FAULT_OOM;
  }

  invalidate(range: MmuNotifierRange): boolean {
    return this.mover.invalidate(range);
  }
}

/** An engine that was restored, with the objects of a mover in it. */
export interface RestoredEngine {
  hmm: Hmm;
  mm: Mm;
  owner: Callbacks;
}

/** Restores the engine of a mover for some devices from its snapshot. */
export function restoreEngine(bytes: Uint8Array, devices: number): RestoredEngine {
  const owner = new Callbacks();
  const devmems = Array.from({ length: devices }, (_, i) => [idOf(i + 1), { ops: owner, owner }] as const);
  const notifiers = { [DRIVER_ID]: owner };
  const hmm = Hmm.restore(bytes, { devmems: Object.fromEntries(devmems), notifiers });
  return { hmm, mm: hmm.mms()[0], owner };
}

export class EngineMover extends NoMover {
  /** By processor: what the driver has mapped for it; for a device, of its own memory. */
  readonly tables: readonly DeviceTable[];
  /** By device, the first one at 0. */
  readonly #devmems: readonly HmmDevmem[];
  /** How often the address space grew. */
  growths = 0;
  /** Is told of invalidations, by their events. */
  readonly #invalidated: (event: number) => void;
  readonly #owner: Callbacks;
  readonly #hmm: Hmm;
  readonly #mm: Mm;
  readonly #notifier: MmuIntervalNotifier;
  readonly #pfns: PfnArray;

  /**
   * Adds devices with `size` bytes of memory each, a multiple of 2 MiB, to an engine that has room for them,
   * or takes over those of one that was restored.
   * @param invalidated is called with the event of each invalidation
   */
  constructor(
    { hmm, mm, owner: restored }: Omit<RestoredEngine, "owner"> & { owner?: Callbacks | undefined },
    { devices, size }: { devices: number; size: number },
    invalidated: (event: number) => void,
  ) {
    super();
    this.#hmm = hmm;
    this.#mm = mm;
    this.#invalidated = invalidated;
    const owner = restored ?? new Callbacks();
    owner.mover = this;
    this.#owner = owner;
    const made = restored !== undefined;
    const named = <T extends { id: string }>(all: readonly T[], name: string): T =>
      all.find(({ id }) => id === name)!;
    this.tables = made ? hmm.deviceTables() : Array.from({ length: devices + 1 }, () => new DeviceTable(mm));
    this.#devmems = Array.from({ length: devices }, (_, i) => {
      const id = idOf(i + 1);
      return made ? named(hmm.devmems(), id) : hmmDevmemAdd(hmm, owner, owner, size, { id });
    });
    this.#notifier = made
      ? named(hmm.notifiers(), DRIVER_ID)
      : new MmuIntervalNotifier(mm, 0, TASK_SIZE, owner, { id: DRIVER_ID });
    this.#pfns = hmm.pfnArray(BLOCK_PAGES);
  }

  override make(block: VaBlock, pages: Bits, at: Processor): void {
    for (const range of this.#rangesOf(block, pages)) {
      if (at === CPU) this.#walk(range, HMM_PFN_REQ_FAULT + HMM_PFN_REQ_WRITE);
      else this.#migrateIn(range, at);
    }
  }

  override leaving(block: VaBlock, pages: Bits, from: Processor): void {
    if (from === CPU) return;
    const words = this.tables[from].snapshot(block.start, BLOCK_PAGES, this.#pfns);
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1))
      if ((words[i] & DEVICE_PFN_DIRTY) !== 0) setBit(block.dirty[from], i);
  }

  /** Pages that others hold, too, stay in RAM. */
  override move(block: VaBlock, pages: Bits, from: Processor, to: Processor): void {
    const alone = pagesWhere(pages, (i) => block.holdsAlone(to, i));
    for (const range of this.#rangesOf(block, alone)) {
      if (to === CPU) this.#migrateOut(range);
      else if (from === CPU) this.#migrateIn(range, to);
      else this.#migrateAcross(range, to);
    }
  }

  override duplicate(block: VaBlock, pages: Bits, from: Processor, to: Processor): void {
    if (from === CPU) return;
    const was = (1 << from) | (1 << to);
    const alone = pagesWhere(pages, (i) => block.holders(i) === was);
    this.leaving(block, alone, from);
    for (const range of this.#rangesOf(block, alone)) {
      this.tables[from].clear(range.start, range.end);
      this.#migrateOut(range);
    }
  }

  /** Pages that only one device holds now go there from RAM. */
  override drop(block: VaBlock, pages: Bits): void {
    for (let q = CPU + 1; q < this.tables.length; q++) {
      const alone = pagesWhere(pages, (i) => block.holdsAlone(q, i));
      for (const range of this.#rangesOf(block, alone)) this.#migrateIn(range, q);
    }
  }

  override remap(block: VaBlock, pages: Bits, p: Processor): void {
    this.leaving(block, pages, p); // entries that go know whether the device wrote
    const wanted = newBits();
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1))
      if (this.#entersTable(block, i, p)) setBit(wanted, i);
    const table = this.tables[p];
    for (const [first, end] of runsOf(pages)) table.clear(addressOf(block, first), addressOf(block, end));
    for (const range of this.#rangesOf(block, wanted)) {
      const first = (range.start - block.start) / PAGE_SIZE;
      const words = this.#walk(range, 0);
      for (let n = 0; n < words.length; n++)
        if (block.rightsOf(p, first + n) === RIGHTS_READ) words[n] &= ~HMM_PFN_WRITE;
      table.map(range.start, words);
    }
  }

  /** Further uses of the page are the replay's. */
  override used(block: VaBlock, i: number, device: Processor): void {
    if (!block.holdsAlone(device, i) || block.rightsOf(device, i) === RIGHTS_NONE) return;
    const start = addressOf(block, i);
    const vma = this.#mm.findVma(start)!;
    const words = this.#walk({ vma, start, end: start + PAGE_SIZE }, 0);
    if (block.rightsOf(device, i) === RIGHTS_READ) words[0] &= ~HMM_PFN_WRITE;
    this.tables[device].map(start, words);
  }

  /** Closes what outlives the address space, which must be closed before. */
  close(): void {
    this.#pfns.close();
    for (const devmem of this.#devmems) devmem.close();
  }

  /** Whether a processor's table has a page. */
  #entersTable(block: VaBlock, i: number, p: Processor): boolean {
    if (block.rightsOf(p, i) === RIGHTS_NONE) return false;
    if (p === CPU) return true;
    // A duplicated page lies in RAM.
    return block.holdsAlone(p, i) && (hasBit(block.touched[p], i) || !hasBit(block.prefetched[p], i));
  }

  /** The runs of pages as ranges of addresses, in mappings that grow as they are needed. */
  #rangesOf(block: VaBlock, pages: Bits): PageRange[] {
    return runsOf(pages).map(([first, end]) => {
      const start = addressOf(block, first);
      if (this.#mm.findVma(start) === null) {
        grow(this.#mm, start);
        this.growths++;
      }
      return { vma: this.#mm.findVma(start)!, start, end: addressOf(block, end) };
    });
  }

  /** Reads the CPU's table for a range; with flags, faults pages in. Returns a word for each page. */
  #walk({ start, end }: PageRange, defaultFlags: number): Uint32Array {
    const pfns = this.#pfns.subarray(0, (end - start) / PAGE_SIZE);
    using _sem = this.#mm.mmapSem.read();
    for (let i = 0; i < RETRIES; i++) {
      const notifier = this.#notifier;
      const notifierSeq = notifier.readBegin();
      const answer = hmmRangeFault({
        notifier,
        notifierSeq,
        owner: this.#owner,
        start,
        end,
        pfns,
        defaultFlags,
      });
      if (answer === 0 && !notifier.readRetry(notifierSeq)) return pfns;
      if (answer < 0) throw this.#failed(-answer, "hmmRangeFault", start);
    }
    throw this.#failed(ENOMEM, "hmmRangeFault", start);
  }

  /** Moves all pages of a range from RAM to a device; those that nobody has are made there. */
  #migrateIn(range: PageRange, to: Processor): void {
    this.#migrate(range, MIGRATE_VMA_SELECT_SYSTEM, this.#devmems[to - 1]);
  }

  /** Moves all pages of a range from another device to this one. */
  #migrateAcross(range: PageRange, to: Processor): void {
    this.#migrate(range, MIGRATE_VMA_SELECT_DEVICE_PRIVATE, this.#devmems[to - 1]);
  }

  /** Moves all pages of a range from a device to RAM. */
  #migrateOut(range: PageRange): void {
    this.#migrate(range, MIGRATE_VMA_SELECT_DEVICE_PRIVATE, this.#hmm);
  }

  /** Moves all pages of a range to a memory. */
  #migrate({ vma, start, end }: PageRange, select: number, to: HmmDevmem | Hmm): void {
    using _sem = this.#mm.mmapSem.read();
    const m = migrateVmaSetup({ vma, start, end, owner: this.#owner, select });
    try {
      to.allocPages(m.src, m.dst);
      this.#hmm.copyPages(m.src, m.dst);
      if (m.pages() < (end - start) / PAGE_SIZE) throw this.#failed(ENOMEM, "migrateVma", start);
    } finally {
      m.finalize();
    }
  }

  #failed(errno: number, op: string, address: number): HmmError {
    return new HmmError(errno, op, "system memory", { address });
  }

  /** The notifier's callback: drops entries. The mover's own migrations move unmapped pages. */
  invalidate({ start, end, event, owner }: MmuNotifierRange): boolean {
    this.#invalidated(event);
    if (event === MMU_NOTIFY_MIGRATE && owner === this.#owner) return false;
    const from = start - (start % PAGE_SIZE);
    const to = Math.ceil(end / PAGE_SIZE) * PAGE_SIZE;
    for (const table of this.tables) table.clear(from, to);
    return true;
  }
}

function addressOf(block: VaBlock, i: number): number {
  return block.number * BLOCK_BYTES + i * PAGE_SIZE;
}

/** Those of some pages that a test takes. */
function pagesWhere(pages: Bits, test: (i: number) => boolean): Bits {
  const some = newBits();
  for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1)) if (test(i)) setBit(some, i);
  return some;
}
