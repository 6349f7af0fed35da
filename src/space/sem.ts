import { dispose } from "../engine/dispose.ts";
import { checkText, EDEADLK, HmmError, show } from "../engine/errors.ts";
import { inspect } from "../engine/inspect.ts";

/**
 * A hold of a mmapSem. The guard's owner may make the calls that demand the lock, and gives the lock back by
 * `close()` or at the end of the `using` block.
 */
export class MmapGuard {
  readonly mode: "read" | "write";
  /** The name of the hold in messages. */
  readonly holder: string;
  #sem: MmapSem | null;

  private constructor(mode: "read" | "write", holder: string, sem: MmapSem) {
    this.mode = mode;
    this.holder = holder;
    this.#sem = sem;
  }

  /** @internal The guard of a hold that was just entered. */
  static of(mode: "read" | "write", holder: string, sem: MmapSem): MmapGuard {
    return new MmapGuard(mode, holder, sem);
  }

  /** Whether the lock is still held through this guard. */
  get held(): boolean {
    return this.#sem !== null;
  }

  /** @internal What kind of guard it is, for messages. */
  get state(): string {
    if (!this.held) return "a closed";
    return this.mode === "read" ? "a read" : "another mm's";
  }

  /** @internal Whether it holds `sem` for write. */
  holds(sem: MmapSem): boolean {
    return this.#sem === sem && this.mode === "write";
  }

  /** Gives the lock back. Idempotent. */
  close(): void {
    const sem = this.#sem;
    if (sem === null) return;
    this.#sem = null;
    if (this.mode === "read") sem.leaveRead(this.holder);
    else sem.leaveWrite();
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return `MmapGuard (${this.mode} by ${this.holder}${this.held ? "" : ", closed"})`;
  }
}

interface Waiter {
  write: boolean;
  holder: string;
  grant: (guard: MmapGuard) => void;
}

/**
 * The lock over an address space's mappings (mmap_lock): many readers or one writer. There is no "current
 * task", so a hold is a {@link MmapGuard}; a wait that could never end is an error that names the holders.
 *
 * mmap, munmap, mprotect, mremap, fork and close take the lock for write themselves; CPU accesses, faults and
 * pins take it for read. The protocol's calls (hmmVmaFault, migrateVmaSetup, …) demand that it is held.
 */
export class MmapSem {
  readonly #readers: string[] = [];
  readonly #queue: Waiter[] = [];
  #writer: string | null = null;
  /** The call that runs under a write guard of the caller's. */
  #lent: string | null = null;
  #nested = 0;

  /** How the lock is held now. */
  get mode(): "free" | "read" | "write" {
    return this.#writer !== null ? "write" : this.#readers.length > 0 ? "read" : "free";
  }

  /** The names of the present holds, one for each. */
  get holders(): readonly string[] {
    return this.#writer !== null ? [this.#writer] : [...this.#readers];
  }

  /** @internal */
  [inspect](): string {
    return `MmapSem (${this.#describe()})`;
  }

  /** @internal Whether it is held, for read or write. */
  get held(): boolean {
    return this.#writer !== null || this.#readers.length > 0;
  }

  /** @internal Whether a CPU access would have to wait. */
  get writeHeld(): boolean {
    return this.#writer !== null;
  }

  /**
   * Takes the lock for read; `holder` names the hold in messages. Throws HmmError EDEADLK if a writer holds
   * it.
   */
  read(holder = "mmapSem.read()"): MmapGuard {
    checkText("mmapSem.read()", "holder", holder);
    this.enterRead(holder);
    return MmapGuard.of("read", holder, this);
  }

  /** Takes the lock for write; `holder` names the hold in messages. Throws HmmError EDEADLK if it is held. */
  write(holder = "mmapSem.write()"): MmapGuard {
    checkText("mmapSem.write()", "holder", holder);
    this.enterWrite(holder);
    return MmapGuard.of("write", holder, this);
  }

  /** Takes the lock for read, or returns null if a writer holds it. */
  tryRead(holder = "mmapSem.tryRead()"): MmapGuard | null {
    checkText("mmapSem.tryRead()", "holder", holder);
    return this.#writer === null ? this.read(holder) : null;
  }

  /** Takes the lock for write, or returns null if it is held. */
  tryWrite(holder = "mmapSem.tryWrite()"): MmapGuard | null {
    checkText("mmapSem.tryWrite()", "holder", holder);
    return this.mode === "free" ? this.write(holder) : null;
  }

  /** Takes the lock for read, after the writers that were waiting before. Never rejects. */
  async readAsync(holder = "mmapSem.readAsync()"): Promise<MmapGuard> {
    checkText("mmapSem.readAsync()", "holder", holder);
    if (this.#writer === null && (this.#queue.length === 0 || this.#nested > 0)) return this.read(holder);
    return this.#wait(false, holder);
  }

  /** Takes the lock for write, after every hold and waiter from before. Never rejects. */
  async writeAsync(holder = "mmapSem.writeAsync()"): Promise<MmapGuard> {
    checkText("mmapSem.writeAsync()", "holder", holder);
    if (this.mode === "free" && this.#queue.length === 0) return this.write(holder);
    return this.#wait(true, holder);
  }

  /**
   * @internal Takes the lock for read for the duration of a synchronous call: such holds nest like the calls.
   */
  enterRead(op: string): void {
    if (this.#writer !== null) throw this.#deadlock(op);
    this.#readers.push(op);
  }

  /** @internal Ends {@link enterRead}. */
  leaveRead(op: string): void {
    const readers = this.#readers;
    const last = readers.pop();
    // Holds may end in another order: then the name that was popped takes the place of the one that leaves.
    if (last !== undefined && last !== op) readers[readers.lastIndexOf(op)] = last;
    if (this.#queue.length > 0) this.#next();
  }

  /** @internal Takes the lock for write for the duration of a synchronous call. */
  enterWrite(op: string): void {
    if (this.mode !== "free") throw this.#deadlock(op);
    this.#writer = op;
  }

  /** @internal Ends {@link enterWrite}. */
  leaveWrite(): void {
    this.#writer = null;
    if (this.#queue.length > 0) this.#next();
  }

  /**
   * @internal Begins a call that changes mappings under a write guard that its caller holds, and keeps.
   * Throws TypeError for a guard that is none, that is closed, or that holds another lock; HmmError EDEADLK
   * if another call is running under the guard: this one comes from its callbacks.
   */
  enterLent(op: string, guard: MmapGuard): void {
    if (!(guard instanceof MmapGuard) || !guard.holds(this)) {
      const got = guard instanceof MmapGuard ? `${guard.state} one` : show(guard);
      throw new TypeError(`${op}: sem must be a guard that holds this mm's mmapSem for write, got ${got}`);
    }
    if (this.#lent !== null)
      throw new HmmError(EDEADLK, op, `would deadlock: ${this.#lent} is running under the same guard`);
    this.#lent = op;
  }

  /** @internal Ends {@link enterLent}. */
  leaveLent(): void {
    this.#lent = null;
  }

  /**
   * @internal A driver's faultAsync runs under a read hold: its own readAsync must not wait behind a writer.
   */
  nest(by: 1 | -1): void {
    this.#nested += by;
    if (this.#nested > 0 && this.#writer === null) this.#grantReaders();
  }

  /** @internal Throws TypeError unless the lock is held (for write, if `write`). */
  demand(op: string, write: boolean): void {
    if (write ? this.#writer !== null : this.held) return;
    const how = write ? "held for write" : "held (for read at least)";
    throw new TypeError(`${op}: mmapSem must be ${how}, and it is ${this.#describe()}`);
  }

  #describe(): string {
    if (this.#writer !== null) return `held for write by ${this.#writer}`;
    if (this.#readers.length === 0) return "free";
    return `held for read by ${this.#readers.join(", ")}`;
  }

  #deadlock(op: string): HmmError {
    return new HmmError(EDEADLK, op, `would deadlock: mmapSem is ${this.#describe()}`);
  }

  #wait(write: boolean, holder: string): Promise<MmapGuard> {
    return new Promise((grant) => this.#queue.push({ write, holder, grant }));
  }

  /** Hands the lock on: to one writer, or to the readers before the next writer. */
  #next(): void {
    const first = this.#queue[0];
    if (first === undefined || this.#writer !== null) return;
    if (!first.write) {
      while (this.#queue.length > 0 && !this.#queue[0].write) {
        const waiter = this.#queue.shift()!;
        waiter.grant(this.read(waiter.holder));
      }
    } else if (this.#readers.length === 0) {
      this.#queue.shift();
      first.grant(this.write(first.holder));
    }
  }

  #grantReaders(): void {
    const readers = this.#queue.filter((waiter) => !waiter.write);
    for (const waiter of readers) {
      this.#queue.splice(this.#queue.indexOf(waiter), 1);
      waiter.grant(this.read(waiter.holder));
    }
  }
}
