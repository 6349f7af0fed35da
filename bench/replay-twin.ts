/**
 * The typed-array rival of P7 (rows/replay.ts): the same simulation in plain JavaScript. It has only what the
 * result needs: four-level tables for the CPU and the device, translation buffers, frames with contents, and
 * an LRU list.
 */
import { RECORD_AGENT_SHIFT, RECORD_KIND_MASK, RECORD_SIZE_SHIFT } from "../assembly/abi/record.ts";
import { PAGE } from "./engine.ts";

const CLUSTER_PAGES = 16;
const CLUSTER = CLUSTER_PAGES * PAGE;
const PIECE = 2 ** 21;

/** The word of a leaf table: a frame and flags. A word of 0 is no page. The zero page is frame 0. */
const FRAME = 0xfffff;
const PRESENT = 1 << 31;
const WRITE = 1 << 30;
const ON_DEVICE = 1 << 29;
const DIRTY = 1 << 28;

/** An entry of a translation buffer: page number (low word with TLB_WRITE, high word) and frame. */
const TLB_ENTRIES = 256;
const TLB_STRIDE = 4;
const TLB_WORDS = TLB_ENTRIES * TLB_STRIDE;
const TLB_WRITE = 1 << 20;

const SIZE_SHIFT = RECORD_SIZE_SHIFT - 32;
const AGENT_MASK = 0xff << RECORD_AGENT_SHIFT;
/** 32-bit words of a record. */
const WORDS = 4;

const TABLES = 64;

export class TypedArrayTwin {
  /** Counts by kind: CPU load, store, modify, unused; device load, store, modify, unused. */
  readonly accesses = new Uint32Array(8);
  readonly faults = { zero: 0, anon: 0, cow: 0, device: 0, migrate: 0 };
  readonly pages = { in: 0, copied: 0, inAgain: 0, out: 0, outDirty: 0, outEvicted: 0, peak: 0 };
  evictions = 0;
  growths = 0;
  rss = 0;

  readonly #tables = new Uint32Array(512 * TABLES);
  #tablesUsed = 2; // table 0 is none, table 1 the CPU's root
  readonly #cpuRoot = 1;
  readonly #deviceRoot = 2;
  readonly #tlb = new Int32Array(2 * TLB_WORDS);

  /** Frames [1, firstDevice) are RAM. The others belong to the device. */
  readonly #firstDevice: number;
  readonly #capacity: number;
  readonly #bytes: Uint8Array;
  readonly #freeRam: Uint32Array;
  readonly #freeDevice: Uint32Array;
  #ramLeft = 0;
  #deviceLeft = 0;
  /** The address of each device frame. */
  readonly #address: Float64Array;
  readonly #newer: Uint32Array;
  readonly #older: Uint32Array;
  #newest = 0;
  #oldest = 0;

  /** Numbers of the 2 MiB pieces that are mapped. */
  readonly #mapped = new Set<number>();
  /** For each cluster, one bit for each page that has left the device. */
  readonly #left = new Map<number, number>();

  /** Why #run() stopped: address, kind and agent of the access that faults. */
  #stopAddress = 0;
  #stopWrite = false;
  #stopDevice = false;

  constructor(ramBytes: number, deviceBytes: number) {
    const ram = ramBytes / PAGE;
    this.#capacity = deviceBytes / PAGE;
    this.#firstDevice = ram + 1;
    const frames = this.#firstDevice + this.#capacity;
    this.#bytes = new Uint8Array(frames * PAGE).fill(1);
    this.#freeRam = new Uint32Array(ram);
    this.#freeDevice = new Uint32Array(this.#capacity);
    this.#address = new Float64Array(frames);
    this.#newer = new Uint32Array(frames);
    this.#older = new Uint32Array(frames);
    this.reset();
  }

  get devicePages(): number {
    return this.#capacity - this.#deviceLeft;
  }

  /** Where a page is: 0 nowhere, 1 the zero page, 2 RAM, 3 the device. */
  placeOf(address: number): number {
    const slot = this.#slotOf(this.#cpuRoot, address, false);
    const word = slot === 0 ? 0 : this.#tables[slot];
    if (word === 0) return 0;
    return (word & ON_DEVICE) !== 0 ? 3 : (word & FRAME) !== 0 ? 2 : 1;
  }

  /** Empties the address space and the device, and sets all counts to 0. */
  reset(): void {
    this.accesses.fill(0);
    Object.assign(this.faults, { zero: 0, anon: 0, cow: 0, device: 0, migrate: 0 });
    Object.assign(this.pages, { in: 0, copied: 0, inAgain: 0, out: 0, outDirty: 0, outEvicted: 0, peak: 0 });
    this.evictions = this.growths = this.rss = 0;
    this.#tables.fill(0);
    this.#tablesUsed = 3;
    this.#ramLeft = this.#freeRam.length;
    this.#deviceLeft = this.#capacity;
    for (let i = 0; i < this.#ramLeft; i++) this.#freeRam[i] = this.#ramLeft - i;
    for (let i = 0; i < this.#capacity; i++) this.#freeDevice[i] = this.#firstDevice + this.#capacity - 1 - i;
    this.#newest = this.#oldest = 0;
    this.#newer.fill(0);
    this.#older.fill(0);
    this.#mapped.clear();
    this.#left.clear();
  }

  /** Makes all accesses of `records`. */
  replay(records: BigUint64Array): void {
    const words = new Uint32Array(records.buffer, records.byteOffset, (WORDS / 2) * records.length);
    for (let at = this.#run(words, 0); at < words.length; at = this.#run(words, at)) {
      const address = this.#stopAddress;
      const piece = Math.floor(address / PIECE);
      if (!this.#mapped.has(piece)) {
        this.#mapped.add(piece);
        this.growths++;
      } else if (this.#stopDevice) this.#moveIn(address);
      else this.#cpuFault(address);
    }
  }

  /** Runs the records from word `at` on. Returns the index of the first record that faults. */
  #run(words: Uint32Array, at: number): number {
    const tlb = this.#tlb.fill(-1);
    const accesses = this.accesses;
    const firstDevice = this.#firstDevice;
    for (let i = at; i < words.length; i += WORDS) {
      const low = words[i];
      const high = words[i + 1];
      const how = words[i + 2];
      const device = (how & AGENT_MASK) === 0 ? 0 : 1;
      const kind = how & RECORD_KIND_MASK; // the rows have no marks
      const size = high >>> SIZE_SHIFT;
      const pages = ((low & (PAGE - 1)) + size - 1) >> 12;
      for (let n = 0; n <= pages; n++) {
        const carried = (low >>> 12) + n;
        const pageLow = carried & FRAME;
        const pageHigh = (high & 0xffff) + (carried >>> 20);
        const entry = device * TLB_WORDS + (pageLow & (TLB_ENTRIES - 1)) * TLB_STRIDE;
        const tag = tlb[entry];
        const hit =
          tlb[entry + 1] === pageHigh && (tag === (pageLow | TLB_WRITE) || (kind === 0 && tag === pageLow));
        if (!hit && !this.#fill(entry, pageLow, pageHigh, kind !== 0, device)) {
          this.#stopAddress = (pageHigh * 2 ** 20 + pageLow) * PAGE;
          this.#stopWrite = kind !== 0;
          this.#stopDevice = device !== 0;
          return i;
        }
        const frame = tlb[entry + 2];
        if (device !== 0 && frame >= firstDevice && frame !== this.#newest) this.#touch(frame);
      }
      accesses[kind | (device << 2)]++;
    }
    return words.length;
  }

  #fill(entry: number, pageLow: number, pageHigh: number, write: boolean, device: number): boolean {
    const slot = this.#walk(device === 0 ? this.#cpuRoot : this.#deviceRoot, pageLow, pageHigh, false);
    const word = slot === 0 ? 0 : this.#tables[slot];
    if ((word & PRESENT) === 0 || (write && (word & WRITE) === 0)) return false;
    if (write) this.#tables[slot] = word | DIRTY;
    this.#tlb[entry] = write ? pageLow | TLB_WRITE : pageLow;
    this.#tlb[entry + 1] = pageHigh;
    this.#tlb[entry + 2] = word & FRAME;
    return true;
  }

  /** Returns the index of a page's word. Returns 0 if a table is missing and `make` is false. */
  #walk(root: number, pageLow: number, pageHigh: number, make: boolean): number {
    const tables = this.#tables;
    let at = root * 512 + (pageHigh >>> 7);
    for (let level = 2; level >= 0; level--) {
      let next = tables[at];
      if (next === 0) {
        if (!make) return 0;
        if (this.#tablesUsed === TABLES) throw new Error("out of tables");
        next = tables[at] = this.#tablesUsed++;
      }
      const index =
        level === 2
          ? ((pageHigh << 2) | (pageLow >>> 18)) & 511
          : level === 1
            ? (pageLow >>> 9) & 511
            : pageLow & 511;
      at = next * 512 + index;
    }
    return at;
  }

  /** Returns the index of the first word of the cluster that contains `address`. */
  #slotOf(root: number, address: number, make: boolean): number {
    const page = address / PAGE;
    return this.#walk(root, page & FRAME, Math.floor(page / 2 ** 20), make);
  }

  #touch(frame: number): void {
    if (frame === this.#newest) return;
    this.#unlink(frame);
    this.#older[frame] = this.#newest;
    if (this.#newest !== 0) this.#newer[this.#newest] = frame;
    else this.#oldest = frame;
    this.#newest = frame;
  }

  #unlink(frame: number): void {
    const newer = this.#newer[frame];
    const older = this.#older[frame];
    if (newer !== 0) this.#older[newer] = older;
    else if (this.#newest === frame) this.#newest = older;
    else return;
    if (older !== 0) this.#newer[older] = newer;
    else this.#oldest = newer;
    this.#newer[frame] = this.#older[frame] = 0;
  }

  #takeRam(): number {
    if (this.#ramLeft === 0) throw new Error("out of frames");
    return this.#freeRam[--this.#ramLeft];
  }

  #cpuFault(address: number): void {
    const slot = this.#slotOf(this.#cpuRoot, address, true);
    const word = this.#tables[slot];
    if ((word & ON_DEVICE) !== 0) {
      this.faults.device++;
      this.#moveOut(address);
    } else if (!this.#stopWrite) {
      this.faults.zero++;
      this.#tables[slot] = PRESENT;
    } else {
      if (word === 0) this.faults.anon++;
      else this.faults.cow++;
      const frame = this.#takeRam();
      this.#bytes.fill(0, frame * PAGE, (frame + 1) * PAGE);
      this.#tables[slot] = PRESENT | WRITE | frame;
      this.rss++;
    }
  }

  /** Moves the cluster around `address` to the device. */
  #moveIn(address: number): void {
    const start = address - (address % CLUSTER);
    const tables = this.#tables;
    const cpu = this.#slotOf(this.#cpuRoot, start, true);
    const device = this.#slotOf(this.#deviceRoot, start, true);
    let wanted = 0;
    for (let i = 0; i < CLUSTER_PAGES; i++) if (tables[device + i] === 0) wanted++;
    this.#makeRoom(wanted, start);
    const left = this.#left.get(start) ?? 0;
    for (let i = 0; i < CLUSTER_PAGES; i++) {
      const word = tables[cpu + i];
      if ((word & ON_DEVICE) !== 0) continue;
      const frame = this.#freeDevice[--this.#deviceLeft];
      const from = word & FRAME;
      if (from !== 0) {
        this.#bytes.copyWithin(frame * PAGE, from * PAGE, (from + 1) * PAGE);
        this.#freeRam[this.#ramLeft++] = from;
        this.pages.copied++;
      } else {
        this.#bytes.fill(0, frame * PAGE, (frame + 1) * PAGE);
        this.rss++;
      }
      tables[cpu + i] = ON_DEVICE | WRITE | frame;
      tables[device + i] = PRESENT | WRITE | frame;
      this.#address[frame] = start + i * PAGE;
      this.#touch(frame);
      this.pages.in++;
      this.pages.inAgain += (left >> i) & 1;
    }
    this.faults.migrate++;
    this.pages.peak = Math.max(this.pages.peak, this.devicePages);
  }

  #makeRoom(wanted: number, keep: number): void {
    while (this.#deviceLeft < wanted) {
      let victim = this.#oldest;
      while (this.#address[victim] >= keep && this.#address[victim] < keep + CLUSTER)
        victim = this.#newer[victim];
      if (victim === 0) throw new Error("nothing can be evicted");
      this.pages.outEvicted += this.#moveOut(this.#address[victim]);
      this.evictions++;
    }
  }

  /** Moves the device's pages of the cluster around `address` to RAM. Returns how many pages moved. */
  #moveOut(address: number): number {
    const start = address - (address % CLUSTER);
    const tables = this.#tables;
    const cpu = this.#slotOf(this.#cpuRoot, start, true);
    const device = this.#slotOf(this.#deviceRoot, start, true);
    let left = this.#left.get(start) ?? 0;
    let moved = 0;
    for (let i = 0; i < CLUSTER_PAGES; i++) {
      const word = tables[cpu + i];
      if ((word & ON_DEVICE) === 0) continue;
      const frame = word & FRAME;
      const to = this.#takeRam();
      this.#bytes.copyWithin(to * PAGE, frame * PAGE, (frame + 1) * PAGE);
      tables[cpu + i] = PRESENT | WRITE | to;
      if ((tables[device + i] & DIRTY) !== 0) this.pages.outDirty++;
      tables[device + i] = 0;
      this.#unlink(frame);
      this.#freeDevice[this.#deviceLeft++] = frame;
      left |= 1 << i;
      moved++;
    }
    this.#left.set(start, left);
    this.pages.out += moved;
    return moved;
  }
}
