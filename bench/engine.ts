/** What the rows share: an engine, and a device with the smallest possible driver. */
import {
  Hmm,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_SIGBUS,
  hmmDevmemAdd,
  migrateVma,
} from "../src/index.ts";
import type { HmmConfig, HmmDevmem, MigrateVmaOps, Mm } from "../src/index.ts";

export const PAGE = 4096;
export const MIB = 1 << 20;
export const GIB = 1024 * MIB;

/** Protection and flags of the rows' mappings. */
export const PRIVATE = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS } as const;

/**
 * Creates an engine. It has no device memory unless `config` asks for some. The rows' sizes are those of
 * pages: page tables have a pool of their own, beside system memory.
 */
export const createEngine = (config: HmmConfig): Promise<Hmm> =>
  Hmm.create({ deviceMemory: 0, ...config, capacities: { pageTables: 8192, ...config.capacities } });

/** Pages that one migration moves. */
export const BATCH = 512;

/** A device whose driver migrates ranges in batches, and does nothing else. */
export class BenchDevice {
  readonly devmem: HmmDevmem;
  readonly #in: MigrateVmaOps;
  readonly #out: MigrateVmaOps;

  /** @param copies false in metadata mode, where frames have no contents to copy */
  constructor(hmm: Hmm, bytes: number, { copies = true } = {}) {
    const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, this, bytes);
    this.devmem = devmem;
    this.#in = {
      allocAndCopy(_vma, src, dst) {
        devmem.allocPages(src, dst);
        if (copies) hmm.copyPages(src, dst);
      },
      finalizeAndMap() {},
    };
    this.#out = {
      allocAndCopy(_vma, src, dst) {
        hmm.allocPages(src, dst);
        if (copies) hmm.copyPages(src, dst);
      },
      finalizeAndMap() {},
    };
  }

  /** Moves [start, end) of one mapping to the device. Returns how many pages moved. */
  toDevice(mm: Mm, start: number, end: number): number {
    return this.#move(mm, this.#in, start, end, MIGRATE_VMA_SELECT_SYSTEM);
  }

  /** Moves [start, end) of one mapping back to system memory. Returns how many pages moved. */
  toSystem(mm: Mm, start: number, end: number): number {
    return this.#move(mm, this.#out, start, end, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
  }

  #move(mm: Mm, ops: MigrateVmaOps, start: number, end: number, select: number): number {
    const sem = mm.mmapSem.read();
    const vma = mm.findVma(start);
    let moved = 0;
    for (let at = start; at < end; at += BATCH * PAGE) {
      const result = migrateVma(ops, {
        vma,
        start: at,
        end: Math.min(at + BATCH * PAGE, end),
        select,
        owner: this,
      });
      moved += result.moved;
    }
    sem.close();
    return moved;
  }
}
