/**
 * The device's replayable fault buffer, and how the driver fetches batches from it
 * (uvm_gpu_replayable_faults.c).
 */

/** Entries of a batch, at most: uvm_perf_fault_batch_count. */
const BATCH_ENTRIES = 256;
/** Percentage of duplicates above which the buffer is flushed up to a new PUT. */
const DUPLICATES_PERCENT = 50;

/** A page that a batch asks for. */
export interface FaultedPage {
  /** Its number: the address divided by 4096. */
  page: number;
  /** The strongest ACCESS_* of its entries. */
  access: number;
}

/** A fetched batch. */
export interface Batch {
  /** Entries that were fetched, merged ones included. */
  entries: number;
  /** The pages to be served, ascending, each once. */
  pages: FaultedPage[];
  /** Entries that asked for a page which another entry of the batch asked for, too. */
  duplicates: number;
  /**
   * How the buffer is flushed after the batch, if it is: "put" reads the PUT pointer again, so all entries
   * go; "cached" goes up to the one that was read before, so what arrived during the service stays.
   */
  flush: "put" | "cached";
}

/** One entry after merging. */
interface Entry {
  page: number;
  access: number;
  /** The µTLB of the entry, and how many faults it stands for. */
  utlb: number;
  instances: number;
}

/** The buffer. Entries lie in order of arrival. */
export class FaultBuffer {
  readonly #pages: number[] = [];
  readonly #accesses: number[] = [];
  readonly #utlbs: number[] = [];

  /** Entries that wait. */
  get length(): number {
    return this.#pages.length;
  }

  /** Adds the fault of an access (ACCESS_*) to a page, which a µTLB reports. */
  push(page: number, access: number, utlb: number): void {
    this.#pages.push(page);
    this.#accesses.push(access);
    this.#utlbs.push(utlb);
  }

  /**
   * Fetches a batch: the first 256 entries at most. An entry is merged with the last one of its µTLB that is
   * of the same page, of which the stronger access stays; or with the last one of the batch that is of the
   * same page, if its access is not stronger. Entries are then sorted by page, the strongest access first;
   * one of a page is served, and the others are duplicates. The rest stays in the buffer.
   */
  fetch(): Batch {
    const entries = Math.min(this.length, BATCH_ENTRIES);
    const merged = this.#merge(entries);
    this.discard(entries);
    merged.sort((a, b) => a.page - b.page || b.access - a.access);
    const pages: FaultedPage[] = [];
    let duplicates = 0;
    for (const { page, access, instances } of merged) {
      const repeated = pages.at(-1)?.page === page;
      if (!repeated) pages.push({ page, access });
      duplicates += repeated ? instances : instances - 1;
    }
    const flush = duplicates * 100 > entries * DUPLICATES_PERCENT ? "put" : "cached";
    return { entries, pages, duplicates, flush };
  }

  /** Discards the first `n` entries, or as many as there are: those that wait come back after the replay. */
  discard(n: number): void {
    for (const list of [this.#pages, this.#accesses, this.#utlbs]) list.splice(0, n);
  }

  #merge(entries: number): Entry[] {
    const merged: Entry[] = [];
    const lastOf = new Map<number, Entry>();
    for (let i = 0; i < entries; i++) {
      const [page, access, utlb] = [this.#pages[i], this.#accesses[i], this.#utlbs[i]];
      const same = lastOf.get(utlb);
      const last = merged.at(-1);
      if (same?.page === page) {
        same.access = Math.max(same.access, access);
        same.instances++;
      } else if (last?.page === page && access <= last.access) last.instances++;
      else {
        const entry = { page, access, utlb, instances: 1 };
        merged.push(entry);
        lastOf.set(utlb, entry);
      }
    }
    return merged;
  }
}
