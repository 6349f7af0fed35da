/** UVM-Smart's remote reads and runtime, beside the managed driver of one device. */
import {
  REMOTE_PENALTY,
  REMOTE_THRESHOLD,
  RemoteCounters,
  type Occupied,
  type RemoteReads,
  type RemoteState,
} from "../policies/adaptive.ts";
import { either } from "../policies/evict/either.ts";
import type { EvictPolicy } from "../policies/evict/evictor.ts";
import { tbn } from "../policies/evict/tree.ts";
import { SmartRuntime, type RuntimeState } from "../policies/smart-runtime.ts";
import type { RoomListener } from "./room.ts";

const PAGE_BYTES = 4096;

/** When a read brings its page. */
export interface RemoteOptions {
  reads: RemoteReads;
  threshold: number;
  penalty: number;
}

/** Remote reads as the runtime has them: enable_dma 3. */
const SMART_READS = {
  reads: "oversubscribed",
  threshold: REMOTE_THRESHOLD,
  penalty: REMOTE_PENALTY,
} as const;

/** What a snapshot keeps. */
export interface UvmSmartState {
  counters: RemoteState;
  runtime: RuntimeState | null;
  allocations: { first: number; end: number }[];
}

/** Both for one device. Pages are numbered by their address: page n begins at byte 4096 n. */
export class UvmSmart implements RoomListener {
  readonly #counters: RemoteCounters;
  /** Null: remote reads alone. */
  readonly #runtime: SmartRuntime | null;
  /** The allocations that the runtime classifies: pages [first, end), the newest first. */
  readonly #allocations: { first: number; end: number }[] = [];

  /** @param options of remote reads alone; null: the runtime decides */
  constructor(options: RemoteOptions | null) {
    const { reads, threshold, penalty } = options ?? SMART_READS;
    this.#counters = new RemoteCounters(reads, threshold, penalty);
    this.#runtime = options === null ? new SmartRuntime() : null;
  }

  state(): UvmSmartState {
    const runtime = this.#runtime?.state() ?? null;
    return { counters: this.#counters.state(), runtime, allocations: [...this.#allocations] };
  }

  /** Makes it what state() has returned. */
  restore({ counters, runtime, allocations }: UvmSmartState): void {
    this.#counters.restore(counters);
    if (runtime !== null) this.#runtime?.restore(runtime);
    this.#allocations.push(...allocations);
  }

  /** Notes an allocation of `bytes` from `start` on. Memory that belongs to none counts as one. */
  array(start: number, bytes: number): void {
    const [first, end] = [Math.floor(start / PAGE_BYTES), Math.ceil((start + bytes) / PAGE_BYTES)];
    this.#allocations.unshift({ first, end });
  }

  /** A kernel begins. */
  kernel(): void {
    this.#runtime?.kernel();
  }

  /** Returns the policy that evicts: the one that is given until the runtime chooses the tree. */
  policy(given: EvictPolicy): EvictPolicy {
    const runtime = this.#runtime;
    return runtime === null ? given : either(given, tbn, () => runtime.evictsByTree);
  }

  /** Counts an access of the device to a page, wherever it is. */
  access(page: number): void {
    this.#counters.access(page);
  }

  /** Whether an access that is counted brings its page, which RAM holds; else it is made there. */
  brings(page: number, write: boolean, memory: Occupied): boolean {
    return this.#runtime?.readsRemotely === false || this.#counters.brings(page, write, memory);
  }

  brought(page: number): void {
    const at = this.#allocations.findIndex(({ first, end }) => first <= page && page < end);
    this.#runtime?.brought(at < 0 ? -1 : this.#allocations.length - at, page);
  }

  evicting(): void {
    this.#runtime?.choose();
  }

  writtenBack(block: number): void {
    this.#counters.writtenBack(block);
  }
}
