import { dispose } from "../engine/dispose.ts";
import { badRange, badType, checkOptions, checkText, checkU32 } from "../engine/errors.ts";
import {
  EBUSY,
  hmmDevmemAdd,
  HmmError,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migrateVmaSetup,
  PAGE_SIZE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type Hmm,
  type HmmDevmem,
  type VmFault,
  type Vma,
} from "../index.ts";
import { checkPfns } from "../page/arrays.ts";
import { Random } from "./random.ts";

/** A copy that a {@link DelayedDevice} has been told to make and has not made yet. */
export interface PendingCopy {
  /** Counts the device's copies from 1. */
  readonly id: number;
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  /** What dma() was told that it is for. */
  readonly label: string;
}

/** Turns of the event loop without anything happening, after which waiting is given up. */
const PATIENCE = 100;

/** Lets everything run that can. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

interface Copy extends PendingCopy {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export interface DelayedDeviceOptions {
  /** Bytes of device memory. Default 4 MiB. */
  memory?: number;
  /** Seed of the order in which {@link DelayedDevice.settle} makes the copies. Default 1. */
  seed?: number;
  /**
   * What a synchronous CPU access to the device's pages gets: "copy" (default) brings the page back at once,
   * "sigbus" refuses, to show that a test goes through the asynchronous accesses only.
   */
  synchronousFaults?: "copy" | "sigbus";
  /** A stable name for Hmm.restore. */
  id?: string;
}

/**
 * A fake device whose copies finish later, and in another order than they were started: {@link dma} returns a
 * promise, and the bytes move when the test says so. Nothing runs by itself, there are no timers; the same
 * seed and the same calls give the same run.
 *
 * const done = toDevice(device, mm, start, end); // awaits device.dma(m.src, m.dst) somewhere await
 * device.until(1); // the copy has been asked for; pages are locked device.finish(device.pending[0]); // now
 * it is made await done;
 *
 * CPU faults on its pages, by mm.readAsync and its like, are served by such copies too.
 */
export class DelayedDevice {
  readonly hmm: Hmm;
  readonly devmem: HmmDevmem;
  /** Copies made, in the order in which they were made, by id. */
  readonly finished: number[] = [];
  /** Pages given back by the engine. */
  freed = 0;
  readonly #random: Random;
  #copies: Copy[] = [];
  #count = 0;

  constructor(hmm: Hmm, options: DelayedDeviceOptions = {}) {
    const op = "new DelayedDevice";
    checkOptions(op, "options", options);
    const { memory = 4 << 20, seed = 1, synchronousFaults = "copy", id } = options;
    checkU32(op, "seed", seed);
    if (synchronousFaults !== "copy" && synchronousFaults !== "sigbus")
      throw badRange(op, "synchronousFaults", '"copy" or "sigbus"', synchronousFaults);
    this.hmm = hmm;
    this.#random = new Random(seed);
    const ops = {
      free: (): void => void this.freed++,
      fault: (_devmem: HmmDevmem, vma: Vma, address: number): VmFault =>
        synchronousFaults === "copy" ? this.#fault(vma, address) : VM_FAULT_SIGBUS,
      faultAsync: (_devmem: HmmDevmem, vma: Vma, address: number): Promise<VmFault> =>
        this.#faultAsync(vma, address),
    };
    this.devmem = hmmDevmemAdd(hmm, ops, this, memory, { id });
  }

  /** Copies that wait, oldest first. */
  get pending(): readonly PendingCopy[] {
    return this.#copies;
  }

  /** Asks for a copy of src's pages to dst's (hmm.copyPages). Resolves when it has been made. */
  async dma(src: Uint32Array, dst: Uint32Array, label = "dma"): Promise<void> {
    const op = this.#open("dma");
    checkPfns(op, "src", src, 0);
    checkPfns(op, "dst", dst, src.length);
    checkText(op, "label", label);
    return new Promise((resolve, reject) => {
      this.#copies.push({ id: ++this.#count, src, dst, label, resolve, reject });
    });
  }

  /** Makes one copy; by default one that the seed picks. */
  finish(copy?: PendingCopy): void {
    const { src, dst, resolve } = this.#take("finish", copy);
    this.hmm.copyPages(src, dst);
    resolve();
  }

  /** The copy is not made: its dma() rejects. */
  fail(copy?: PendingCopy, error: unknown = new Error("the copy failed")): void {
    this.#take("fail", copy).reject(error);
  }

  /** Waits until at least n copies are pending. Throws if that does not come about. */
  async until(n: number): Promise<void> {
    checkU32("delayedDevice.until", "n", n);
    for (let i = 0; this.#copies.length < n; i++) {
      if (i === PATIENCE) throw new Error(`${this.#copies.length} copies are pending, not ${n}`);
      await turn();
    }
  }

  /**
   * Makes copies in the seed's order, and those that follow from them, until `work` is done. Returns what it
   * resolves to. Throws if it waits for something else than a copy.
   */
  async settle<T>(work: Promise<T>): Promise<T> {
    if (!(work instanceof Promise)) throw badType("delayedDevice.settle", "work", "a promise", work);
    let settled = false;
    const finished = (): void => void (settled = true);
    work.then(finished, finished);
    for (let idle = 0; !settled;) {
      await turn();
      if (settled) break;
      if (this.#copies.length === 0) {
        if (++idle === PATIENCE) throw new Error("nothing is pending, and the work is not done");
        continue;
      }
      idle = 0;
      this.finish();
    }
    return work;
  }

  /**
   * Gives the memory back. Throws HmmError EBUSY while copies are pending, or if a page cannot be evicted.
   */
  close(): void {
    if (this.#copies.length > 0) {
      throw new HmmError(EBUSY, "delayedDevice.close", `${this.#copies.length} copies are pending`);
    }
    if (!this.devmem.removed) this.devmem.close();
  }

  [dispose](): void {
    this.close();
  }

  /** The name of a method for messages. Throws TypeError after close(). */
  #open(name: string): string {
    if (this.devmem.removed) throw new TypeError(`delayedDevice.${name}: the device is closed`);
    return `delayedDevice.${name}`;
  }

  #take(name: string, copy: PendingCopy | undefined = this.#random.pick(this.#copies)): Copy {
    const op = this.#open(name);
    const taken = this.#copies.find((pending) => pending === copy);
    if (taken === undefined) throw badRange(op, "copy", "a copy that is pending", copy);
    this.#copies.splice(this.#copies.indexOf(taken), 1);
    this.finished.push(taken.id);
    return taken;
  }

  /**
   * A CPU touches one of our pages and cannot wait. The engine knows owner, selection and faulting page here.
   */
  #fault(vma: Vma, address: number): VmFault {
    const start = address - (address % PAGE_SIZE);
    using m = migrateVmaSetup({ vma, start, end: start + PAGE_SIZE });
    if (this.hmm.allocPages(m.src, m.dst) < m.cpages) return VM_FAULT_OOM;
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }

  /** As #fault, for an access that waits; mmapSem is held meanwhile. */
  async #faultAsync(vma: Vma, address: number): Promise<VmFault> {
    const start = address - (address % PAGE_SIZE);
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    using m = migrateVmaSetup({ vma, start, end: start + PAGE_SIZE, owner: this, select });
    if (m.cpages === 0) return 0;
    if (this.hmm.allocPages(m.src, m.dst) < m.cpages) return VM_FAULT_OOM;
    await this.dma(m.src, m.dst, "fault");
    m.pages();
    return 0;
  }
}
