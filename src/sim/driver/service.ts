/**
 * The service of requests for pages of one block: the steps of the managed driver between a fault and the
 * replay (uvm_va_block.c, uvm_va_block_service_locked). For each request: is it throttled, where
 * does the page go; then for each destination: what moves along, room, copies, maps.
 */
import { wholeBlock, type Prefetcher, type PrefetchQuery } from "../policies/density.ts";
import type { Arrival } from "../policies/evict/evictor.ts";
import { selectResidency } from "../policies/residency.ts";
import { RIGHTS_ATOMIC, RIGHTS_NONE, RIGHTS_READ, rightsKept, rightsNeeded } from "../policies/rights.ts";
import type { Thrashing } from "../policies/thrashing.ts";
import {
  addBits,
  BLOCK_PAGES,
  countBits,
  hasBit,
  isEmpty,
  keepBits,
  newBits,
  nextBit,
  removeBits,
  setBit,
  type Bits,
} from "./bits.ts";
import type { Clock } from "./clock.ts";
import type { FaultedPage } from "./fault-buffer.ts";
import type { ManagedMemory } from "./managed-memory.ts";
import {
  ACCESS_ATOMIC_STRONG,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CPU,
  nearestCopy,
  NOWHERE,
  type Processor,
} from "./processor.ts";
import type { Cause } from "./transfers.ts";
import type { VaBlock } from "./va-block.ts";

/** What the driver works with. */
export interface DriverOptions {
  memory: ManagedMemory;
  prefetcher: Prefetcher;
  /** What prefetches to a device once its memory was full. Default: as before. */
  prefetcherFull?: Prefetcher;
  /** Pages that must have faulted to a destination before it prefetches: uvm_perf_prefetch_min_faults. */
  minFaults?: number;
  /** Null: no detection of thrashing. */
  thrashing: Thrashing | null;
  clock: Clock;
  /** Whether a page in the memory of a device that the faulter can map stays there. Default: it moves. */
  peerAccess?: boolean;
}

/** Serves blocks. */
export class BlockService {
  readonly #memory: ManagedMemory;
  readonly #prefetcher: Prefetcher;
  readonly #prefetcherFull: Prefetcher;
  readonly #minFaults: number;
  readonly #thrashing: Thrashing | null;
  readonly #clock: Clock;
  readonly #peerAccess: boolean;
  /** By page of the block that is served: the access that asks for it. */
  readonly #access = new Uint8Array(BLOCK_PAGES);
  /** When the service began: the time of its hints and events. */
  #now = 0;

  constructor(options: DriverOptions) {
    const { memory, prefetcher, prefetcherFull = prefetcher, minFaults = 1, thrashing, clock } = options;
    this.#memory = memory;
    this.#prefetcher = prefetcher;
    this.#prefetcherFull = prefetcherFull;
    this.#minFaults = minFaults;
    this.#thrashing = thrashing;
    this.#clock = clock;
    this.#peerAccess = options.peerAccess ?? false;
  }

  /**
   * Serves requests of a processor, all of one block. Returns when the first of their throttles ends, if all
   * are throttled; else 0: throttled requests come again after the replay.
   */
  serve(p: Processor, requests: readonly FaultedPage[], cause: Cause): number {
    const block = this.#memory.block(Math.floor(requests[0].page / BLOCK_PAGES));
    this.#now = this.#clock.now;
    this.#unpin();
    const byDestination = new Map<Processor, Bits>();
    let throttled = Infinity;
    for (const { page, access } of requests) {
      const i = page % BLOCK_PAGES;
      if (cause === "fault" && block.rightsOf(p, i) >= rightsNeeded(p, access)) {
        if (p !== CPU) this.#memory.counts[p].devicePages--; // an entry that has stayed in the buffer
        continue;
      }
      const where = this.#destination(block, i, p, access, cause);
      if (typeof where === "object") {
        if (p !== CPU && cause === "fault") this.#memory.mover.faulted(block, i, p, true);
        throttled = Math.min(throttled, where.until);
        continue;
      }
      if (cause === "fault") this.#countFault(block, i, p, where);
      this.#access[i] = access;
      let pages = byDestination.get(where);
      if (pages === undefined) byDestination.set(where, (pages = newBits()));
      setBit(pages, i);
    }
    for (const [where, pages] of byDestination) {
      const prefetched = newBits();
      if (byDestination.size === 1) this.#prefetch(block, where, pages, prefetched);
      const lacking = this.#memory.makeRoom(block, where, pages, prefetched);
      this.#bring(block, p, where, { pages, prefetched, cause });
      if (lacking === null) continue;
      // Without room, the access is remote.
      if (cause === "fault") this.#memory.counts[p].devicePagesMapped += countBits(lacking);
      this.#bring(block, p, CPU, { pages: lacking, prefetched: newBits(), cause });
    }
    return byDestination.size > 0 || throttled === Infinity ? 0 : throttled;
  }

  /**
   * Moves pages of a block to a processor because the program asks for it, and maps them there. Neither
   * prefetch nor thrashing has a say, and the pages' thrashing is forgotten.
   */
  migrate(block: VaBlock, pages: Bits, to: Processor): void {
    const memory = this.#memory;
    const lacking = memory.makeRoom(block, to, pages, newBits());
    if (lacking !== null) removeBits(pages, lacking);
    const arrived = pages.slice();
    removeBits(arrived, block.resident[to]);
    this.#thrashing?.reset(block.thrashing, arrived);
    const copied = memory.makeResident(block, pages, to, "migrate", block.readMostly);
    if (block.readMostly) this.#duplicated(block, copied, to);
    memory.settle(block, to, { asked: arrived, along: newBits(), by: () => "prefetch" });
    memory.map(block, pages, to, to);
    this.#mapOthers(block, arrived, to, to);
  }

  /** Takes over the pins of blocks that were restored. */
  adopt(): void {
    for (const { thrashing } of this.#memory.blocks) this.#thrashing?.adopt(thrashing);
  }

  /** Counts a fault by what it will do. */
  #countFault(block: VaBlock, i: number, p: Processor, where: Processor): void {
    const { mover } = this.#memory;
    const counts = this.#memory.counts[p];
    mover.faulted(block, i, p, false);
    const holders = block.holders(i);
    if (p !== CPU && where !== p) counts.devicePagesMapped++;
    else if (p === CPU && holders === 0) counts.cpuFaultsMade++;
    else if (p === CPU && !hasBit(block.resident[CPU], i)) counts.cpuFaultsMoved++;
  }

  /** Where a page goes; or until when its fault is throttled. */
  #destination(block: VaBlock, i: number, p: Processor, access: number, cause: Cause) {
    const { topology } = this.#memory;
    const counts = this.#memory.counts[p];
    const { preferred, accessedBy, readMostly } = block;
    const resident = block.holders(i);
    const nearest = nearestCopy(topology, p, resident);
    const hint = this.#thrashing?.hint(block.thrashing, i, p, this.#now, { preferred, nearest }) ?? {
      kind: "none",
    };
    if (hint.kind === "throttle") {
      counts.throttles++;
      return hint;
    }
    if (hint.kind === "pin") counts.pins++;
    const pin = hint.kind === "pin" ? hint.where : NOWHERE;
    const counter = cause === "counter";
    const peers = this.#peerAccess;
    const query = {
      faulter: p,
      access,
      preferred,
      accessedBy,
      readMostly,
      resident,
      nearest,
      pin,
      counter,
      peers,
    };
    return selectResidency(query, topology).where;
  }

  /** Chooses what moves along with faulted pages that all go to one destination (uvm_perf_prefetch.c). */
  #prefetch(block: VaBlock, where: Processor, faulted: Bits, out: Bits): void {
    if (block.lastDestination !== where) block.migrations = 0;
    block.lastDestination = where;
    block.migrations += countBits(faulted);
    const { pages, preferred } = block;
    if (block.migrations < this.#minFaults || (preferred !== NOWHERE && preferred !== where)) return;
    const resident = block.resident[where];
    const done = resident.slice();
    keepBits(done, block.rights[where][RIGHTS_READ]);
    const query: PrefetchQuery = { pages, resident, faulted, thrashing: block.thrashing.pages, done };
    const held = newBits();
    block.addHeld(held);
    if (preferred === where && isEmpty(held)) wholeBlock(query, out);
    else if (this.#memory.roomOf(where)?.full === true) this.#prefetcherFull(query, out);
    else this.#prefetcher(query, out);
  }

  /** Makes faulted and prefetched pages resident, and maps them. */
  #bring(
    block: VaBlock,
    p: Processor,
    where: Processor,
    { pages, prefetched, cause }: { pages: Bits; prefetched: Bits; cause: Cause },
  ): void {
    const memory = this.#memory;
    const arrived = pages.slice();
    addBits(arrived, prefetched);
    removeBits(arrived, block.resident[where]);
    this.#notePrefetched(block, where, arrived, prefetched);
    // Pages by the access that asks for them, the prefetched ones with those of their kind.
    const byAccess: Bits[] = [];
    for (let access = ACCESS_PREFETCH; access <= ACCESS_ATOMIC_STRONG; access++) byAccess.push(newBits());
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1))
      setBit(byAccess[this.#access[i]], i);
    const reads = newBits();
    for (let access = ACCESS_PREFETCH; access <= ACCESS_READ; access++) addBits(reads, byAccess[access]);
    const writes = pages.slice();
    removeBits(writes, reads);
    const duplicates = block.readMostly;
    const copied = newBits();
    if (duplicates) {
      this.#duplicated(block, memory.makeResident(block, reads, where, cause, true), p);
      this.#duplicated(block, memory.makeResident(block, prefetched, where, "prefetch", true), p);
      addBits(copied, memory.makeResident(block, writes, where, cause));
    } else {
      addBits(copied, memory.makeResident(block, pages, where, cause));
      addBits(copied, memory.makeResident(block, prefetched, where, "prefetch"));
    }
    this.#settle(block, where, arrived, prefetched);
    this.#thrashEvent(block, copied, where);
    byAccess.forEach((part, access) => {
      if (isEmpty(part)) return;
      const stayed = part.slice();
      removeBits(stayed, arrived);
      this.#revoke(block, stayed, p, access, where);
      memory.map(block, part, p, where, access);
    });
    memory.map(block, prefetched, p, where);
    this.#mapOthers(block, arrived, p, where);
  }

  /** Tells the device's memory what has come. */
  #settle(block: VaBlock, where: Processor, arrived: Bits, prefetched: Bits): void {
    const asked = arrived.slice();
    removeBits(asked, prefetched);
    const along = arrived.slice();
    removeBits(along, asked);
    const by = (i: number): Arrival => {
      if (this.#access[i] === ACCESS_PREFETCH) return "prefetch";
      return this.#access[i] === ACCESS_READ ? "load" : "store";
    };
    this.#memory.settle(block, where, { asked, along, by });
  }

  /** Counts pages that come to a device along with others. */
  #notePrefetched(block: VaBlock, where: Processor, arrived: Bits, prefetched: Bits): void {
    if (where === CPU) return;
    const came = arrived.slice();
    keepBits(came, prefetched);
    addBits(block.prefetched[where], came);
    this.#memory.counts[where].prefetched += countBits(came);
    this.#memory.mover.noted(block, came, "bytesPrefetched");
  }

  /** Pages were copied for reading: all holders may only read them. */
  #duplicated(block: VaBlock, pages: Bits, p: Processor): void {
    if (isEmpty(pages)) return;
    this.#thrashing?.reset(block.thrashing, pages);
    for (let q = 0; q < this.#memory.topology.processors; q++)
      if (q !== p) this.#memory.limit(block, pages, q, RIGHTS_READ);
  }

  /** Takes the rights of others that an access to pages which stay does not tolerate. */
  #revoke(block: VaBlock, pages: Bits, p: Processor, access: number, owner: Processor): void {
    const { topology } = this.#memory;
    if (access < ACCESS_WRITE || isEmpty(pages)) return;
    let revoked = false;
    for (let q = 0; q < topology.processors; q++) {
      if (q === p) continue;
      const kept = rightsKept({ p: q, rights: RIGHTS_ATOMIC }, p, access, owner, topology);
      if (this.#memory.limit(block, pages, q, kept)) revoked = true;
    }
    if (revoked) this.#thrashEvent(block, pages, p);
  }

  #thrashEvent(block: VaBlock, pages: Bits, p: Processor): void {
    if (this.#thrashing === null || isEmpty(pages)) return;
    const found = block.thrashing.pages.slice();
    const n = this.#thrashing.event(block.thrashing, pages, p, this.#now);
    if (n === 0) return;
    this.#memory.counts[p].thrashed += n;
    for (let w = 0; w < found.length; w++) found[w] = block.thrashing.pages[w] & ~found[w];
    this.#memory.mover.noted(block, found, "bytesThrashed");
  }

  /**
   * Maps pages that have come for the processors that are advised to access them, and for those that share a
   * pin.
   */
  #mapOthers(block: VaBlock, arrived: Bits, p: Processor, where: Processor): void {
    const memory = this.#memory;
    for (let q = 0; q < memory.topology.processors; q++) {
      if (q === p) continue;
      if ((block.accessedBy & (1 << q)) !== 0) memory.map(block, arrived, q, where);
      if (this.#thrashing === null || block.thrashing.states === null) continue;
      const shared = newBits();
      for (let i = nextBit(arrived, 0); i < BLOCK_PAGES; i = nextBit(arrived, i + 1))
        if ((this.#thrashing.sharers(block.thrashing, i) & (1 << q)) !== 0) setBit(shared, i);
      memory.map(block, shared, q, where);
    }
  }

  /** Ends pins whose time is over: their remote maps go. */
  #unpin(): void {
    this.#thrashing?.expire(this.#now, (thrashing, page) => {
      const block = this.#memory.block(thrashing.block);
      const pages = newBits();
      setBit(pages, page);
      for (let q = 0; q < this.#memory.topology.processors; q++)
        if (!hasBit(block.resident[q], page)) this.#memory.limit(block, pages, q, RIGHTS_NONE);
    });
  }
}
