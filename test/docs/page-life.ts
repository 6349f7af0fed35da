/**
 * The life of one page: what the CPU's tables, a device's table and the frames say after each step.
 * docs/architecture.md shows what this program draws; architecture.test.ts compares the two.
 */
import * as frame from "../../assembly/abi/frame.ts";
import { HDR_FOLIOS, HEADER } from "../../assembly/abi/header.ts";
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
} from "../../assembly/uapi/event.ts";
import { HMM_PFN_VALID, HMM_PFN_WRITE, PFN_MASK } from "../../assembly/uapi/pfn.ts";
import * as pte from "../../assembly/uapi/pte.ts";
import { contextOf } from "../../src/engine/context.ts";
import {
  DeviceTable,
  HMM_PFN_REQ_FAULT,
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type HmmDevmem,
  type Mm,
  type Vma,
} from "../../src/index.ts";

type Bits = readonly (readonly [mask: number, name: string])[];

const ENTRY_BITS: Bits = [
  [pte.PTE_WRITE, "W"],
  [pte.PTE_YOUNG, "Y"],
  [pte.PTE_DIRTY, "D"],
  [pte.PTE_EXCLUSIVE, "X"],
];
const FOLIO_BITS: Bits = [
  [frame.FOLIO_LOCKED, "locked"],
  [frame.FOLIO_LRU, "lru"],
  [frame.FOLIO_ANON_EXCLUSIVE, "exclusive"],
];
/** Names of the events that occur here. */
const EVENTS: Readonly<Record<number, string>> = {
  [MMU_NOTIFY_CLEAR]: "clear",
  [MMU_NOTIFY_PROTECTION_PAGE]: "prot_page",
  [MMU_NOTIFY_MIGRATE]: "migrate",
  [MMU_NOTIFY_PROTECTION_VMA]: "prot_vma",
};
const namesOf = (bits: Bits, word: number): string[] =>
  bits.filter(([mask]) => (word & mask) !== 0).map(([, name]) => name);

const WIDTHS = [28, 17, 9, 8, 0];
const row = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i]))
    .join("")
    .trimEnd();

/** A process with one page, and a device that mirrors the page and can take it into its own memory. */
class Life {
  readonly lines: string[] = [];
  readonly #hmm: Hmm;
  readonly #mm: Mm;
  readonly #table: DeviceTable;
  readonly #devmem: HmmDevmem;
  readonly #notifier: MmuIntervalNotifier;
  readonly #start: number;
  readonly #letters = new Map<number, string>();
  #child: Mm | null = null;

  constructor(module: WebAssembly.Module) {
    this.#hmm = Hmm.createSync(module, { systemMemory: 1 << 20, deviceMemory: 2 << 20 });
    this.#mm = this.#hmm.createMm();
    this.#start = this.#mm.mmap({ length: PAGE_SIZE });
    this.#table = new DeviceTable(this.#mm);
    this.#notifier = new MmuIntervalNotifier(this.#mm, this.#start, PAGE_SIZE, {
      invalidate: ({ start, end, event }) => {
        this.#table.clear(start, end);
        if (event !== MMU_NOTIFY_RELEASE) this.#draw(`  callback: ${EVENTS[event]}`);
      },
    });
    hmmMirrorRegister(new HmmMirror({ update: () => undefined }), this.#mm);
    this.#devmem = hmmDevmemAdd(
      this.#hmm,
      { fault: (_devmem, vma) => this.#move(vma, MIGRATE_VMA_SELECT_DEVICE_PRIVATE) },
      this,
      2 << 20,
    );
  }

  fault(): this {
    this.#draw("mmap");
    this.#mm.load32(this.#start);
    this.#draw("CPU reads");
    this.#mm.store32(this.#start, 1);
    this.#draw("CPU writes");
    this.#mirror();
    return this.#draw("device faults: mirror");
  }

  migrate(): this {
    const sem = this.#mm.mmapSem.read();
    this.#move(this.#mm.findVma(this.#start)!, MIGRATE_VMA_SELECT_SYSTEM);
    sem.close();
    this.lines.push("");
    this.#mm.load32(this.#start);
    return this.#draw("CPU reads: it is back");
  }

  fork(): this {
    this.#mirror();
    this.#draw("device faults: mirror");
    this.#child = this.#mm.fork();
    this.#draw("fork");
    this.#child.store32(this.#start, 2);
    this.#draw("child writes");
    this.#mm.store32(this.#start, 3);
    this.#draw("parent writes");
    this.#hmm.verify();
    this.#hmm.close();
    return this;
  }

  #mirror(): void {
    const notifierSeq = this.#notifier.readBegin();
    const pfns = this.#hmm.pfnArray(1);
    const range = { notifier: this.#notifier, notifierSeq, pfns, defaultFlags: HMM_PFN_REQ_FAULT };
    const sem = this.#mm.mmapSem.read();
    hmmRangeFault({ ...range, start: this.#start, end: this.#start + PAGE_SIZE });
    sem.close();
    this.#table.map(this.#start, pfns);
  }

  /** A migration, to the device or back, drawn at each of its steps. */
  #move(vma: Vma, select: number): 0 {
    if (select === MIGRATE_VMA_SELECT_DEVICE_PRIVATE) this.#draw("CPU reads: the driver runs");
    const from = select === MIGRATE_VMA_SELECT_SYSTEM ? this.#devmem : this.#hmm;
    const m = migrateVmaSetup({ vma, start: this.#start, end: this.#start + PAGE_SIZE, select, owner: this });
    this.#draw("migrateVmaSetup");
    from.allocPages(m.src, m.dst);
    this.#letter(m.dst[0] & PFN_MASK);
    this.#draw("allocPages");
    this.#hmm.copyPages(m.src, m.dst);
    m.pages();
    this.#draw("copyPages, pages()");
    this.#table.mapMigrated(m);
    this.#draw("mapMigrated");
    m.finalize();
    this.#draw("finalize()");
    return 0;
  }

  /**
   * Adds a line: step, the CPU's entry, the child's, the device's, and the frames that have come up so far.
   */
  #draw(step: string): this {
    const word = this.#table.lookup(this.#start);
    const device = (word & HMM_PFN_VALID) === 0 ? "–" : this.#deviceEntry(word);
    const child = this.#child === null ? "" : this.#entry(this.#child);
    this.lines.push(row([step, this.#entry(this.#mm), child, device, this.#frames()]));
    return this;
  }

  #letter(pfn: number): string {
    if (!this.#letters.has(pfn)) this.#letters.set(pfn, "ABCDEF"[this.#letters.size]);
    return this.#letters.get(pfn)!;
  }

  #deviceEntry(word: number): string {
    return this.#letter(word & PFN_MASK) + ((word & HMM_PFN_WRITE) === 0 ? "" : " W");
  }

  #entry(mm: Mm): string {
    const entry = mm.lookupPte(this.#start);
    if (entry === null) return "–";
    const { flags, pfn } = entry;
    const kind = flags & pte.PTE_KIND_MASK;
    const letter = (flags & pte.PTE_SPECIAL) === 0 ? this.#letter(pfn) : "zero";
    const type = kind === pte.PTE_KIND_MIGRATION ? ["migr."] : kind === pte.PTE_KIND_DEVICE ? ["device"] : [];
    return [letter, ...type, ...namesOf(ENTRY_BITS, flags)].join(" ");
  }

  #frames(): string {
    const { mem } = contextOf("page life", this.#hmm);
    const folios = mem.u32(HEADER + HDR_FOLIOS);
    const frames = [...this.#letters].map(([pfn, letter]) => {
      const folio = folios + pfn * frame.FOLIO_SIZE;
      const refs = mem.u32(folio + frame.FOLIO_REFS) & frame.FOLIO_COUNT_MASK;
      const maps = mem.u32(folio + frame.FOLIO_MAPS) & frame.FOLIO_COUNT_MASK;
      const word = mem.u32(folio + frame.FOLIO_MAPPING) >>> 16;
      if ((word & frame.FOLIO_FREE) !== 0) return `${letter} free`;
      return [`${letter} ${refs}/${maps}`, ...namesOf(FOLIO_BITS, word)].join(" ");
    });
    return frames.join(" · ");
  }
}

/** Draws the life of a page, one line a step. */
export function drawPageLife(module: WebAssembly.Module): string {
  const life = new Life(module);
  life.fault().lines.push("");
  life.migrate().lines.push("");
  return [row(["step", "CPU", "child", "device", "frames"]), "", ...life.fork().lines].join("\n");
}
