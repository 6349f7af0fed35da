/** A translation lookaside buffer of several levels, with least recently used entries replaced. */
import type { TlbLevel } from "./model-file.ts";
import { picoseconds } from "./quantity.ts";

/** A level: sets of ways, the most recent entry of a set first. */
class Level {
  readonly hit: number;
  readonly #pageBytes: number;
  readonly #ways: number;
  readonly #sets: number;
  /** By set and way: a page's number + 1; 0: nothing. */
  readonly #entries: Float64Array;

  constructor({ entries, ways, page, hit }: TlbLevel) {
    this.hit = hit === undefined ? 0 : picoseconds(hit);
    this.#pageBytes = page.value * 1024;
    this.#ways = ways?.value ?? entries.value;
    this.#sets = entries.value / this.#ways;
    this.#entries = new Float64Array(entries.value);
  }

  /** Looks an address up, and puts its page first in its set. Returns whether it was there. */
  find(address: number): boolean {
    const page = Math.floor(address / this.#pageBytes);
    const entries = this.#entries;
    const first = (page % this.#sets) * this.#ways;
    let at = first;
    const end = first + this.#ways;
    while (at < end && entries[at] !== page + 1) at++;
    const found = at < end;
    for (let i = Math.min(at, end - 1); i > first; i--) entries[i] = entries[i - 1];
    entries[first] = page + 1;
    return found;
  }
}

/** A TLB. */
export class Tlb {
  readonly #levels: readonly Level[];
  readonly #walk: number;

  /** @param walk picoseconds of a walk of the page table, where no level has the page */
  constructor(levels: readonly TlbLevel[], walk: number) {
    this.#levels = levels.map((level) => new Level(level));
    this.#walk = walk;
  }

  /** Translates an address. Returns the picoseconds that it takes: the hit of a level, or the walk. */
  translate(address: number): number {
    let time = -1;
    for (const level of this.#levels) {
      // Levels after the one that hits are not asked, and keep their order.
      if (level.find(address)) {
        time = level.hit;
        break;
      }
    }
    return time < 0 ? this.#walk : time;
  }
}
