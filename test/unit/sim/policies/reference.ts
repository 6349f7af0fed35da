/**
 * Replacement policies a second time, as plainly as their papers state them: arrays that are searched from
 * end to end. Each takes a trace of pages and a number of frames, and returns what it evicts, in order.
 */

/** A page that left, by each access in turn; null where none did. */
export type Evictions = (number | null)[];
export type Reference = (trace: readonly number[], frames: number) => Evictions;

/** One queue that `hit` may change; the victim is at `end`. */
function queue(hit: "moves" | "stays", end: "oldest" | "newest"): Reference {
  return (trace, frames) => {
    const pages: number[] = []; // the newest at the end
    return trace.map((page) => {
      const at = pages.indexOf(page);
      if (at >= 0) {
        if (hit === "moves") pages.push(...pages.splice(at, 1));
        return null;
      }
      const full = pages.length === frames;
      const victim = full ? (end === "oldest" ? pages.shift()! : pages.pop()!) : null;
      pages.push(page);
      return victim;
    });
  };
}

export const fifo = queue("stays", "oldest");
export const lru = queue("moves", "oldest");
export const mru = queue("moves", "newest");

/** The hand begins at frame 0. `load` is the reference bit of a page that comes. */
function clockWith(load: boolean): Reference {
  return (trace, frames) => {
    const ring: { page: number; bit: boolean }[] = [];
    let hand = 0;
    return trace.map((page) => {
      const frame = ring.find((one) => one.page === page);
      if (frame) {
        frame.bit = true;
        return null;
      }
      if (ring.length < frames) {
        ring.push({ page, bit: load });
        return null;
      }
      while (ring[hand].bit) {
        ring[hand].bit = false;
        hand = (hand + 1) % frames;
      }
      const victim = ring[hand].page;
      ring[hand] = { page, bit: load };
      hand = (hand + 1) % frames;
      return victim;
    });
  };
}

export const clock = clockWith(true);
export const clockHit = clockWith(false);

/** The paper's algorithm 1: a list with its head first. */
export const sieve: Reference = (trace, frames) => {
  let list: { page: number; visited: boolean }[] = [];
  let hand: (typeof list)[0] | null = null;
  return trace.map((page) => {
    const found = list.find((one) => one.page === page);
    if (found) {
      found.visited = true;
      return null;
    }
    let victim: number | null = null;
    if (list.length === frames) {
      let one = hand ?? list[list.length - 1];
      while (one.visited) {
        one.visited = false;
        one = list[list.indexOf(one) - 1] ?? list[list.length - 1];
      }
      hand = list[list.indexOf(one) - 1] ?? null;
      list = list.filter((other) => other !== one);
      victim = one.page;
    }
    list.unshift({ page, visited: false });
    return victim;
  });
};

/** The paper's algorithm 1, with the tails first; a page moves to the main queue after `promote` accesses. */
export function s3Fifo(promote: number): Reference {
  return (trace, frames) => {
    const small: number[] = [];
    const main: number[] = [];
    const ghost: number[] = [];
    const freq = new Map<number, number>();
    const target = Math.max(1, Math.trunc(frames * 0.1));
    const evictMain = (): number => {
      for (;;) {
        const tail = main.shift()!;
        if (freq.get(tail) === 0) return tail;
        freq.set(tail, freq.get(tail)! - 1);
        main.push(tail);
      }
    };
    const evictSmall = (): number | null => {
      while (small.length > 0) {
        const tail = small.shift()!;
        if (freq.get(tail)! + 1 < promote) {
          ghost.push(tail);
          if (ghost.length > frames - target) ghost.shift();
          return tail;
        }
        freq.set(tail, 0);
        main.push(tail);
      }
      return null;
    };
    return trace.map((page) => {
      if (small.includes(page) || main.includes(page)) {
        freq.set(page, Math.min(3, freq.get(page)! + 1));
        return null;
      }
      let victim: number | null = null;
      if (small.length + main.length === frames)
        victim = small.length >= target ? (evictSmall() ?? evictMain()) : evictMain();
      const at = ghost.indexOf(page);
      if (at >= 0) main.push(...ghost.splice(at, 1));
      else small.push(page);
      freq.set(page, 0);
      return victim;
    });
  };
}

/** Figure 4 of the paper, case by case; lists have their MRU end first. */
export const arc: Reference = (trace, c) => {
  const [t1, t2, b1, b2]: number[][] = [[], [], [], []];
  let p = 0;
  const take = (list: number[], page: number): boolean => {
    const at = list.indexOf(page);
    if (at >= 0) list.splice(at, 1);
    return at >= 0;
  };
  const replace = (inB2: boolean): number => {
    if (t1.length >= 1 && ((inB2 && t1.length === p) || t1.length > p)) b1.unshift(t1.pop()!);
    else {
      b2.unshift(t2.pop()!);
      return b2[0];
    }
    return b1[0];
  };
  return trace.map((page) => {
    if (take(t1, page) || take(t2, page)) {
      t2.unshift(page);
      return null;
    }
    if (b1.includes(page)) {
      p = Math.min(c, p + (b1.length >= b2.length ? 1 : b2.length / b1.length));
      const victim = replace(false);
      take(b1, page);
      t2.unshift(page);
      return victim;
    }
    if (b2.includes(page)) {
      p = Math.max(0, p - (b2.length >= b1.length ? 1 : b1.length / b2.length));
      const victim = replace(true);
      take(b2, page);
      t2.unshift(page);
      return victim;
    }
    let victim: number | null = null;
    if (t1.length + b1.length === c) {
      if (t1.length < c) {
        b1.pop();
        victim = replace(false);
      } else victim = t1.pop()!;
    } else {
      const all = t1.length + t2.length + b1.length + b2.length;
      if (all >= c) {
        if (all === 2 * c) b2.pop();
        victim = replace(false);
      }
    }
    t1.unshift(page);
    return victim;
  });
};

/** Two lists, the oldest first: pages fall from the first into the second, and out of it. */
export function segFifo(percent: number): Reference {
  return (trace, frames) => {
    const first: number[] = [];
    const second: number[] = [];
    const room = frames - Math.floor((frames * percent) / 100);
    const enter = (page: number): void => {
      first.push(page);
      if (first.length > room) second.push(first.shift()!);
    };
    return trace.map((page) => {
      if (first.includes(page)) return null;
      const at = second.indexOf(page);
      if (at >= 0) {
        second.splice(at, 1);
        enter(page);
        return null;
      }
      const full = first.length + second.length === frames;
      const victim = full ? (second.shift() ?? first.shift()!) : null;
      enter(page);
      return victim;
    });
  };
}

/** Belady: the page whose next access is farthest. Ties are pages without one. */
export const opt: Reference = (trace, frames) => {
  const pages: number[] = [];
  return trace.map((page, i) => {
    if (pages.includes(page)) return null;
    let victim: number | null = null;
    if (pages.length === frames) {
      const distance = (one: number): number => {
        const next = trace.indexOf(one, i);
        return next < 0 ? Infinity : next;
      };
      victim = pages.reduce((far, one) => (distance(one) > distance(far) ? one : far));
      pages.splice(pages.indexOf(victim), 1);
    }
    pages.push(page);
    return victim;
  });
};

/** How many accesses missed: those that evicted, and those that filled a free frame. */
export function missesOf(trace: readonly number[], frames: number, evictions: Evictions): number {
  const evicted = evictions.filter((page) => page !== null).length;
  return evicted + Math.min(frames, new Set(trace).size);
}
