import {
  HDR_FLAGS,
  HDR_FLAG_LOG,
  HDR_LOG,
  HDR_LOG_ENTRIES,
  HDR_LOG_HEAD,
} from "../../assembly/abi/header.ts";
import {
  LOG_FAULT,
  LOG_FORK,
  LOG_INVALIDATE,
  LOG_MIGRATE,
  LOG_MMAP,
  LOG_MUNMAP,
  LOG_RECORD_A,
  LOG_RECORD_B,
  LOG_RECORD_C,
  LOG_RECORD_KIND,
  LOG_RECORD_MM,
  LOG_RECORD_SIZE,
} from "../../assembly/abi/log.ts";
import { badRange, badType } from "./errors.ts";
import type { Memory } from "./memory.ts";
import type { FaultKind, MmuNotifyEvent } from "./protocol.ts";

/** What listeners of `hmm.on` are given, by the event's name. `mm` is the address space's id. */
export interface HmmEvents {
  /** A CPU fault was resolved. kind: FAULT_KIND_*; pfn: the page that is mapped now. */
  fault: { mm: number; address: number; kind: FaultKind; pfn: number };
  /** A migration's pages() is done: how many pages were collected, and how many moved. */
  migrate: { mm: number; start: number; collected: number; moved: number };
  /** npages pages from start on were invalidated (Infinity: all). event: MMU_NOTIFY_*. */
  invalidate: { mm: number; start: number; npages: number; event: MmuNotifyEvent };
  /** npages pages from start on were mapped. */
  mmap: { mm: number; start: number; npages: number };
  /** npages pages from start on were unmapped. */
  munmap: { mm: number; start: number; npages: number };
  /** The address space was forked. child: the id of the child. */
  fork: { mm: number; child: number };
  /** count records were overwritten before they could be delivered (see HmmConfig.eventLog). */
  lost: { count: number };
}

/** The name of an event. */
export type HmmEventName = keyof HmmEvents;

const NAMES: readonly HmmEventName[] = ["fault", "migrate", "invalidate", "mmap", "munmap", "fork", "lost"];
const ALL_PAGES = 0xffffffff;

type Listener = (event: never) => void;

/**
 * @internal The event log: a ring that the core writes while there are listeners, read at the end of each API
 * call.
 */
export class EventLog {
  readonly #mem: Memory;
  readonly #listeners = new Map<HmmEventName, Set<Listener>>();
  #read = 0;

  constructor(mem: Memory) {
    this.#mem = mem;
    this.#read = mem.header(HDR_LOG_HEAD);
  }

  /** Adds a listener. Returns the function that removes it. Throws RangeError and TypeError. */
  on<N extends HmmEventName>(name: N, listener: (event: HmmEvents[N]) => void): () => void {
    if (!NAMES.includes(name)) throw badRange("hmm.on", "name", `one of ${NAMES.join(", ")}`, name);
    if (typeof listener !== "function") throw badType("hmm.on", "listener", "a function", listener);
    const set = this.#listeners.get(name) ?? new Set();
    // A wrapper, so that the same function may listen twice.
    const entry: Listener = (event) => listener(event);
    this.#listeners.set(name, set.add(entry));
    if (!this.#enabled) this.#read = this.#mem.header(HDR_LOG_HEAD);
    this.#mem.setHeader(HDR_FLAGS, this.#mem.header(HDR_FLAGS) | HDR_FLAG_LOG);
    return () => {
      set.delete(entry);
      if ([...this.#listeners.values()].every((others) => others.size === 0)) this.disable();
    };
  }

  /** Stops the core from writing records. */
  disable(): void {
    this.#mem.setHeader(HDR_FLAGS, this.#mem.header(HDR_FLAGS) & ~HDR_FLAG_LOG);
  }

  /** Delivers what the core has written since the last delivery. Throws what a listener throws. */
  deliver(): void {
    if (!this.#enabled) return;
    const capacity = this.#mem.header(HDR_LOG_ENTRIES);
    while (this.#read !== this.#mem.header(HDR_LOG_HEAD)) {
      const waiting = (this.#mem.header(HDR_LOG_HEAD) - this.#read) >>> 0;
      if (waiting > capacity) {
        const count = waiting - capacity;
        this.#read = (this.#read + count) >>> 0;
        this.#emit("lost", { count });
        continue;
      }
      const record = this.#mem.header(HDR_LOG) + (this.#read & (capacity - 1)) * LOG_RECORD_SIZE;
      this.#read = (this.#read + 1) >>> 0;
      this.#dispatch(record);
    }
  }

  get #enabled(): boolean {
    return (this.#mem.header(HDR_FLAGS) & HDR_FLAG_LOG) !== 0;
  }

  #emit<N extends HmmEventName>(name: N, event: HmmEvents[N]): void {
    const set = this.#listeners.get(name);
    if (set !== undefined)
      for (const listener of [...set]) (listener as (event: HmmEvents[N]) => void)(event);
  }

  #dispatch(record: number): void {
    const kind = this.#mem.u32(record + LOG_RECORD_KIND);
    const mm = this.#mem.u32(record + LOG_RECORD_MM);
    const a = this.#mem.f64(record + LOG_RECORD_A);
    const b = this.#mem.u32(record + LOG_RECORD_B);
    const c = this.#mem.u32(record + LOG_RECORD_C);
    if (kind === LOG_FAULT) this.#emit("fault", { mm, address: a, kind: b as FaultKind, pfn: c });
    else if (kind === LOG_MIGRATE) this.#emit("migrate", { mm, start: a, collected: b, moved: c });
    else if (kind === LOG_INVALIDATE) {
      const npages = c === ALL_PAGES ? Infinity : c;
      this.#emit("invalidate", { mm, start: a, npages, event: b as MmuNotifyEvent });
    } else if (kind === LOG_MMAP) this.#emit("mmap", { mm, start: a, npages: b });
    else if (kind === LOG_MUNMAP) this.#emit("munmap", { mm, start: a, npages: b });
    else if (kind === LOG_FORK) this.#emit("fork", { mm, child: b });
  }
}
