/** Eviction by 64 KiB blocks in 2 MiB regions, from UVM-Smart: alone, or with the tree over the blocks. */
import { reserved } from "./reserve.ts";
import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";

const BLOCK_PAGES = 16;
const REGION_BLOCKS = 32;

interface Block {
  /** Units that are on the device. */
  valid: number;
  /** The slot of its unit that came or was used last. */
  last: number;
}

/** Blocks by their number in the region, in the order of their last use. */
type Region = Map<number, Block>;
type State = [region: number, blocks: [number, Block][]][];

class TreeEvictor implements Evictor {
  /** In the order of their last use. */
  readonly #regions: Map<number, Region>;
  readonly #blockUnits: number;
  readonly #cascades: boolean;
  readonly #reserve: number;
  #group: number;

  constructor({ unitPages, state, reserve = 0 }: EvictorOptions, cascades: boolean) {
    this.#reserve = reserve;
    this.#blockUnits = BLOCK_PAGES / unitPages;
    this.#group = this.#blockUnits;
    this.#cascades = cascades;
    const regions = ((state as State | undefined) ?? []).map(
      ([number, blocks]) => [number, new Map(blocks)] as const,
    );
    this.#regions = new Map(regions);
  }

  get group(): number {
    return this.#group;
  }

  arrived(slot: number, unit: number): void {
    this.#touch(slot, unit).valid++;
  }

  used(slot: number, unit: number): void {
    this.#touch(slot, unit);
  }

  left(_slot: number, unit: number): void {
    const { region, index, number } = this.#placeOf(unit);
    const block = region.get(index);
    if (block === undefined) return;
    block.valid--;
    if (block.valid === 0) region.delete(index);
    if (region.size === 0) this.#regions.delete(number);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const reserve = reserved(this.#regions.size, this.#reserve);
    const found = this.#oldest(reserve, skip);
    return found < 0 && reserve > 0 ? this.#oldest(0, skip) : found;
  }

  /** The victim among all regions but the oldest `reserve` ones; -1 if there is none. */
  #oldest(reserve: number, skip: (slot: number) => boolean): number {
    for (const region of this.#regions.values()) {
      if (reserve-- > 0) continue;
      for (const [index, { valid, last }] of region) {
        if (valid < this.#blockUnits || skip(last)) continue;
        this.#group = this.#blockUnits * (this.#cascades ? emptied(region, index, this.#blockUnits) : 1);
        return last;
      }
    }
    return -1;
  }

  state(): State {
    return [...this.#regions].map(([number, region]) => [number, [...region]]);
  }

  /** Returns the block of a unit; it and its region become those that were used last. */
  #touch(slot: number, unit: number): Block {
    const { region, index, number } = this.#placeOf(unit);
    const block = region.get(index) ?? { valid: 0, last: slot };
    block.last = slot;
    region.delete(index);
    region.set(index, block);
    this.#regions.delete(number);
    this.#regions.set(number, region);
    return block;
  }

  #placeOf(unit: number): { region: Region; number: number; index: number } {
    const block = Math.floor(unit / this.#blockUnits);
    const number = Math.floor(block / REGION_BLOCKS);
    return {
      region: this.#regions.get(number) ?? (new Map() as Region),
      number,
      index: block % REGION_BLOCKS,
    };
  }
}

/**
 * Returns how many blocks leave when block `index` does: from the block to the root, each node that is left
 * with less than half of its units valid is emptied, unless it is empty already.
 */
function emptied(region: Region, index: number, blockUnits: number): number {
  let group = 1;
  for (let size = 2; size <= REGION_BLOCKS; size *= 2) {
    const first = index - (index % size);
    const gone = index - (index % group);
    let valid = 0;
    for (let i = first; i < first + size; i++)
      if (i < gone || i >= gone + group) valid += region.get(i)?.valid ?? 0;
    if (valid > 0 && valid < (size * blockUnits) / 2) group = size;
  }
  return group;
}

/**
 * UVM-Smart's eviction policy 2 (ISCA 2019): one whole 64 KiB block, the oldest of the oldest 2 MiB region.
 */
export const sl: EvictPolicy = {
  about: "the 64 KiB that were used longest ago in the 2 MiB that were, if they are wholly on the device",
  uses: "all",
  reserves: true,
  create: (options) => new TreeEvictor(options, false),
};

/**
 * UVM-Smart's eviction policy 1, the tree-based neighborhood (ISCA 2019): a whole block as `sl` names it;
 * then, from the block to the root of its region's tree, each node is emptied that is left with less than
 * half.
 */
export const tbn: EvictPolicy = {
  about: "as sl, and with it each node of the region's tree that is left with less than half",
  uses: "all",
  reserves: true,
  create: (options) => new TreeEvictor(options, true),
};
