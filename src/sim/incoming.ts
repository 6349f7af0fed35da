/** What comes to the device at a fault: the cluster, and what the prefetcher adds. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { ConfigError } from "./config-error.ts";
import type { PagingSettings } from "./paging-config.ts";
import { chosen, type Choice } from "./policies/choice.ts";
import { BLOCK, cluster64K, none } from "./policies/prefetch/block.ts";
import { PREFETCHERS } from "./policies/prefetch/index.ts";
import type { PrefetchPolicy } from "./policies/prefetch/prefetcher.ts";

const NONE: readonly number[] = [];

/** Finds the units that come along with one that faulted. */
export class Incoming {
  /** Whether memory was full at an earlier fault: the second prefetcher has taken over for good. */
  full: boolean;
  readonly #before: Choice<PrefetchPolicy>;
  readonly #after: Choice<PrefetchPolicy>;
  readonly #unitPages: number;
  /** Tells whether a unit is on the device. */
  readonly #has: (unit: number) => boolean;

  constructor(
    { prefetch, prefetchFull, cluster }: PagingSettings,
    has: (unit: number) => boolean,
    full = false,
  ) {
    this.full = full;
    this.#before = prefetcherOf("prefetch", prefetch);
    this.#after = prefetcherOf("prefetchFull", prefetchFull);
    this.#unitPages = cluster / PAGE_SIZE;
    this.#has = has;
  }

  /**
   * Returns the units to bring besides the one that holds `addr`, those of its mapping that are not there.
   */
  beside(addr: number, { start, end }: { start: number; end: number }): readonly number[] {
    const { policy, parameter } = this.full ? this.#after : this.#before;
    if (policy === none || (this.#unitPages === BLOCK && policy.pages === cluster64K.pages)) return NONE;
    const [first, last] = [start / PAGE_SIZE, end / PAGE_SIZE];
    const isThere = (page: number): boolean => this.#has(this.#unitOf(page));
    const page = Math.floor(addr / PAGE_SIZE);
    const unit = this.#unitOf(page);
    const pages = policy.pages({ page, first, end: last, isThere }, parameter);
    const units = new Set(
      pages.filter((page) => page >= first && page < last).map((page) => this.#unitOf(page)),
    );
    return [...units].filter((other) => other !== unit && !this.#has(other));
  }

  #unitOf(page: number): number {
    return Math.floor(page / this.#unitPages);
  }
}

function prefetcherOf(field: string, name: string): Choice<PrefetchPolicy> {
  const choice = chosen<PrefetchPolicy>(name, PREFETCHERS);
  if (choice === null) throw new ConfigError(field, name, "a prefetcher");
  return choice;
}
