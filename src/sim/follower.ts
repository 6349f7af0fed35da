/** Tells a policy of the device's accesses to its memory, record by record. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { forEachUnit } from "./policies/references.ts";

/** 32-bit words of a record. */
const WORDS = 4;

/**
 * Follows the records of a batch. A record's access to a unit is noted once: where a fault makes the record start
 * over, the units before the fault are not noted again, and the access that brought a unit is no use of its own.
 */
export class Follower {
  readonly #cluster: number;
  readonly #use: (unit: number) => void;
  #record = -1;
  /** Units of the record below this one are done. */
  #done = 0;

  /** @param use is told of each access to a unit of `cluster` bytes, on the device or not */
  constructor(cluster: number, use: (unit: number) => void) {
    this.#cluster = cluster;
    this.#use = use;
  }

  /** Other records come now, whose numbers begin again. */
  begin(): void {
    this.#record = -1;
  }

  /** Notes that record `at` of `words` has come to the page at `address`, which faults, or to its end. */
  reached(words: Uint32Array, at: number, address = Infinity): void {
    if (at !== this.#record) this.#done = 0;
    this.#record = at;
    const end = Math.floor(address / this.#cluster);
    forEachUnit(words.subarray(WORDS * at, WORDS * (at + 1)), 1, this.#cluster, (unit) => {
      if (unit >= this.#done && unit < end) this.#use(unit);
    });
    this.#done = Math.max(this.#done, end);
  }

  /** Notes that the fault of the record at `address` is served: the access to its unit is done. */
  served(address: number): void {
    this.#done = Math.max(this.#done, Math.floor((address + PAGE_SIZE - 1) / this.#cluster) + 1);
  }
}
