/** Tells a policy of the device's accesses to its memory, in order. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { UseLog } from "../device/replay.ts";
import type { DeviceTable, Hmm } from "../index.ts";
import { unfailing } from "./failing.ts";
import { forEachUnit } from "./policies/references.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** Uses that a replay may log before it stops. */
const USES = 1 << 15;

/** Where the policy's units are, and what is told of their use. */
export interface Followed {
  hmm: Hmm;
  table: DeviceTable;
  /** By frame of the device's memory: the slot of its unit. */
  slots: Int32Array;
  /** The slot of the unit that holds a page; -1 if it is not on the device. */
  slotOfPage: (page: number) => number;
  /** Notes accesses that follow each other, to the unit in a slot. */
  use: (slot: number, times: number) => void;
  /** Whether an entry of the table names the device's own memory. */
  isOwn: (word: number) => boolean;
}

/**
 * Follows a replay by its log of uses. A record's access to a page is a use once: where a fault makes the
 * record start over, the pages before the fault are used before what faulted arrives, and the access that
 * brought a page is no use. The caller closes it.
 */
export class Follower {
  readonly #of: Followed;
  #log: UseLog | null = null;
  /** The record that faulted last, its first page, and the first of its pages that is not done. */
  #record = -1;
  #first = 0;
  #done = 0;
  /** Uses at the head of the next log that are told already. */
  #told = 0;

  constructor(of: Followed) {
    this.#of = of;
  }

  /** The log for the replay; null: it is closed. */
  get log(): UseLog | null {
    return this.#log;
  }

  /** Takes memory of the engine. Throws HmmError ENOMEM. */
  open(): void {
    const { hmm } = this.#of;
    this.#log = unfailing(hmm, () => new UseLog(hmm, USES));
  }

  /** Gives the memory back. */
  close(): void {
    this.#log?.close();
    this.#log = null;
  }

  /** Other records come now: the one that faulted last is passed over, or the numbers begin again. */
  begin(): void {
    this.#record = -1;
    this.#told = 0;
  }

  /** Tells of the uses that the replay has logged. */
  follow(): void {
    const { slots, use } = this.#of;
    const log = this.#log!;
    const { used } = log;
    let i = Math.min(this.#told, used);
    this.#told -= i;
    while (i < used) {
      const slot = slots[log[i] >>> 1];
      let times = 1;
      for (i++; i < used && slots[log[i] >>> 1] === slot; i++) times++;
      use(slot, times);
    }
  }

  /**
   * Record `at` of `words` faults at `address`: its pages below that one are used, if they were not before.
   */
  reached(words: Uint32Array, at: number, address: number): void {
    const faulted = address / PAGE_SIZE;
    const again = at === this.#record;
    const done = again ? this.#done : 0;
    let first = -1;
    forEachUnit(words.subarray(WORDS * at, WORDS * (at + 1)), 1, PAGE_SIZE, (page) => {
      if (first < 0) first = page;
      if (page < done || page >= faulted) return;
      const slot = this.#of.slotOfPage(page);
      if (slot >= 0) this.#of.use(slot, 1);
    });
    this.#record = at;
    this.#first = first;
    this.#done = Math.max(done, faulted);
  }

  /** The fault at `address` is served: the record starts over, and its pages up to this one are done. */
  served(address: number): void {
    const { table, isOwn } = this.#of;
    this.#done = Math.max(this.#done, address / PAGE_SIZE + 1);
    this.#told = 0;
    for (let page = this.#first; page < this.#done; page++)
      if (isOwn(table.lookup(page * PAGE_SIZE))) this.#told++;
  }
}
