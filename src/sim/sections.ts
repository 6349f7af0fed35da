/** The parts of a run that have counts of their own: epochs and kernels. */
import { difference, together, type Counts } from "./counts.ts";
import type { EpochReport, KernelReport } from "./report.ts";

/** What a snapshot keeps of the parts. */
export interface SectionsState {
  epochs: EpochReport[];
  kernels: KernelReport[];
  /** By thread: the kernels that it has begun and not ended, the innermost last. */
  threads: [thread: number, names: string[]][];
  /** All of them in the order in which they began. */
  running: string[];
  /** The counts at which the current kernel, and the current epoch, began. */
  kernelStart: Counts;
  epochStart: Counts;
  /** The access at which the current epoch began. */
  epochFrom: number;
}

/** Counts for each epoch and each kernel. Every call takes the counts, and the number of accesses, so far. */
export class Sections {
  readonly #byKernel: boolean;
  readonly #byNumber: boolean;
  #epochs: EpochReport[];
  #kernels: Map<string, KernelReport>;
  readonly #threads: Map<number, string[]>;
  readonly #running: string[];
  #kernelStart: Counts;
  #epochStart: Counts;
  #epochFrom: number;

  /** Begins at the first access, or goes on from what a snapshot kept. */
  constructor(epoch: number | "kernel" | null, from: Counts | SectionsState) {
    this.#byKernel = epoch === "kernel";
    this.#byNumber = typeof epoch === "number";
    const none = { epochs: [], kernels: [], threads: [], running: [], epochFrom: 0 };
    const state = "epochFrom" in from ? from : { ...none, kernelStart: from, epochStart: from };
    this.#epochs = state.epochs;
    this.#kernels = new Map(state.kernels.map((kernel) => [kernel.name, kernel]));
    this.#threads = new Map(state.threads);
    this.#running = state.running;
    this.#kernelStart = state.kernelStart;
    this.#epochStart = state.epochStart;
    this.#epochFrom = state.epochFrom;
  }

  /** Forgets what was counted: the counts begin here. Kernels that run go on running. */
  restart(counts: Counts, access: number): void {
    this.#epochs = [];
    this.#kernels = new Map();
    for (const name of this.#running) this.#of(name, counts);
    this.#kernelStart = this.#epochStart = counts;
    this.#epochFrom = access;
  }

  /** A thread begins a kernel. */
  begin(thread: number, name: string, counts: Counts, access: number): void {
    this.#change(counts, access);
    const names = this.#threads.get(thread);
    if (names === undefined) this.#threads.set(thread, [name]);
    else names.push(name);
    this.#running.push(name);
    this.#of(name, counts).begins++;
  }

  /** A thread ends the kernel that it began last. Without one, nothing happens. */
  end(thread: number, counts: Counts, access: number): void {
    const names = this.#threads.get(thread);
    const name = names?.pop();
    if (name === undefined) return;
    this.#change(counts, access);
    if (names!.length === 0) this.#threads.delete(thread);
    this.#running.splice(this.#running.lastIndexOf(name), 1);
  }

  /** An epoch of N accesses ends here. */
  closeEpoch(counts: Counts, access: number): void {
    if (access === this.#epochFrom) return;
    this.#epochs.push(this.#epoch(counts, access));
    this.#epochStart = counts;
    this.#epochFrom = access;
  }

  /** Returns the counts of the epochs, the current one included. */
  epochs(counts: Counts, access: number): EpochReport[] {
    if (!this.#byKernel && !this.#byNumber) return [];
    const open = access === this.#epochFrom ? [] : [this.#epoch(counts, access)];
    return structuredClone([...this.#epochs, ...open]);
  }

  /** Returns the counts of the kernels, up to now. */
  kernels(counts: Counts): KernelReport[] {
    const current = this.#running.at(-1);
    return [...this.#kernels.values()].map((kernel) =>
      kernel.name === current
        ? { ...kernel, ...together(difference(counts, this.#kernelStart), kernel) }
        : structuredClone(kernel),
    );
  }

  state(): SectionsState {
    return {
      epochs: this.#epochs,
      kernels: [...this.#kernels.values()],
      threads: [...this.#threads],
      running: this.#running,
      kernelStart: this.#kernelStart,
      epochStart: this.#epochStart,
      epochFrom: this.#epochFrom,
    };
  }

  /** Another kernel is the current one from here on, or none. */
  #change(counts: Counts, access: number): void {
    if (this.#byKernel) this.closeEpoch(counts, access);
    const current = this.#running.at(-1);
    if (current !== undefined) {
      const kernel = this.#of(current, counts);
      Object.assign(kernel, together(difference(counts, this.#kernelStart), kernel));
    }
    this.#kernelStart = counts;
  }

  #epoch(counts: Counts, access: number): EpochReport {
    const kernel = this.#byKernel ? (this.#running.at(-1) ?? null) : null;
    return { from: this.#epochFrom, to: access, kernel, ...difference(counts, this.#epochStart) };
  }

  /** The counts of a kernel, which are 0 if it is new. */
  #of(name: string, counts: Counts): KernelReport {
    const kernel = this.#kernels.get(name) ?? { name, begins: 0, ...difference(counts, counts) };
    this.#kernels.set(name, kernel);
    return kernel;
  }
}
