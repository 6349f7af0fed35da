/**
 * Managed memory: its blocks, who holds and maps which pages, and the operations that change this. The rules
 * of when to do so are the driver's (driver.ts, advise.ts).
 */
import { RIGHTS_ATOMIC, RIGHTS_NONE, rightsGiven } from "../policies/rights.ts";
import {
  addBits,
  BLOCK_BYTES,
  BLOCK_PAGES,
  countBits,
  hasBit,
  isEmpty,
  keepBits,
  newBits,
  removeBits,
  setRange,
  setBit,
  type Bits,
} from "./bits.ts";
import type { Links, MemoryOptions, MemoryState } from "./memory-options.ts";
import { countIn, countOut, type DriverCounts } from "./driver-counts.ts";
import { NoMover, type PageMover } from "./mover.ts";
import { NO_LISTENER, type Arrived, type Room, type RoomPlace } from "./room.ts";
import {
  ACCESS_PREFETCH,
  canMap,
  CPU,
  hasAtomics,
  NOWHERE,
  type Processor,
  type Topology,
} from "./processor.ts";
import type { Cause, Transfers } from "./transfers.ts";
import type { UsedUnits } from "./used-units.ts";
import { VaBlock, type Advice } from "./va-block.ts";

const PAGE_BYTES = 4096;

/** The pages that are in both bitmaps, as a new one. */
function both(a: Bits, b: Bits): Bits {
  const bits = a.slice();
  keepBits(bits, b);
  return bits;
}

/** The blocks of an address space and the devices' memory. */
export class ManagedMemory {
  readonly topology: Topology;
  readonly transfers: Transfers;
  /** By processor. */
  readonly counts: readonly DriverCounts[];
  /** By processor. */
  readonly links: readonly Links[];
  /** Keeps the uses of devices' memory, in order; null: nobody does. */
  uses: UsedUnits | null = null;
  /** The most pages on all devices together at one time. */
  peak = 0;
  readonly #counters: boolean;
  readonly #defaults: Partial<Advice>;
  /** Follows what happens. */
  readonly mover: PageMover;
  readonly #blocks = new Map<number, VaBlock>();
  /** By block number: the pages of blocks that are not full. */
  readonly #short = new Map<number, number>();
  /** What was advised about ranges of blocks, for those that are made later. */
  readonly #advised: { first: number; last: number; how: (block: VaBlock) => void }[] = [];
  /** By processor; none for the CPU. */
  readonly #rooms: readonly (Room | null)[];
  readonly #hostFirst: boolean;

  constructor(options: MemoryOptions) {
    const { topology, rooms, transfers, counts, counters, defaults = {}, mover = new NoMover() } = options;
    this.#defaults = defaults;
    this.topology = topology;
    this.transfers = transfers;
    this.counts = counts;
    this.links = options.links ?? counts.map(() => ({}));
    this.#counters = counters;
    this.mover = mover;
    this.#hostFirst = options.hostFirst ?? false;
    const placeOf = (device: Processor): RoomPlace => ({
      device,
      counts: counts[device],
      listener: options.listener ?? NO_LISTENER,
      evict: (block, pages) => this.#evict(block, pages, device),
    });
    this.#rooms = [null, ...rooms.map((make, i) => make(placeOf(i + 1)))];
  }

  /**
   * Notes an allocation of `bytes` from `start`, a multiple of 2 MiB: its last block has only the pages that
   * it needs. Blocks that exist stay as they are.
   */
  allocate(start: number, bytes: number): void {
    const pages = Math.ceil(bytes / 4096);
    const last = Math.floor(start / 4096 / BLOCK_PAGES) + Math.floor(pages / BLOCK_PAGES);
    if (pages % BLOCK_PAGES > 0) this.#short.set(last, pages % BLOCK_PAGES);
  }

  /**
   * Returns the block with this number (its address divided by 2 MiB), which is made when it is first asked
   * for.
   */
  block(number: number): VaBlock {
    let block = this.#blocks.get(number);
    if (block === undefined) {
      block = new VaBlock(number, this.#short.get(number) ?? BLOCK_PAGES, this.topology.processors);
      Object.assign(block, this.#defaults);
      for (const { first, last, how } of this.#advised) if (number >= first && number <= last) how(block);
      this.#blocks.set(number, block);
      if (this.#hostFirst) {
        setRange(block.resident[CPU], 0, block.pages);
        this.mover.make(block, block.resident[CPU], CPU);
      }
    }
    return block;
  }

  /**
   * Calls `how` for each block in which `bytes` from `start` on have a byte: now for those that exist, and
   * for others when they are made.
   */
  eachBlock(start: number, bytes: number, how: (block: VaBlock) => void): void {
    if (bytes <= 0) return;
    const [first, last] = [start, start + bytes - 1].map((address) => Math.floor(address / BLOCK_BYTES));
    for (const block of this.#blocks.values()) if (block.number >= first && block.number <= last) how(block);
    this.#advised.push({ first, last, how });
  }

  /** All blocks so far. */
  get blocks(): Iterable<VaBlock> {
    return this.#blocks.values();
  }

  /** The room in a device's memory; null for the CPU, which always has room. */
  roomOf(p: Processor): Room | null {
    return this.#rooms[p];
  }

  /**
   * Makes room for a service whose destination is `where` (see Room.make). Returns the pages that were asked
   * for and have no room, which are taken out of `pages`; null: all have.
   */
  makeRoom(block: VaBlock, where: Processor, pages: Bits, prefetched: Bits): Bits | null {
    return this.#rooms[where]?.make(block, pages, prefetched) ?? null;
  }

  /** Notes pages that have come to a processor. */
  settle(block: VaBlock, to: Processor, arrived: Arrived): void {
    this.#rooms[to]?.arrived(block, arrived);
  }

  state(): MemoryState {
    const rooms = this.#rooms.map((room) => room && room.state());
    return {
      peak: this.peak,
      short: [...this.#short],
      blocks: [...this.#blocks.values()].map((block) => block.state()),
      rooms,
    };
  }

  /** Makes the memory what state() has returned. It has no blocks yet, and the advice for later ones. */
  restore({ peak, short, blocks, rooms }: MemoryState): void {
    this.peak = peak;
    for (const [number, pages] of short) this.#short.set(number, pages);
    for (const state of blocks) this.#blocks.set(state.number, VaBlock.from(state, this.topology.processors));
    rooms.forEach((state, p) => {
      if (state !== null) this.#rooms[p]!.restore(state, (number) => this.#blocks.get(number)!);
    });
  }

  /**
   * Makes pages resident on a processor. Those that nobody holds are made there, others are copied from the
   * nearest holder. With `duplicate`, other copies stay, else they are dropped, and nobody maps a page that
   * moved. Returns the pages that were copied.
   * @param cause of the transfers; null: the caller counts them
   */
  makeResident(block: VaBlock, pages: Bits, to: Processor, cause: Cause | null, duplicate = false): Bits {
    const missing = pages.slice();
    removeBits(missing, block.resident[to]);
    const copied = newBits();
    for (const from of this.#holders(to)) {
      const part = both(missing, block.resident[from]);
      if (isEmpty(part)) continue;
      removeBits(missing, part);
      addBits(copied, part);
      this.#bring(block, part, from, to, cause, duplicate);
    }
    if (!isEmpty(missing)) this.#make(block, missing, to);
    if (!duplicate) this.#dropOthers(block, pages, to);
    return copied;
  }

  /** Maps pages that `owner` holds for a processor, as for an access of it; not where it cannot map them. */
  map(block: VaBlock, pages: Bits, p: Processor, owner: Processor, access = ACCESS_PREFETCH): void {
    if (!canMap(this.topology, p, owner) || isEmpty(pages)) return;
    const foreign = this.#foreignAtomics(block, pages, p, owner);
    const free = pages.slice();
    removeBits(free, foreign);
    for (const [part, foreignAtomics] of [
      [free, false],
      [foreign, true],
    ] as const) {
      if (isEmpty(part)) continue;
      const query = { p, owner, readMostly: block.readMostly, foreignAtomics };
      block.allow(p, part, rightsGiven(access, query, this.topology));
    }
    this.mover.remap(block, pages, p);
  }

  /** A device uses a page of its memory, the i-th of the block. */
  use(block: VaBlock, i: number, device: Processor): void {
    const room = this.#rooms[device];
    this.uses?.page(block, i);
    if (room !== null && room.hearsUses) room.used(block, i);
    if (hasBit(block.touched[device], i)) return;
    setBit(block.touched[device], i);
    if (!hasBit(block.prefetched[device], i)) return;
    this.counts[device].prefetchedUsed++;
    this.mover.used(block, i, device);
  }

  /** Leaves a processor at most `right` to pages. Returns whether that took any right. */
  limit(block: VaBlock, pages: Bits, p: Processor, right: number): boolean {
    const taken = block.limit(p, pages, right);
    if (taken) this.mover.remap(block, pages, p);
    return taken;
  }

  /** Pages that another processor has atomics to which are not native to it. */
  #foreignAtomics(block: VaBlock, pages: Bits, p: Processor, owner: Processor): Bits {
    const foreign = newBits();
    for (let q = 0; q < this.topology.processors; q++)
      if (q !== p && !hasAtomics(this.topology, q, owner)) addBits(foreign, block.rights[q][RIGHTS_ATOMIC]);
    keepBits(foreign, pages);
    return foreign;
  }

  /** All other processors, those whose memory `to` can map first, the CPU after devices. */
  #holders(to: Processor): Processor[] {
    const { topology } = this;
    const others = Array.from({ length: topology.processors }, (_, p) => p).filter((p) => p !== to);
    const rank = (p: Processor): number => (canMap(topology, to, p) ? 0 : 2) + (p === CPU ? 1 : 0);
    return others.sort((a, b) => rank(a) - rank(b) || a - b);
  }

  #make(block: VaBlock, pages: Bits, at: Processor): void {
    addBits(block.resident[at], pages);
    this.#came(block, pages, at, NOWHERE);
    this.mover.make(block, pages, at);
  }

  /** Copies pages; unless they are duplicated, the old copies are gone, and nobody maps them. */
  #bring(
    block: VaBlock,
    pages: Bits,
    from: Processor,
    to: Processor,
    cause: Cause | null,
    duplicate: boolean,
  ): void {
    this.mover.leaving(block, pages, from);
    const source = this.#copy(block, pages, from, to, cause);
    this.#came(block, pages, to, source);
    addBits(block.resident[to], pages);
    if (duplicate) {
      this.mover.duplicate(block, pages, from, to);
      return;
    }
    for (let q = 0; q < this.topology.processors; q++) this.limit(block, pages, q, RIGHTS_NONE);
    this.#leave(block, pages, from, cause === "eviction");
    this.mover.move(block, pages, from, to, cause ?? "copy");
  }

  /**
   * Counts transfers of pages: where no link joins two devices, to RAM and from there. Returns whose memory
   * they come from in the end.
   */
  #copy(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause | null): Processor {
    const byRam = from !== CPU && to !== CPU && !canMap(this.topology, to, from);
    const steps = byRam ? [from, CPU, to] : [from, to];
    if (cause !== null)
      for (let i = 1; i < steps.length; i++)
        this.transfers.copy(pages, steps[i - 1], steps[i], cause, block.start);
    return byRam ? CPU : from;
  }

  /** Counts pages that have come to a processor. */
  #came(block: VaBlock, pages: Bits, to: Processor, from: Processor): void {
    const { counts } = this;
    countIn(counts[to], block, pages, to, from);
    if (to !== CPU)
      this.peak = Math.max(
        this.peak,
        counts.reduce((sum, one) => sum + one.pagesNow, 0),
      );
    if (from > CPU && to !== CPU) this.links[to][from].bytesIn += countBits(pages) * PAGE_BYTES;
  }

  /** A processor holds pages no more. */
  #leave(block: VaBlock, pages: Bits, from: Processor, evicted: boolean): void {
    const unused = countOut(this.counts[from], block, pages, from, evicted);
    if (!isEmpty(unused)) this.mover.noted(block, unused, "bytesPrefetchedUnused");
    removeBits(block.resident[from], pages);
    const room = this.#rooms[from];
    if (room === null) return;
    addBits(block.left[from], pages);
    room.left(block, pages, evicted);
  }

  /** Drops all copies of pages but that of `to`; then only `to` may map them. */
  #dropOthers(block: VaBlock, pages: Bits, to: Processor): void {
    for (let q = 0; q < this.topology.processors; q++) {
      const copies = both(pages, block.resident[q]);
      if (q !== to && !isEmpty(copies)) this.#drop(block, copies, q, false);
    }
  }

  /** Drops a processor's copy of pages that another one holds. */
  #drop(block: VaBlock, pages: Bits, at: Processor, evicted: boolean): void {
    this.mover.leaving(block, pages, at);
    this.limit(block, pages, at, RIGHTS_NONE);
    this.#leave(block, pages, at, evicted);
    this.mover.drop(block, pages, at, evicted);
  }

  /**
   * Moves those of the pages that a device holds to RAM, where the CPU does not map them. Pages that the
   * CPU holds, too, are not copied. Processors that the range is advised to be accessed by get their maps
   * back, the device itself only where access counters migrate. Returns how many pages left.
   */
  #evict(block: VaBlock, pages: Bits, device: Processor): number {
    const all = both(pages, block.resident[device]);
    if (isEmpty(all)) return 0;
    const shared = both(all, block.resident[CPU]);
    const alone = all.slice();
    removeBits(alone, shared);
    if (!isEmpty(shared)) this.#drop(block, shared, device, true);
    if (!isEmpty(alone)) this.#bring(block, alone, device, CPU, "eviction", false);
    for (let q = 1; q < this.topology.processors; q++)
      if ((block.accessedBy & (1 << q)) !== 0 && (q !== device || this.#counters))
        this.map(block, all, q, CPU);
    return countBits(all);
  }
}
