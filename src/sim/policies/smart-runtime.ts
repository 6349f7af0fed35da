/**
 * UVM-Smart's runtime (Ganguly et al., DATE 2021): looks at the order in which pieces of 64 KiB of each
 * allocation came to the device, and chooses eviction and remote access by it. It looks when memory is full
 * for the first time, and at each eviction.
 */

/** Pages of a piece. */
const PIECE_PAGES = 16;

/** What is known of one allocation. */
interface Pattern {
  /** In the current kernel: the piece that came last; −1: none. */
  last: number;
  /** Whether the pieces came in ascending order in the current kernel. */
  sorted: boolean;
  /** Whether an earlier kernel's, or this one's, came in order, and out of order. */
  linear: boolean;
  random: boolean;
  /** Whether a piece came twice. */
  reuse: boolean;
  /** All pieces that came. */
  seen: Set<number>;
}

/** What a snapshot keeps of the runtime. */
export interface RuntimeState {
  evictsByTree: boolean;
  readsRemotely: boolean;
  patterns: [allocation: number, pattern: Omit<Pattern, "seen"> & { seen: number[] }][];
}

/** The runtime of one device. */
export class SmartRuntime {
  /** Whether the tree-based neighborhood (`tbn`) chooses victims. */
  evictsByTree = false;
  /** Whether reads of RAM are remote up to the static threshold. */
  readsRemotely = false;
  /** By allocation. */
  readonly #patterns = new Map<number, Pattern>();

  state(): RuntimeState {
    const { evictsByTree, readsRemotely } = this;
    const patterns = [...this.#patterns].map(([allocation, pattern]): RuntimeState["patterns"][0] => [
      allocation,
      { ...pattern, seen: [...pattern.seen] },
    ]);
    return { evictsByTree, readsRemotely, patterns };
  }

  /** Makes the runtime what state() has returned. */
  restore({ evictsByTree, readsRemotely, patterns }: RuntimeState): void {
    Object.assign(this, { evictsByTree, readsRemotely });
    for (const [allocation, pattern] of patterns)
      this.#patterns.set(allocation, { ...pattern, seen: new Set(pattern.seen) });
  }

  /** A kernel begins: the order of pieces begins again. */
  kernel(): void {
    for (const pattern of this.#patterns.values()) {
      close(pattern);
      pattern.last = -1;
      pattern.sorted = true;
    }
  }

  /** A page (its address divided by 4096) of an allocation came to the device. */
  brought(allocation: number, page: number): void {
    const piece = Math.floor(page / PIECE_PAGES);
    let pattern = this.#patterns.get(allocation);
    if (pattern === undefined) {
      const seen = new Set<number>();
      pattern = { last: -1, sorted: true, linear: false, random: false, reuse: false, seen };
      this.#patterns.set(allocation, pattern);
    }
    if (piece === pattern.last) return;
    if (piece < pattern.last) pattern.sorted = false;
    if (pattern.seen.has(piece)) pattern.reuse = true;
    pattern.seen.add(piece);
    pattern.last = piece;
  }

  /**
   * Chooses by what came so far. Out of order, in any kernel: remote reads and eviction by the tree; in
   * order but again: eviction by the tree; else what was chosen stays.
   */
  choose(): void {
    for (const pattern of this.#patterns.values()) {
      const { linear, random, reuse } = classOf(pattern);
      if (random) this.readsRemotely = true;
      if (random || (linear && reuse)) this.evictsByTree = true;
    }
  }
}

/** The pattern with the current kernel's order. */
function classOf(pattern: Pattern): Pick<Pattern, "linear" | "random" | "reuse"> {
  const { last, sorted, linear, random, reuse } = pattern;
  if (last < 0) return { linear, random, reuse };
  return { linear: linear || sorted, random: random || !sorted, reuse };
}

/** Ends the current kernel's order. */
function close(pattern: Pattern): void {
  Object.assign(pattern, classOf(pattern));
}
