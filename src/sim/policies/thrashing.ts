/**
 * The NVIDIA driver's detection of thrashing (uvm_perf_thrashing.c): a page that processors take
 * from each other too often is kept from some of them for a while, and then pinned where others map it
 * remotely. Times are in nanoseconds.
 */
import {
  bitsToText,
  BLOCK_PAGES,
  clearBit,
  hasBit,
  newBits,
  nextBit,
  setBit,
  setFromText,
  type Bits,
} from "../driver/bits.ts";
import {
  canMap,
  CPU,
  hasAtomics,
  NOWHERE,
  type Processor,
  type ProcessorMask,
  type Topology,
} from "../driver/processor.ts";

/** The parameters, by the driver's names without `uvm_perf_thrashing_`. */
export interface ThrashingParameters {
  /** Counted events that make a page thrash. */
  threshold: number;
  /** Throttles after which the page is pinned. */
  pinThreshold: number;
  /** Events at most this far apart belong together. */
  lapse: number;
  /** How long a throttle and a pin last. */
  nap: number;
  pin: number;
}

const LAPSE_NS = 500_000;

/** Times in nanoseconds that are not the driver's. */
export type ThrashingTimes = Partial<Pick<ThrashingParameters, "lapse" | "nap" | "pin">>;

/** Returns the driver's parameters: a lapse of 500 µs, a nap of one lapse, and a pin of 300. */
export function thrashingOf({ lapse = LAPSE_NS, nap, pin }: ThrashingTimes = {}): ThrashingParameters {
  return { threshold: 3, pinThreshold: 10, lapse, nap: nap ?? lapse, pin: pin ?? 300 * lapse };
}

/**
 * What a fault on a page is to do: nothing special, wait until a time, or use the page where it is pinned.
 */
export type Hint = { kind: "none" } | { kind: "throttle"; until: number } | { kind: "pin"; where: Processor };

/** The state of a page that processors have shared. */
interface PageState {
  /** Its last event, and events that were close enough to be counted. */
  last: number;
  count: number;
  /** Processors whose events it had. */
  processors: ProcessorMask;
  /**
   * The throttle period: its end, who is exempt, who was throttled in it, and how many throttles there were.
   */
  periodEnd: number;
  exempt: Processor;
  throttled: ProcessorMask;
  throttles: number;
  /** Where it is pinned, and until when. */
  pinned: Processor;
  pinEnd: number;
}

function newPage(): PageState {
  return {
    last: -Infinity,
    count: 0,
    processors: 0,
    periodEnd: -Infinity,
    exempt: NOWHERE,
    throttled: 0,
    throttles: 0,
    pinned: NOWHERE,
    pinEnd: Infinity,
  };
}

/** What a snapshot keeps of a block. JSON has no infinities, so times are text. */
export interface BlockThrashingState {
  last: string;
  processor: Processor;
  pages: string;
  states: [page: number, state: StoredPage][] | null;
}
type StoredPage = Omit<PageState, "last" | "periodEnd" | "pinEnd"> &
  Record<"last" | "periodEnd" | "pinEnd", string>;

/** The state of one block. The driver keeps one for each block. */
export class BlockThrashing {
  /** The block's number. */
  readonly block: number;
  /** The block's last event, and whose it was. */
  last = -Infinity;
  processor: Processor = NOWHERE;
  /** The pages that thrash. */
  readonly pages: Bits = newBits();
  /** By page, since two processors have shared the block; null before. */
  states: Map<number, PageState> | null = null;

  constructor(block: number) {
    this.block = block;
  }

  state(): BlockThrashingState {
    const stored = (state: PageState): StoredPage => ({
      ...state,
      last: String(state.last),
      periodEnd: String(state.periodEnd),
      pinEnd: String(state.pinEnd),
    });
    const states =
      this.states && [...this.states].map(([page, one]) => [page, stored(one)] as [number, StoredPage]);
    return { last: String(this.last), processor: this.processor, pages: bitsToText(this.pages), states };
  }

  /** Makes the block what state() has returned. */
  restore({ last, processor, pages, states }: BlockThrashingState): void {
    const times = ({
      last,
      periodEnd,
      pinEnd,
    }: StoredPage): Pick<PageState, "last" | "periodEnd" | "pinEnd"> => ({
      last: Number(last),
      periodEnd: Number(periodEnd),
      pinEnd: Number(pinEnd),
    });
    this.last = Number(last);
    this.processor = processor;
    setFromText(this.pages, pages);
    this.states = states && new Map(states.map(([page, one]) => [page, { ...one, ...times(one) }]));
  }
}

/** The detection, with one set of parameters for all blocks. */
export class Thrashing {
  readonly #parameters: ThrashingParameters;
  readonly #topology: Topology;
  /** Blocks with pinned pages. */
  readonly #pinned = new Set<BlockThrashing>();

  constructor(topology: Topology, parameters = thrashingOf()) {
    this.#topology = topology;
    this.#parameters = parameters;
  }

  /**
   * Notes that pages of a block moved to a processor by its fault, an access counter or prefetch, or that its
   * fault revoked permissions. Evictions are no events. The block has states from the first event on that
   * follows another processor's within the lapse. Returns how many pages thrash from now on.
   */
  event(block: BlockThrashing, pages: Bits, processor: Processor, now: number): number {
    const { lapse, threshold } = this.#parameters;
    const shared = block.processor !== NOWHERE && block.processor !== processor && now - block.last <= lapse;
    block.last = now;
    block.processor = processor;
    if (shared) block.states ??= new Map();
    const { states } = block;
    if (states === null) return 0;
    let found = 0;
    for (let page = nextBit(pages, 0); page < BLOCK_PAGES; page = nextBit(pages, page + 1)) {
      let state = states.get(page);
      if (state === undefined) states.set(page, (state = newPage()));
      if (now - state.last <= lapse) {
        state.count++;
        if (state.count === threshold) {
          setBit(block.pages, page);
          found++;
        }
      } else if (hasBit(block.pages, page) && state.pinned === NOWHERE) {
        this.#forget(block, page);
        states.set(page, (state = newPage()));
      }
      state.last = now;
      state.processors |= 1 << processor;
    }
    return found;
  }

  /** Forgets what is known of pages: they were copied (read-duplicated), or moved for another cause. */
  reset(block: BlockThrashing, pages: Bits): void {
    if (block.states === null) return;
    for (let page = nextBit(pages, 0); page < BLOCK_PAGES; page = nextBit(pages, page + 1))
      this.#forget(block, page);
  }

  /**
   * Returns what the fault of a processor on a page is to do.
   * @param preferred the page's preferred location, or NOWHERE
   * @param nearest the copy nearest to the requester, or NOWHERE
   */
  hint(
    block: BlockThrashing,
    page: number,
    requester: Processor,
    now: number,
    { preferred, nearest }: { preferred: Processor; nearest: Processor },
  ): Hint {
    const state = block.states?.get(page);
    if (state === undefined || !hasBit(block.pages, page)) return { kind: "none" };
    const { lapse, nap, pinThreshold } = this.#parameters;
    if (now < state.periodEnd && requester !== state.exempt) return this.#throttle(state, requester);
    if (now - state.last > lapse && state.pinned === NOWHERE) return { kind: "none" };
    if (now >= state.periodEnd) {
      state.periodEnd = now + nap;
      state.exempt = state.exempt === requester ? NOWHERE : requester;
      state.throttled = 0;
    }
    const all = state.processors | (1 << requester);
    if (preferred !== NOWHERE && this.#allMap(all, preferred)) return this.#pin(block, state, preferred, now);
    const fast = nearest !== NOWHERE && (this.#topology.fast[requester] & (1 << nearest)) !== 0;
    if (fast && hasAtomics(this.#topology, requester, nearest)) return this.#pin(block, state, nearest, now);
    if (state.pinned !== NOWHERE) {
      if (requester === state.exempt) return this.#pin(block, state, this.#common(all, requester), now);
      const mapped = canMap(this.#topology, requester, state.pinned);
      return mapped ? this.#pin(block, state, state.pinned, now) : this.#throttle(state, requester);
    }
    if (requester !== state.exempt) return this.#throttle(state, requester);
    if (state.throttles >= pinThreshold) return this.#pin(block, state, requester, now);
    return { kind: "none" };
  }

  /** Returns the processors for which a page is mapped after a move: those that share it, if it is pinned. */
  sharers(block: BlockThrashing, page: number): ProcessorMask {
    const state = block.states?.get(page);
    return state === undefined || state.pinned === NOWHERE ? 0 : state.processors;
  }

  /** Ends the pins whose time has come: resets their pages, and calls `unpin` for each. */
  expire(now: number, unpin: (block: BlockThrashing, page: number) => void): void {
    for (const block of this.#pinned) {
      for (const [page, state] of block.states ?? [])
        if (state.pinEnd <= now) {
          this.#forget(block, page);
          unpin(block, page);
        }
      if (![...(block.states?.values() ?? [])].some(({ pinned }) => pinned !== NOWHERE))
        this.#pinned.delete(block);
    }
  }

  /** Takes over the pins of a block that was restored. */
  adopt(block: BlockThrashing): void {
    if ([...(block.states?.values() ?? [])].some(({ pinned }) => pinned !== NOWHERE)) this.#pinned.add(block);
  }

  #forget(block: BlockThrashing, page: number): void {
    block.states?.delete(page);
    clearBit(block.pages, page);
  }

  #throttle(state: PageState, requester: Processor): Hint {
    // A processor that comes again in the same period has been throttled once.
    if ((state.throttled & (1 << requester)) === 0) state.throttles++;
    state.throttled |= 1 << requester;
    return { kind: "throttle", until: state.periodEnd };
  }

  #pin(block: BlockThrashing, state: PageState, where: Processor, now: number): Hint {
    if (state.pinned === NOWHERE) state.pinEnd = now + this.#parameters.pin;
    state.pinned = where;
    this.#pinned.add(block);
    return { kind: "pin", where };
  }

  #allMap(processors: ProcessorMask, where: Processor): boolean {
    for (let p = 0; p < this.#topology.processors; p++)
      if ((processors & (1 << p)) !== 0 && !canMap(this.#topology, p, where)) return false;
    return true;
  }

  /** A location that all of some processors can map: the requester, the lowest number; else the requester. */
  #common(processors: ProcessorMask, requester: Processor): Processor {
    if (this.#allMap(processors, requester)) return requester;
    for (let p = CPU; p < this.#topology.processors; p++) if (this.#allMap(processors, p)) return p;
    return requester;
  }
}
