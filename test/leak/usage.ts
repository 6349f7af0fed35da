/** Reads from an engine's linear memory how much of its tables and memory is in use. */
import { FOLIO_FLAGS, FOLIO_FREE, FOLIO_SIZE } from "../../assembly/abi/frame.ts";
import {
  HDR_CMD_DEPTH,
  HDR_EXTERNAL_REFS,
  HDR_FAIL_ALLOC,
  HDR_FOLIOS,
  HDR_SYSTEM_FRAMES,
  HEADER,
  POOLS,
  ZONES,
} from "../../assembly/abi/header.ts";
import { POOL_COUNT, POOL_STRIDE, POOL_USED } from "../../assembly/abi/pool.ts";
import {
  SWAP_ZONE,
  ZONE_COUNT,
  ZONE_FLAGS,
  ZONE_FREE_PAGES,
  ZONE_PFN_END,
  ZONE_PFN_FIRST,
  ZONE_SIZE,
} from "../../assembly/abi/zone.ts";
import type { Hmm, HmmConfig } from "../../src/index.ts";
import { arenaBlocks } from "../../src/testing/arena.ts";

/** The configuration of this folder's tests. */
export const SMALL: HmmConfig = {
  systemMemory: 2 << 20,
  deviceMemory: 8 << 20,
  swap: 1 << 16,
  arena: 1 << 18,
};

/** Counts of what is in use, by name. */
export type Usage = Record<string, number>;

const NAMES = [
  ...["mms", "vmas", "anonVmas", "anonVmaLinks", "pageTables", "notifiers", "memcgs"],
  ...["migrations", "deviceTables", "files", "ksmPages", "ksmAddresses"],
];
/** Frames that are always in use: pfn 0 and the zero page. */
const RESERVED = 2;

/** Returns the bytes of the arena in use. */
function arenaInUse(view: DataView): number {
  let used = 0;
  for (const block of arenaBlocks((address) => view.getUint32(address, true)))
    if (block.used) used += block.end - block.start;
  return used;
}

/** Reads the usage without an allocation. */
function readUsage(memory: ArrayBuffer): Usage {
  const view = new DataView(memory);
  const u32 = (at: number): number => view.getUint32(at, true);
  const usage: Usage = {};
  for (let table = 0; table < POOL_COUNT; table++) {
    usage[NAMES[table] ?? `table ${table}`] = u32(HEADER + POOLS + table * POOL_STRIDE + POOL_USED);
  }
  for (let zone = 0; zone < ZONE_COUNT; zone++) {
    const at = HEADER + ZONES + zone * ZONE_SIZE;
    if (u32(at + ZONE_FLAGS) === 0) continue;
    usage[zone === 0 ? "system pages" : zone === SWAP_ZONE ? "swap slots" : `pages of devmem ${zone}`] =
      u32(at + ZONE_PFN_END) - u32(at + ZONE_PFN_FIRST) - u32(at + ZONE_FREE_PAGES);
  }
  const folios = u32(HEADER + HDR_FOLIOS);
  let unfree = 0;
  for (let pfn = RESERVED; pfn < RESERVED + u32(HEADER + HDR_SYSTEM_FRAMES); pfn++) {
    if ((view.getUint16(folios + pfn * FOLIO_SIZE + FOLIO_FLAGS, true) & FOLIO_FREE) === 0) unfree++;
  }
  usage["system frames that are not free"] = unfree;
  usage["arena bytes"] = arenaInUse(view);
  usage["references of callers"] = u32(HEADER + HDR_EXTERNAL_REFS);
  usage["operations in progress"] = u32(HEADER + HDR_CMD_DEPTH);
  return usage;
}

/** Compares an engine's usage with that at boot. */
export class LeakCheck {
  readonly hmm: Hmm;
  readonly #memory: ArrayBuffer;
  readonly #atBoot: Usage;

  constructor(hmm: Hmm) {
    const probe = hmm.pfnArray(1);
    this.#memory = probe.buffer;
    probe.close();
    this.hmm = hmm;
    this.#atBoot = readUsage(this.#memory);
  }

  get usage(): Usage {
    return readUsage(this.#memory);
  }

  /** Allocations left until the injected failure; 0 if it has occurred. */
  get allocationsToFailure(): number {
    return new DataView(this.#memory).getUint32(HEADER + HDR_FAIL_ALLOC, true);
  }

  /** What is in use and was not at boot, as text; empty if nothing. */
  get leaked(): string {
    const differences = Object.entries(this.usage).filter(([name, n]) => n !== (this.#atBoot[name] ?? 0));
    return differences.map(([name, n]) => `${n} ${name}`).join(", ");
  }
}

/** Closes what a test holds, and then all that is left open in the engine. */
export function closeAll(hmm: Hmm, held: { close(): void }[]): void {
  for (const object of held) object.close();
  hmm.close();
}
