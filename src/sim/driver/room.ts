/** Room in a device's memory: what leaves when something comes. */
import type { Arrival } from "../policies/evict/evictor.ts";
import { LrmChunks } from "../policies/lrm.ts";
import type { ResidentsState } from "../policies/residents.ts";
import { BLOCK_PAGES, isEmpty, nextBit, type Bits } from "./bits.ts";
import type { DriverCounts } from "./driver-counts.ts";
import type { Processor } from "./processor.ts";
import type { VaBlock } from "./va-block.ts";

/** Moves the device's pages among some pages of a block to RAM. Returns how many left. */
export type EvictPages = (block: VaBlock, pages: Bits) => number;

/** What a room is made with. */
export interface RoomPlace {
  device: Processor;
  counts: DriverCounts;
  evict: EvictPages;
  listener: RoomListener;
}

/** Is told of what comes and leaves. */
export interface RoomListener {
  /**
   * A page (its address divided by 4096) has come to the device: of each piece of 64 KiB one, those that
   * were asked for first.
   */
  brought(page: number): void;
  /** A victim is about to be chosen. */
  evicting(): void;
  /** Pages of a block have been evicted, at one choice. */
  writtenBack(block: number): void;
}

/** Listens to nothing. */
export const NO_LISTENER: RoomListener = { brought: () => {}, evicting: () => {}, writtenBack: () => {} };

const PIECE_PAGES = 16;

/** Tells a listener of pages that came: pieces that were asked for, then those that came along. */
export function tellBrought(listener: RoomListener, block: VaBlock, { asked, along }: Arrived): void {
  if (listener === NO_LISTENER) return;
  const pieces = new Set<number>();
  for (const pages of [asked, along])
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1))
      pieces.add(Math.floor(i / PIECE_PAGES));
  for (const piece of pieces) listener.brought(block.number * BLOCK_PAGES + piece * PIECE_PAGES);
}

/** Pages of a block that have come to a device: those that were asked for, and those that came along. */
export interface Arrived {
  asked: Bits;
  along: Bits;
  /** What brought a page that was asked for, the i-th of the block. */
  by: (i: number) => Arrival;
}

/** The memory of one device, as far as it decides what leaves. */
export interface Room {
  /** Whether something had to leave: a second prefetcher takes over with the next service, and for good. */
  readonly full: boolean;
  /** How much of the memory is taken, from 0 to 1. */
  readonly occupancy: number;
  /** Whether used() must be told of each use, in order. */
  readonly hearsUses: boolean;
  /**
   * Makes room for a service whose destination is the device: pages that were asked for, and others that come
   * along. What has no room is taken out of the bitmaps, the pages that come along first. Returns the pages
   * that were asked for and have no room; null: all have.
   */
  make(block: VaBlock, pages: Bits, prefetched: Bits): Bits | null;
  /** Pages have come to the device. */
  arrived(block: VaBlock, arrived: Arrived): void;
  /** The device uses its page, the i-th of the block. */
  used(block: VaBlock, i: number): void;
  /** Pages have left the device. */
  left(block: VaBlock, pages: Bits, evicted: boolean): void;
  /** Returns what a snapshot keeps; JSON can hold it. */
  state(): RoomState;
  /** Makes the room what state() has returned, whose blocks are there. Called before all other methods. */
  restore(state: RoomState, block: (number: number) => VaBlock): void;
}

/** What a snapshot keeps of a room. */
export interface RoomState {
  full: boolean;
  /** Of chunks: the numbers of the blocks of both lists. */
  chunks?: { used: number[]; unused: number[] };
  /** Of pages: what is there, and the policy's state. */
  residents?: ResidentsState;
}

/** The driver's room: chunks of 2 MiB, of which the least recently migrated one leaves (uvm_pmm_gpu.c). */
export class ChunkRoom implements Room {
  readonly hearsUses = false;
  full = false;
  readonly chunks: LrmChunks<VaBlock>;
  readonly #place: RoomPlace;

  /** @param chunks how many there are, 1 or more */
  constructor(chunks: number, place: RoomPlace) {
    this.chunks = new LrmChunks(chunks);
    this.#place = place;
  }

  get occupancy(): number {
    return this.chunks.taken / this.chunks.capacity;
  }

  /**
   * A block without a chunk gets one, for all of its pages; a full block's chunk goes to the tail of the used
   * ones, even if nothing will move.
   */
  make(block: VaBlock): null {
    const { chunks } = this;
    if (chunks.has(block)) {
      if (block.full) chunks.touch(block);
      return null;
    }
    if (chunks.taken >= chunks.capacity) this.full = true;
    const victim = chunks.take(block);
    const { counts, device, evict, listener } = this.#place;
    if (victim === null) return null;
    listener.evicting();
    if (evict(victim, victim.resident[device].slice()) === 0) return null;
    counts.evictions++;
    listener.writtenBack(victim.number);
    return null;
  }

  arrived(block: VaBlock, arrived: Arrived): void {
    tellBrought(this.#place.listener, block, arrived);
  }

  used(): void {}

  state(): RoomState {
    const { used, unused } = this.chunks.lists();
    const numbers = (blocks: VaBlock[]): number[] => blocks.map(({ number }) => number);
    return { full: this.full, chunks: { used: numbers(used), unused: numbers(unused) } };
  }

  restore({ full, chunks }: RoomState, block: (number: number) => VaBlock): void {
    this.full = full;
    this.chunks.restore({ used: chunks!.used.map(block), unused: chunks!.unused.map(block) });
  }

  left(block: VaBlock): void {
    if (block.full && isEmpty(block.resident[this.#place.device])) this.chunks.empty(block);
  }
}
