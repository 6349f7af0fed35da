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
import { Random } from "../engine/random.ts";

/** A copy that a {@link DelayedDevice} was told to make and has not made yet. */
export interface PendingCopy {
  /** The number of the copy; a device counts its copies from 1. */
  readonly id: number;
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  /** The label that dma() was given. */
  readonly label: string;
}

/** Turns of the event loop without progress, after which waiting fails. */
const PATIENCE = 100;

/** Waits one turn of the event loop, so that everything that can run does. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

interface Copy extends PendingCopy {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** What a {@link DelayedDevice} is made with. */
export interface DelayedDeviceOptions {
  /** Bytes of device memory. Default 4 MiB. */
  memory?: number | undefined;
  /** The seed of the order in which {@link DelayedDevice.settle} makes the copies. Default 1. */
  seed?: number | undefined;
  /**
   * What a synchronous CPU access to the device's pages does: "copy" (default) brings the page back at once,
   * "sigbus" fails, to show that a test uses asynchronous accesses only.
   */
  synchronousFaults?: "copy" | "sigbus" | undefined;
  /** A stable name for Hmm.restore. Default: "devmem1", "devmem2", … */
  id?: string | undefined;
}

/**
 * A fake device whose copies finish later, and in another order than they were started: {@link dma} returns a
 * promise, and the bytes move when the test says so. Nothing runs by itself, and there are no timers: the
 * same seed and the same calls make the same run.
 *
 *    const done = toDevice(device, mm, start, end);    // awaits device.dma(m.src, m.dst) somewhere
 *    await device.until(1);                            // the copy was requested; the pages are locked
 *    device.finish(device.pending[0]);                 // now it is made
 *    await done;
 *
 * CPU faults on its pages, by mm.readAsync and the like, use such copies too.
 */
export class DelayedDevice {
  readonly hmm: Hmm;
  readonly devmem: HmmDevmem;
  /** The numbers of the copies that were made, in their order. */
  readonly finished: number[] = [];
  /** How many of its pages were freed. */
  freed = 0;
  readonly #random: Random;
  #copies: Copy[] = [];
  #count = 0;

  /** Throws TypeError and RangeError for bad arguments, HmmError ENOMEM. The caller closes the device. */
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

  /** The copies that are not made yet, oldest first. */
  get pending(): readonly PendingCopy[] {
    return this.#copies;
  }

  /**
   * Requests a copy of src's pages to dst's (hmm.copyPages). The promise resolves when the copy was made.
   * Rejects with TypeError and RangeError for bad arguments.
   */
  async dma(src: Uint32Array, dst: Uint32Array, label = "dma"): Promise<void> {
    const op = this.#open("dma");
    checkPfns(op, "src", src, 0);
    checkPfns(op, "dst", dst, src.length);
    checkText(op, "label", label);
    return new Promise((resolve, reject) => {
      this.#copies.push({ id: ++this.#count, src, dst, label, resolve, reject });
    });
  }

  /** Makes one copy, by default one that the seed picks. Throws RangeError unless it is pending. */
  finish(copy?: PendingCopy): void {
    const { src, dst, resolve } = this.#take("finish", copy);
    this.hmm.copyPages(src, dst);
    resolve();
  }

  /**
   * Drops a copy without making it: its dma() rejects with `error`. Throws RangeError unless it is pending.
   */
  fail(copy?: PendingCopy, error: unknown = new Error("the copy failed")): void {
    this.#take("fail", copy).reject(error);
  }

  /** Waits until at least n copies are pending. Rejects with Error if that does not happen. */
  async until(n: number): Promise<void> {
    checkU32("delayedDevice.until", "n", n);
    for (let i = 0; this.#copies.length < n; i++) {
      if (i === PATIENCE) throw new Error(`${this.#copies.length} copies are pending, not ${n}`);
      await turn();
    }
  }

  /**
   * Makes copies in the seed's order, and those that follow from them, until `work` is done. Returns what
   * `work` resolves to. Rejects with Error if `work` waits for anything but a copy.
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
   * Gives the memory back. Idempotent. Throws HmmError EBUSY while copies are pending, or if a page cannot be
   * evicted.
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

  /** Returns a method's name for messages. Throws TypeError after close(). */
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
   * Serves a CPU access to a page of the device that cannot wait. The engine knows owner, selection and
   * faulting page here.
   */
  #fault(vma: Vma, address: number): VmFault {
    const start = address - (address % PAGE_SIZE);
    using m = migrateVmaSetup({ vma, start, end: start + PAGE_SIZE });
    if (this.hmm.allocPages(m.src, m.dst) < m.cpages) return VM_FAULT_OOM;
    this.hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  }

  /** Serves an access that waits, as #fault does; mmapSem is held meanwhile. */
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
