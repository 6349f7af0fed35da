/**
 * The NVIDIA driver's device memory: root chunks of 2 MiB, of which the least recently migrated one is
 * evicted (uvm_pmm_gpu.c). A block's first page on the device takes a whole chunk, so what moves
 * into a block that has one never evicts.
 */

/** The chunks of one device. `Block` is what owns a chunk: one VA block. */
export class LrmChunks<Block> {
  /** How many chunks the device has. */
  readonly capacity: number;
  /**
   * Owners of chunks with resident pages, and of chunks without, each from the head to the tail of its list.
   */
  readonly #used = new Set<Block>();
  readonly #unused = new Set<Block>();

  /** @param capacity chunks, 1 or more */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Chunks that blocks own. */
  get taken(): number {
    return this.#used.size + this.#unused.size;
  }

  /** Returns whether a block owns a chunk. */
  has(block: Block): boolean {
    return this.#used.has(block) || this.#unused.has(block);
  }

  /**
   * Gives `block`, which has none, a chunk, and puts it at the tail of the `used` list. The chunk is a free
   * one, else the head of `unused`, whose owner just loses it, else the head of `used`. Returns the last
   * one's owner, whose resident pages the caller moves to RAM: an eviction; null without one.
   */
  take(block: Block): Block | null {
    let victim: Block | null = null;
    if (this.taken >= this.capacity) {
      const [unused] = this.#unused;
      if (unused !== undefined) this.#unused.delete(unused);
      else {
        [victim] = this.#used;
        this.#used.delete(victim);
      }
    }
    this.#used.add(block);
    return victim;
  }

  /**
   * Puts a block's chunk at the tail of `used`: a service had the device as its destination, whether pages
   * moved or not. A use of the pages by the device never does this.
   */
  touch(block: Block): void {
    this.#unused.delete(block);
    this.#used.delete(block);
    this.#used.add(block);
  }

  /** Notes that no page of a block is resident any more: its chunk goes to the tail of `unused`. */
  empty(block: Block): void {
    if (this.#used.delete(block)) this.#unused.add(block);
  }

  /** Takes a block's chunk back: the block is gone. */
  free(block: Block): void {
    this.#used.delete(block);
    this.#unused.delete(block);
  }

  /** Makes the lists what lists() has returned. */
  restore({ used, unused }: { used: Block[]; unused: Block[] }): void {
    for (const block of used) this.#used.add(block);
    for (const block of unused) this.#unused.add(block);
  }

  /** Returns the owners of the lists, heads first. */
  lists(): { used: Block[]; unused: Block[] } {
    return { used: [...this.#used], unused: [...this.#unused] };
  }
}
