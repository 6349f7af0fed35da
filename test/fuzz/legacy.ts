/** The calls of 2018 on the address space that a device file mirrors. */
import {
  EBUSY,
  HMM_PFN_ERROR,
  HMM_PFN_WRITE,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorUnregister,
  hmmPfn,
  HmmRange,
  hmmVmaAllocLockedPage,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPage,
  migrateVma,
  PAGE_SIZE,
  VM_WRITE,
  type Hmm,
  type HmmMirrorOps,
  type MigrateResult,
  type Mm,
  type MmapGuard,
  type Vma,
} from "../../src/index.ts";
import { encodeBytes } from "../golden/codec.ts";
import type { Handle } from "./handle.ts";
import type { Answer } from "./plan.ts";
import { eventName, snapshotByte } from "./seen.ts";

type Update = [event: string, start: number, end: number, action: number];

/** A call whose hmmVmaRangeDone is still due. */
interface Tracked {
  vma: Vma;
  range: HmmRange;
  pfns: Uint32Array;
  sem: MmapGuard;
}

export class Legacy {
  mirror: HmmMirror | null = null;
  /** The engine's callback. */
  readonly ops: HmmMirrorOps = {
    update: (_mirror, action, start, end, event) =>
      void this.updates.push([eventName(event), start, end, action]),
  };
  tracked: Tracked | null = null;
  private updates: Update[] = [];

  constructor(private readonly handle: Handle) {}

  register(): void {
    const mirror = new HmmMirror(this.ops);
    hmmMirrorRegister(mirror, this.handle.mm);
    this.mirror = mirror;
    this.updates = [];
  }

  unregister(): void {
    if (this.mirror) hmmMirrorUnregister(this.mirror);
    this.mirror = null;
  }

  /** Continues on an engine restored from a snapshot. */
  moveTo(hmm: Hmm): void {
    if (this.mirror) this.mirror = hmm.mirrors().find(({ id }) => id === this.mirror!.id)!;
  }

  /** Returns the updates since the last call; null without a mirror. */
  takeUpdates(): Update[] | null {
    const updates = this.updates;
    this.updates = [];
    return this.mirror ? updates : null;
  }

  /**
   * Calls hmmVmaGetPfns, or with a `mode` hmmVmaFault (1 to read, 2 to write). With `keep` the range stays
   * tracked.
   */
  look(start: number, n: number, mode: number, keep: boolean): Answer {
    const { mm, device } = this.handle;
    const sem = mm.mmapSem.read();
    const range = new HmmRange({ owner: device });
    const pfns = new Uint32Array(n);
    const vma = mm.findVma(start);
    const end = start + n * PAGE_SIZE;
    let ret: number;
    try {
      if (mode === 0) ret = hmmVmaGetPfns(vma, range, start, end, pfns);
      else ret = hmmVmaFault(vma, range, start, end, pfns, mode === 2, false);
    } catch (error) {
      sem.close();
      throw error;
    }
    if (ret !== 0) {
      sem.close();
      return ret === -EBUSY ? { ret } : { ret, at: pfns.findIndex((pfn) => (pfn & HMM_PFN_ERROR) !== 0) };
    }
    const snap = this.bytes(pfns);
    this.tracked = { vma: vma!, range, pfns, sem };
    return keep ? { ret, snap } : { ret, snap, ...this.done() };
  }

  /** Calls hmmVmaRangeDone. Returns whether the earlier result is still valid, and the slots. */
  done(): Answer {
    const { vma, range, pfns, sem } = this.tracked!;
    this.tracked = null;
    const valid = hmmVmaRangeDone(vma.stale ? null : vma, range);
    sem.close();
    return { valid, left: this.bytes(pfns) };
  }

  private bytes(pfns: Uint32Array): string {
    return encodeBytes(Array.from(pfns, (pfn) => snapshotByte(this.handle.device, pfn)));
  }

  /** Calls migrateVma to the device, whose table gets the moved pages. */
  migrate(start: number, n: number): Answer {
    const { device, mm, table } = this.handle;
    using _sem = mm.mmapSem.read();
    const ops = {
      allocAndCopy: (_vma: Vma, src: Uint32Array, dst: Uint32Array): void => {
        device.fill(src, dst);
        device.hmm.copyPages(src, dst);
      },
      finalizeAndMap: (vma: Vma, src: Uint32Array, dst: Uint32Array, from: number): void => {
        // A moved page has left its old place, whether or not its new entry has room.
        src.forEach((word, i) => {
          const at = from + i * PAGE_SIZE;
          if ((word & MIGRATE_PFN_MIGRATE) !== 0) table.clear(at, at + PAGE_SIZE);
        });
        src.forEach((word, i) => {
          if ((word & MIGRATE_PFN_MIGRATE) === 0) return;
          const hole = (word & MIGRATE_PFN_VALID) === 0;
          const write = hole ? (vma.flags & VM_WRITE) !== 0 : (word & MIGRATE_PFN_WRITE) !== 0;
          const pfn = hmmPfn(migratePfnToPage(dst[i]), write ? HMM_PFN_WRITE : 0);
          table.map(from + i * PAGE_SIZE, Uint32Array.of(pfn));
        });
      },
    };
    const select = MIGRATE_VMA_SELECT_SYSTEM;
    const call = { vma: mm.findVma(start), start, end: start + n * PAGE_SIZE, owner: device, select };
    return answer(this.handle.own(() => migrateVma(ops, call)));
  }

  close(): void {
    if (this.tracked) this.done();
    this.unregister();
  }
}

/** Calls migrateVma to other pages of system memory. */
export function moveInRam(mm: Mm, start: number, n: number): Answer {
  using _sem = mm.mmapSem.read();
  const ops = {
    allocAndCopy: (vma: Vma, src: Uint32Array, dst: Uint32Array, from: number): void => {
      src.forEach((word, i) => {
        const target = word & MIGRATE_PFN_MIGRATE ? hmmVmaAllocLockedPage(vma, from + i * PAGE_SIZE) : 0;
        if (target !== 0) dst[i] = migratePfn(target);
      });
      mm.hmm.copyPages(src, dst);
    },
    finalizeAndMap: (): void => {},
  };
  const select = MIGRATE_VMA_SELECT_SYSTEM;
  return answer(migrateVma(ops, { vma: mm.findVma(start), start, end: start + n * PAGE_SIZE, select }));
}

const answer = ({ ret, cpages, moved }: MigrateResult): Answer => ({ ret, cpages, moved });
