/**
 * The rival of P7 in JavaScript without page tables: native/replay-map.c on typed arrays. It has a hash map
 * of clusters, an intrusive list of the device's pages in the order of use, and nothing that the counts do
 * not need.
 */
import { RECORD_AGENT_SHIFT, RECORD_KIND_MASK, RECORD_SIZE_SHIFT } from "../assembly/abi/record.ts";
import { PAGE } from "./engine.ts";

const CLUSTER_PAGES = 16;
/** Bytes of a cluster, as a power of two: 48 bits of address leave a key of 32 bits. */
const CLUSTER_SHIFT = 16;
const AGENT_MASK = 0xff << RECORD_AGENT_SHIFT;
const SIZE_SHIFT = RECORD_SIZE_SHIFT - 32;
const WORDS = 4;
const PIECE = 2 ** 21;
const HASH = 0x9e3779b1 | 0;

/** Counts the bits of a 16-bit number. */
function bitsOf(word: number): number {
  let n = word - ((word >>> 1) & 0x5555);
  n = (n & 0x3333) + ((n >>> 2) & 0x3333);
  n = (n + (n >>> 4)) & 0x0f0f;
  return (n + (n >>> 8)) & 0x1f;
}

/** What a replay has counted, in the order in which both rivals hash it. */
const COUNTS = {
  ...{ zero: 0, anon: 0, cow: 0, faultBack: 0, migrate: 0 },
  ...{ pagesIn: 0, copied: 0, inAgain: 0, pagesOut: 0, outDirty: 0, outEvicted: 0, peak: 0 },
  ...{ evictions: 0, growths: 0, rss: 0, devicePages: 0 },
};

export class MapTwin {
  /** Counts by kind: CPU load, store, modify, unused; device load, store, modify, unused. */
  readonly accesses = new Uint32Array(8);
  readonly counts = { ...COUNTS };

  readonly #capacity: number;
  readonly #mask: number;
  /** A key of 0 is an empty place of the map. The others have one bit for each page of the cluster. */
  readonly #keys: Int32Array;
  readonly #device: Uint16Array;
  readonly #ram: Uint16Array;
  readonly #zero: Uint16Array;
  readonly #dirty: Uint16Array;
  readonly #left: Uint16Array;
  /** Neighbors of node 16 * cluster + page + 1 in the order of use. Node 0 is both ends. */
  readonly #newer: Uint32Array;
  readonly #older: Uint32Array;
  /** Numbers of the 2 MiB pieces that are mapped. */
  readonly #mapped = new Set<number>();

  constructor(bytes: number, deviceBytes: number) {
    this.#capacity = deviceBytes / PAGE;
    let places = 2;
    while (places < 2 * (bytes >>> CLUSTER_SHIFT)) places *= 2;
    this.#mask = places - 1;
    this.#keys = new Int32Array(places);
    const words = (): Uint16Array => new Uint16Array(places);
    [this.#device, this.#ram, this.#zero, this.#dirty, this.#left] = [
      words(),
      words(),
      words(),
      words(),
      words(),
    ];
    this.#newer = new Uint32Array(places * CLUSTER_PAGES + 1);
    this.#older = new Uint32Array(places * CLUSTER_PAGES + 1);
  }

  /** Empties the address space and the device, and sets all counts to 0. */
  reset(): void {
    this.accesses.fill(0);
    Object.assign(this.counts, COUNTS);
    for (const words of [this.#device, this.#ram, this.#zero, this.#dirty, this.#left]) words.fill(0);
    this.#keys.fill(0);
    this.#newer.fill(0);
    this.#older.fill(0);
    this.#mapped.clear();
  }

  /** Where a page is: 0 nowhere, 1 the zero page, 2 RAM, 3 the device. */
  placeOf(address: number): number {
    const c = this.#find(Math.floor(address / 2 ** CLUSTER_SHIFT) | 0);
    const bit = 1 << ((address / PAGE) & (CLUSTER_PAGES - 1));
    if ((this.#device[c] & bit) !== 0) return 3;
    return (this.#ram[c] & bit) !== 0 ? 2 : (this.#zero[c] & bit) !== 0 ? 1 : 0;
  }

  /** Makes all accesses of `records`. */
  replay(records: BigUint64Array): void {
    const words = new Uint32Array(records.buffer, records.byteOffset, (WORDS / 2) * records.length);
    const { accesses } = this;
    for (let i = 0; i < words.length;) {
      const low = words[i];
      const high = words[i + 1];
      const how = words[i + 2];
      const device = (how & AGENT_MASK) === 0 ? 0 : 1;
      const kind = how & RECORD_KIND_MASK; // the rows have no marks
      const pages = ((low & (PAGE - 1)) + (high >>> SIZE_SHIFT) - 1) >> 12;
      let done = true;
      for (let n = 0; done && n <= pages; n++) {
        const page = (low >>> 12) + n;
        const key = (high << 16) | (page >>> 4) | 0;
        done = this.#touch(key + ((page >>> 20) << 16), page & (CLUSTER_PAGES - 1), kind !== 0, device !== 0);
      }
      if (!done) continue;
      accesses[kind | (device << 2)]++;
      i += WORDS;
    }
  }

  #find(key: number): number {
    const keys = this.#keys;
    let at = Math.imul(key, HASH) & this.#mask;
    while (keys[at] !== key) {
      if (keys[at] === 0) {
        keys[at] = key;
        break;
      }
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  /** Makes one access to a page. Returns false if it faulted, and has to be made again. */
  #touch(key: number, page: number, write: boolean, device: boolean): boolean {
    const c = this.#find(key);
    const bit = 1 << page;
    if (!device) {
      if ((this.#ram[c] & bit) !== 0 || (!write && (this.#zero[c] & bit) !== 0)) return true;
      this.#fault(c, key, bit, write, false);
      return false;
    }
    if ((this.#device[c] & bit) === 0) {
      this.#fault(c, key, bit, write, true);
      return false;
    }
    if (write) this.#dirty[c] |= bit;
    const node = c * CLUSTER_PAGES + page + 1;
    if (this.#older[0] !== node) {
      this.#unlink(node);
      this.#push(node);
    }
    return true;
  }

  #unlink(node: number): void {
    const newer = this.#newer[node];
    const older = this.#older[node];
    this.#older[newer] = older;
    this.#newer[older] = newer;
  }

  #push(node: number): void {
    const newest = this.#older[0];
    this.#newer[node] = 0;
    this.#older[node] = newest;
    this.#newer[newest] = node;
    this.#older[0] = node;
  }

  #fault(c: number, key: number, bit: number, write: boolean, device: boolean): void {
    const { counts } = this;
    const piece = Math.floor(((key >>> 0) * 2 ** CLUSTER_SHIFT) / PIECE);
    if (!this.#mapped.has(piece)) {
      this.#mapped.add(piece);
      counts.growths++;
    } else if (device) this.#moveIn(c);
    else if ((this.#device[c] & bit) !== 0) {
      counts.faultBack++;
      this.#moveOut(c);
    } else if (!write) {
      counts.zero++;
      this.#zero[c] |= bit;
    } else {
      if ((this.#zero[c] & bit) !== 0) counts.cow++;
      else counts.anon++;
      this.#zero[c] &= ~bit;
      this.#ram[c] |= bit;
      counts.rss++;
    }
  }

  #moveIn(c: number): void {
    const { counts } = this;
    const pages = ~this.#device[c] & 0xffff;
    const n = bitsOf(pages);
    const copied = bitsOf(pages & this.#ram[c]);
    this.#makeRoom(n, c);
    for (let page = 0; page < CLUSTER_PAGES; page++)
      if ((pages & (1 << page)) !== 0) this.#push(c * CLUSTER_PAGES + page + 1);
    counts.pagesIn += n;
    counts.copied += copied;
    counts.inAgain += bitsOf(pages & this.#left[c]);
    counts.migrate++;
    counts.rss += n - copied;
    counts.devicePages += n;
    counts.peak = Math.max(counts.peak, counts.devicePages);
    this.#device[c] = 0xffff;
    this.#ram[c] = this.#zero[c] = 0;
  }

  #makeRoom(wanted: number, keep: number): void {
    while (this.#capacity - this.counts.devicePages < wanted) {
      let node = this.#newer[0];
      while (node !== 0 && (node - 1) >>> 4 === keep) node = this.#newer[node];
      if (node === 0) throw new Error("nothing can be evicted");
      const victim = (node - 1) >>> 4;
      this.counts.outEvicted += bitsOf(this.#device[victim]);
      this.#moveOut(victim);
      this.counts.evictions++;
    }
  }

  #moveOut(c: number): void {
    const { counts } = this;
    const pages = this.#device[c];
    for (let page = 0; page < CLUSTER_PAGES; page++)
      if ((pages & (1 << page)) !== 0) this.#unlink(c * CLUSTER_PAGES + page + 1);
    const n = bitsOf(pages);
    counts.pagesOut += n;
    counts.outDirty += bitsOf(pages & this.#dirty[c]);
    counts.devicePages -= n;
    this.#left[c] |= pages;
    this.#ram[c] |= pages;
    this.#device[c] = this.#dirty[c] = 0;
  }
}
