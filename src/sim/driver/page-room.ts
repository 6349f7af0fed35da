/** Room by pages: the policies of the literature, under the managed driver. */
import type { Choice } from "../policies/choice.ts";
import type { Arrival, EvictPolicy } from "../policies/evict/evictor.ts";
import { Residents, type ResidentsState } from "../policies/residents.ts";
import {
  addBits,
  BLOCK_PAGES,
  clearBit,
  countBits,
  hasBit,
  newBits,
  nextBit,
  removeBits,
  setBit,
  type Bits,
} from "./bits.ts";
import { tellBrought, type Arrived, type Room, type RoomPlace, type RoomState } from "./room.ts";
import type { VaBlock } from "./va-block.ts";

/** What a room by pages is. */
export interface PageRoomOptions {
  /** Pages of 4 KiB that the device's memory has. */
  pages: number;
  evict: Choice<EvictPolicy>;
  /** For policies that draw random numbers. */
  seed: number;
  /** Percent of the order of use that is skipped. */
  reserve: number;
  /** Percent of the memory that evictions keep free. */
  freeBuffer: number;
  /** Returns the block with this number. */
  block: (number: number) => VaBlock;
}

/**
 * A device's memory page by page. A policy chooses victims when it is known what comes along, and never among
 * what comes. Without room, what comes along is cut first.
 */
export class PageRoom implements Room {
  readonly hearsUses: boolean;
  full = false;
  #residents: Residents;
  readonly #make: (state?: ResidentsState) => Residents;
  readonly #place: RoomPlace;
  readonly #block: (number: number) => VaBlock;
  /** Pages that evictions keep free. */
  readonly #buffer: number;
  /** Pages whose next use is the access that brought them, which is no use of its own. */
  readonly #brought = new Set<number>();

  constructor(options: PageRoomOptions, place: RoomPlace) {
    const { pages, evict, seed, reserve, freeBuffer, block } = options;
    const { policy, parameter } = evict;
    this.#place = place;
    this.#block = block;
    this.#buffer = Math.floor((pages * freeBuffer) / 100);
    this.hearsUses = policy.uses === "all";
    const written = (slot: number): boolean => {
      const page = this.#residents.unitIn(slot);
      return hasBit(this.#blockOf(page).dirty[place.device], page % BLOCK_PAGES);
    };
    const memory = { capacity: pages, unitPages: 1, seed, parameter, reserve, written };
    this.#make = (state) => new Residents(policy, memory, state);
    this.#residents = this.#make();
  }

  /** Between two schedules every access that has brought a page is made. */
  state(): RoomState {
    return { full: this.full, residents: this.#residents.state() };
  }

  restore({ full, residents }: RoomState): void {
    this.full = full;
    this.#residents = this.#make(residents);
  }

  get occupancy(): number {
    return this.#residents.size / this.#residents.capacity;
  }

  make(block: VaBlock, pages: Bits, prefetched: Bits): Bits | null {
    const residents = this.#residents;
    const all = pages.slice();
    addBits(all, prefetched);
    const incoming = all.slice();
    removeBits(incoming, block.resident[this.#place.device]);
    const needed = countBits(incoming);
    if (needed === 0) return null;
    if (needed + this.#buffer > residents.free) this.full = true;
    const wanted = Math.min(needed + this.#buffer, residents.capacity);
    while (residents.free < wanted && this.#evict(block, incoming, all));
    const lacking = needed - residents.free;
    if (lacking <= 0) return null;
    const cut = cutLast(prefetched, incoming, lacking);
    const rest = lacking - countBits(cut);
    return rest === 0 ? null : cutLast(pages, incoming, rest);
  }

  arrived(block: VaBlock, arrived: Arrived): void {
    const { asked, along, by } = arrived;
    for (let i = nextBit(along, 0); i < BLOCK_PAGES; i = nextBit(along, i + 1))
      this.#add(block.number * BLOCK_PAGES + i, "prefetch");
    for (let i = nextBit(asked, 0); i < BLOCK_PAGES; i = nextBit(asked, i + 1))
      this.#add(block.number * BLOCK_PAGES + i, by(i));
    tellBrought(this.#place.listener, block, arrived);
  }

  #add(page: number, by: Arrival): void {
    if (this.#residents.has(page)) return;
    this.#residents.add(page, by);
    if (by !== "prefetch" && this.hearsUses) this.#brought.add(page);
  }

  used(block: VaBlock, i: number): void {
    const page = block.number * BLOCK_PAGES + i;
    if (this.#brought.delete(page)) return;
    const slot = this.#residents.slotOf(page);
    if (slot !== undefined) this.#residents.used(slot, 1);
  }

  left(block: VaBlock, pages: Bits, evicted: boolean): void {
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1)) {
      const page = block.number * BLOCK_PAGES + i;
      this.#residents.remove(page, evicted);
      this.#brought.delete(page);
    }
  }

  /** Evicts what the policy names, but for the service's own pages. Returns false if it names nothing. */
  #evict(block: VaBlock, incoming: Bits, own: Bits): boolean {
    const first = block.number * BLOCK_PAGES;
    const stays = (page: number): boolean =>
      page >= first && page < first + BLOCK_PAGES && hasBit(own, page - first);
    const { listener } = this.#place;
    listener.evicting();
    const victims = this.#residents.victims(first + nextBit(incoming, 0), stays);
    let left = 0;
    for (let from = 0; from < victims.length;) {
      const owner = this.#blockOf(victims[from]);
      const pages = newBits();
      for (; from < victims.length && this.#blockOf(victims[from]) === owner; from++)
        setBit(pages, victims[from] % BLOCK_PAGES);
      left += this.#place.evict(owner, pages);
      listener.writtenBack(owner.number);
    }
    this.#place.counts.evictions += left;
    return left > 0;
  }

  #blockOf(page: number): VaBlock {
    return this.#block(Math.floor(page / BLOCK_PAGES));
  }
}

/** Takes the last `n` pages, or as many as there are, of both bitmaps out of `bits`. Returns them. */
function cutLast(bits: Bits, among: Bits, n: number): Bits {
  const cut = newBits();
  for (let i = BLOCK_PAGES - 1; i >= 0 && n > 0; i--) {
    if (!hasBit(bits, i) || !hasBit(among, i)) continue;
    clearBit(bits, i);
    setBit(cut, i);
    n--;
  }
  return cut;
}
