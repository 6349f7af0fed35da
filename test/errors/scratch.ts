/** Where linear memory may change although the core refuses a call. */
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import {
  COMMANDS,
  COMMAND_COUNT,
  COMMAND_SIZE,
  HDR_DESCENTS,
  HDR_EXHAUSTED,
  HDR_FAULT_ADDR,
  HDR_XBUF,
  HEADER,
  POOLS,
} from "../../assembly/abi/header.ts";
import { MM_VMA_CACHE } from "../../assembly/abi/object.ts";
import {
  POOL_BASE,
  POOL_CAPACITY,
  POOL_OBJECT_SIZE,
  POOL_STRIDE,
  RESOURCE_MM,
} from "../../assembly/abi/pool.ts";
import { arenaBlocks } from "../../src/testing/arena.ts";
import type { World } from "./world.ts";

/** Areas that may change when the core refuses a call. None of them holds state. */
export const SCRATCH: { name: string; why: string; ranges(w: World): [number, number][] }[] = [
  {
    name: "results",
    why: "what the core says about the operation that ended last: error code, address, what ran out",
    ranges: () => [[HEADER + HDR_EXHAUSTED, HEADER + HDR_FAULT_ADDR + 8]],
  },
  {
    name: "descents",
    why: "the debug build counts how often it walks a table down to a leaf",
    ranges: () => [[HEADER + HDR_DESCENTS, HEADER + HDR_DESCENTS + 4]],
  },
  {
    name: "command blocks",
    why: "the stack of operations: none is in progress, and each operation clears its block first",
    ranges: () => [[HEADER + COMMANDS, HEADER + COMMANDS + COMMAND_COUNT * COMMAND_SIZE]],
  },
  {
    name: "exchange buffer",
    why: "bytes on their way through the boundary",
    ranges: (w) => [[word(w, HEADER + HDR_XBUF), word(w, HEADER + HDR_XBUF) + XBUF_SIZE]],
  },
  {
    name: "lookup caches",
    why: "the mapping that each address space found last",
    ranges: (w) => Array.from({ length: word(w, MMS + POOL_CAPACITY) }, (_, i) => cacheOf(w, i + 1)),
  },
  {
    name: "free blocks of the arena",
    why: "copies of the caller's arrays, freed again",
    ranges: freeArenaBlocks,
  },
];

function word(w: World, address: number): number {
  return new DataView(w.pfns.buffer).getUint32(address, true);
}

/** Address of the descriptor of the table of address spaces. */
const MMS = HEADER + POOLS + RESOURCE_MM * POOL_STRIDE;

function cacheOf(w: World, id: number): [number, number] {
  const at = word(w, MMS + POOL_BASE) + id * word(w, MMS + POOL_OBJECT_SIZE) + MM_VMA_CACHE;
  return [at, at + 4];
}

function freeArenaBlocks(w: World): [number, number][] {
  const blocks: [number, number][] = [];
  for (const { start, end, head, nextHead, used } of arenaBlocks((address) => word(w, address)))
    if (!used) blocks.push([start, end], [head + 4, nextHead]);
  return blocks;
}
