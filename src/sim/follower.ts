/** Tells the policies of devices of their accesses to their memories, in order. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { UseLog } from "../device/replay.ts";
import type { DeviceTable, Hmm } from "../index.ts";
import { agentOf } from "./record-words.ts";
import { unfailing } from "./failing.ts";
import { forEachUnit } from "./policies/references.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** Uses that a replay may log before it stops. */
const USES = 1 << 15;

/** A device that is followed. */
export interface FollowedDevice {
  readonly table: DeviceTable;
  /** The slot of the unit that holds the page of an address; -1 if it is not on the device. */
  slotAt(addr: number): number;
  /** Notes accesses that follow each other, to the unit in a slot. */
  use(slot: number, times: number): void;
  /** Whether an entry of the table names the device's own memory. */
  isOwn(word: number): boolean;
  /** Says where to note in which slot the unit of each frame is: slots begin at `first`. */
  noteSlots(slots: Int32Array, first: number): void;
}

/** Whose uses are told. */
export interface Followed {
  hmm: Hmm;
  /** The devices, by the order of their memories. */
  devices: readonly FollowedDevice[];
  /** By device: its first frame, counted from the first one of all devices' memories, and the end. */
  frames: readonly number[];
  /** The device that an agent other than the CPU is. */
  of(agent: number): FollowedDevice;
}

/**
 * Follows a replay by its log of uses. A record's access to a page is a use once: where a fault makes the
 * record start over, the pages before the fault are used before what faulted arrives, and the access that
 * brought a page is no use. The caller closes it.
 */
export class Follower {
  readonly #of: Followed;
  /** By frame of the devices' memories: the slot of its unit, counted from its device's first frame on. */
  readonly #slots: Int32Array;
  #log: UseLog | null = null;
  /** The device of the record that faulted last. */
  #device: FollowedDevice;
  /** The record that faulted last, its first page, and the first of its pages that is not done. */
  #record = -1;
  #first = 0;
  #done = 0;
  /** Uses at the head of the next log that are told already. */
  #told = 0;

  constructor(of: Followed) {
    this.#of = of;
    this.#device = of.devices[0];
    this.#slots = new Int32Array(of.frames[of.devices.length]);
    of.devices.forEach((device, i) => device.noteSlots(this.#slots, of.frames[i]));
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
    const slots = this.#slots;
    const log = this.#log!;
    const { used } = log;
    let i = Math.min(this.#told, used);
    this.#told -= i;
    while (i < used) {
      const slot = slots[log[i] >>> 1];
      let times = 1;
      for (i++; i < used && slots[log[i] >>> 1] === slot; i++) times++;
      this.#use(slot, times);
    }
  }

  /** Tells the device to whose frames a slot belongs. */
  #use(slot: number, times: number): void {
    const { devices, frames } = this.#of;
    let i = 0;
    while (slot >= frames[i + 1]) i++;
    devices[i].use(slot - frames[i], times);
  }

  /**
   * Record `at` of `words` faults at `address`: its pages below that one are used, if they were not before.
   */
  reached(words: Uint32Array, at: number, address: number): void {
    const faulted = address / PAGE_SIZE;
    const device = this.#of.of(agentOf(words[WORDS * at + 2]));
    const again = at === this.#record;
    const done = again ? this.#done : 0;
    let first = -1;
    this.#device = device;
    forEachUnit(words.subarray(WORDS * at, WORDS * (at + 1)), 1, PAGE_SIZE, (page) => {
      if (first < 0) first = page;
      if (page < done || page >= faulted) return;
      const holder = this.#holderOf(page);
      const slot = holder?.slotAt(page * PAGE_SIZE) ?? -1;
      if (slot >= 0) holder!.use(slot, 1);
    });
    this.#record = at;
    this.#first = first;
    this.#done = Math.max(done, faulted);
  }

  /**
   * The fault at `address` is served: the record starts over, and its pages up to this one are done. One that
   * lay in another device's memory before is only mapped now, and its use is to come.
   * @param brought whether the fault brought pages
   */
  served(address: number, brought: boolean): void {
    const page = address / PAGE_SIZE;
    const holder = this.#holderOf(page);
    const waits = !brought && holder !== undefined && holder !== this.#device;
    this.#done = Math.max(this.#done, waits ? page : page + 1);
    this.#told = 0;
    for (let page = this.#first; page < this.#done; page++)
      if (this.#holderOf(page) !== undefined) this.#told++;
  }

  /** The device in whose memory the device of the record that faulted last sees a page. */
  #holderOf(page: number): FollowedDevice | undefined {
    const word = this.#device.table.lookup(page * PAGE_SIZE);
    return this.#of.devices.find((device) => device.isOwn(word));
  }
}
