import { dispose } from "../engine/dispose.ts";
import {
  hmmDevmemAdd,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migrateVmaSetup,
  PAGE_SIZE,
  VM_FAULT_OOM,
  type Hmm,
  type HmmDevmem,
  type HmmDevmemOps,
  type Migration,
  type VmFault,
  type Vma,
} from "../index.ts";

/** What a {@link DmirrorDevice} is made with. */
export interface DmirrorDeviceOptions {
  /** Bytes of device memory. Default 64 MiB. */
  memory?: number | undefined;
  /** A stable name for Hmm.restore. Default: "devmem1", "devmem2", … */
  id?: string | undefined;
  /** CPUs access its memory directly. Default false: device-private memory. */
  coherent?: boolean | undefined;
}

const DEVICE_MEMORY = 64 << 20;
/** Pages that are evicted at a time. */
const EVICT_PAGES = 512;
/** The pages of a huge page. */
const HUGE_PAGES = 512;
/** The bits of a candidate in src that is a page; MIGRATE alone is a hole, or the zero page. */
const PAGE_TO_MIGRATE = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

/**
 * A simulated device: memory that CPUs cannot touch or, if it is coherent, use like their own. Several
 * mirrors may share it. It is the owner of its memory: events and ranges that name it as owner are this
 * device's own.
 */
export class DmirrorDevice {
  readonly hmm: Hmm;
  readonly devmem: HmmDevmem;
  /** MIGRATE_VMA_SELECT_COMPOUND, unless the modeled kernel has no huge device pages. */
  readonly #compound: number;
  #failNext = false;

  /** Makes the device. The caller closes it. Throws as hmmDevmemAdd. */
  constructor(hmm: Hmm, options: DmirrorDeviceOptions = {}) {
    if (typeof options !== "object" || options === null)
      throw new TypeError(`new DmirrorDevice: options must be an object, got ${JSON.stringify(options)}`);
    const { memory = DEVICE_MEMORY, id, coherent } = options;
    this.hmm = hmm;
    const fault: HmmDevmemOps["fault"] = (_devmem, vma, address, _page, _flags, order) =>
      this.#fault(vma, address, PAGE_SIZE * 2 ** order);
    this.devmem = hmmDevmemAdd(hmm, { fault }, this, memory, { id, coherent });
    this.#compound = hmm.config.linux === "6.12" ? 0 : MIGRATE_VMA_SELECT_COMPOUND;
  }

  /** @internal The MIGRATE_VMA_SELECT_DEVICE_* bit that selects this device's pages. */
  get select(): number {
    return this.devmem.coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  }

  /** @internal The bits that select what goes to the device, with huge pages as a whole. */
  get toDevice(): number {
    return MIGRATE_VMA_SELECT_SYSTEM | this.#compound;
  }

  /** @internal The bits that select this device's pages, with huge pages as a whole. */
  get toSystem(): number {
    return this.select | this.#compound;
  }

  /** Makes the next allocation, of device memory or of system memory to migrate to, fail once. */
  failNextAlloc(): void {
    this.#failNext = true;
  }

  /**
   * Migrates all pages of the device's memory to system memory, in every address space. Returns how many
   * moved.
   */
  evict(): number {
    const { devmem } = this;
    let moved = 0;
    for (let first = devmem.pfnFirst; first < devmem.pfnEnd; first += EVICT_PAGES) {
      using m = migrateDeviceRange(devmem, first, Math.min(EVICT_PAGES, devmem.pfnEnd - first));
      this.copyToSystem(m);
      moved += m.pages();
    }
    return moved;
  }

  /**
   * Evicts everything and gives the memory back. Idempotent. Throws HmmError EBUSY if a page cannot be
   * evicted.
   */
  close(): void {
    if (!this.devmem.removed) this.devmem.close();
  }

  [dispose](): void {
    this.close();
  }

  /**
   * @internal Allocates device memory for the candidates of m, as far as there is any, and copies them there.
   * A coherent device gives 512 pages for a huge page.
   */
  copyToDevice(m: Migration): void {
    const alloc = (): number => this.devmem.allocPage();
    const candidates = this.#candidates(m, MIGRATE_PFN_MIGRATE, alloc, this.devmem.coherent);
    this.devmem.allocPages(candidates, m.dst);
    this.hmm.copyPages(m.src, m.dst);
  }

  /**
   * @internal Allocates system memory for the pages among the candidates of m and copies them there; holes
   * stay holes. Returns false if memory ran out for one.
   */
  copyToSystem(m: Migration): boolean {
    this.hmm.allocPages(
      this.#candidates(m, PAGE_TO_MIGRATE, () => this.hmm.allocPage()),
      m.dst,
    );
    this.hmm.copyPages(m.src, m.dst);
    return m.src.every((word, i) => (word & PAGE_TO_MIGRATE) >>> 0 !== PAGE_TO_MIGRATE || m.dst[i] !== 0);
  }

  /**
   * Returns the words of m.src that have all of `flags`, without the one whose allocation is to fail. If that
   * one is a huge page, it gets small pages by `alloc` instead, and with `small` each huge page does.
   */
  #candidates(m: Migration, flags: number, alloc: () => number, small = false): Uint32Array {
    const words = m.src.map((word) => ((word & flags) >>> 0 === flags ? word : 0));
    const failing = this.#failNext ? words.findIndex((word) => word !== 0) : -1;
    if (failing >= 0) this.#failNext = false;
    for (let i = 0; i < words.length; i++) {
      if ((words[i] & MIGRATE_PFN_COMPOUND) !== 0 && (small || i === failing)) {
        for (let j = i; j < i + HUGE_PAGES; j++) {
          const page = alloc();
          m.dst[j] = page === 0 ? 0 : (MIGRATE_PFN_VALID | page) >>> 0;
        }
        words[i] = 0;
      } else if (i === failing) words[i] = 0;
    }
    return words;
  }

  /**
   * Serves a CPU's or another device's access to a page of this device: what the entry maps, `size` bytes,
   * one page or a huge page, goes back. The engine knows owner and faulting page here, because the engine
   * made the call.
   */
  #fault(vma: Vma, address: number, size: number): VmFault {
    const start = address - (address % size);
    using m = migrateVmaSetup({ vma, start, end: start + size, select: this.toSystem });
    if (!this.copyToSystem(m)) return VM_FAULT_OOM;
    m.pages();
    return 0;
  }
}

/** @internal Counts the pages (not holes) that are to move or, after m.pages(), have moved. */
export function countPages(m: Migration): number {
  let count = 0;
  for (const word of m.src) if ((word & PAGE_TO_MIGRATE) >>> 0 === PAGE_TO_MIGRATE) count++;
  return count;
}
