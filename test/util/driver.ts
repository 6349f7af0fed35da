import {
  DeviceTable,
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  HMM_UPDATE_INVALIDATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  type HmmConfig,
  type HmmDevmem,
  type MigrateResult,
  type Mm,
  type Vma,
} from "../../src/index.ts";

export const MIB = 1 << 20;

/** Creates a small engine: 8 MiB of RAM, 8 MiB of device memory. */
export function makeHmm(module: WebAssembly.Module, config: HmmConfig = {}): Hmm {
  return Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 8 * MIB, ...config });
}

/** One update that a mirror hears. */
export interface Update {
  action: number;
  start: number;
  end: number;
  event: number;
}

/** The simplest driver that keeps the protocol: one mirror, one device table, one devmem. */
export class TestGpu {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly table: DeviceTable;
  readonly mirror: HmmMirror;
  readonly devmem: HmmDevmem;
  readonly updates: Update[] = [];
  readonly freed: number[] = [];
  released = 0;
  faults = 0;
  /** Replaces the handler of CPU faults. */
  onFault: ((vma: Vma, address: number, page: number) => number | void) | null = null;

  constructor(mm: Mm, size = 4 * MIB) {
    this.hmm = mm.hmm;
    this.mm = mm;
    this.table = new DeviceTable(mm);
    this.mirror = new HmmMirror({
      update: (_mirror, action, start, end, event) => {
        this.updates.push({ action, start, end, event });
        if (action === HMM_UPDATE_INVALIDATE) this.table.clear(start, end);
        else this.table.protect(start, end);
      },
      release: () => void this.released++,
    });
    hmmMirrorRegister(this.mirror, mm);
    this.devmem = hmmDevmemAdd(
      mm.hmm,
      {
        free: (_devmem, page) => void this.freed.push(page),
        fault: (_devmem, vma, address, page) => {
          this.faults++;
          if (this.onFault !== null) return this.onFault(vma, address, page);
          return this.toSystem(vma, address, address + PAGE_SIZE).moved === 1 ? 0 : 2;
        },
      },
      this,
      size,
    );
  }

  /** Migrates [start, end) to the device. Takes mmapSem. */
  toDevice(start: number, end: number, select = MIGRATE_VMA_SELECT_SYSTEM): MigrateResult {
    using _sem = this.mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: this.mm.findVma(start), start, end, owner: this, select });
    this.devmem.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    this.table.mapMigrated(m);
    m.finalize();
    return m.result;
  }

  /** Migrates the device's pages of [start, end) back, with mmapSem held. */
  toSystem(vma: Vma, start: number, end: number): MigrateResult {
    using m = migrateVmaSetup({ vma, start, end, owner: this, select: 2 });
    this.hmm.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    // The page of another process: that process's update has already changed this table.
    if (vma.mm === this.mm) this.table.mapMigrated(m);
    m.finalize();
    return m.result;
  }
}

/** Returns n pages; byte i of page k is (seed + k + i) & 255. */
export function pattern(npages: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: npages * PAGE_SIZE }, (_, i) => (seed + (i >> 12) + i) & 255);
}

/** Returns the error that `body` throws, or undefined. */
export function errorOf(body: () => unknown): Error | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** Returns the error with which `body` rejects, or undefined. */
export async function rejectionOf(body: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await body();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
