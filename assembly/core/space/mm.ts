// Address spaces: the object, and how to find it.

import {
  HDR_GENERATION,
  MM_ALIVE,
  MM_FAULTS,
  MM_FLAGS,
  MM_GENERATION,
  MM_INVALIDATIONS,
  MM_KSM_ITEMS,
  MM_KSM_NEXT,
  MM_LOCKED_PAGES,
  MM_MEMCG,
  MM_NOTIFIERS,
  MM_PGD,
  MM_RSS_ANON,
  MM_SEQ,
  MM_SIZE,
  MM_VMA_CACHE,
  MM_VMA_COUNT,
  MM_VMA_FIRST,
  MM_VMA_LAST,
  MM_VMA_ROOT,
  TABLE_MM,
} from "../../abi/struct";
import { header, setHeader } from "../base/layout";
import { none } from "../base/object";
import { poolHigh, poolId, poolObject } from "../base/pool";

/** An address space. */
@unmanaged
export class Mm {
  /** The root page table. */
  pgd: u32;
  /** MM_ALIVE while it is in use. */
  flags: u32;
  /** The vmas: the root of the treap, the first of the list, the one that was found last, their number. */
  vmaRoot: u32;
  vmaFirst: u32;
  vmaCache: u32;
  vmaCount: u32;
  /** The number of pages that entries map, by kind, and of swap entries. */
  rssAnon: u32;
  rssFile: u32;
  rssShmem: u32;
  rssSwap: u32;
  /** The id of the group that its pages are charged to; 0: none. */
  memcg: u32;
  /** The notifier sequence: odd while a window is open. */
  seq: u32;
  /** The number of open notifier windows. */
  invalidations: u32;
  /** The number of subscribers that have to be told of invalidations. */
  notifiers: u32;
  faults: u32;
  majorFaults: u32;
  reserved4: u32;
  lockedPages: u32;
  generation: u32;
  vmaLast: u32;
  reserved0: u32;
  reserved1: u32;
  /** The first KSM item, in the order of addresses. */
  ksmItems: u32;
  /** The id of the next mm with mergeable memory. */
  ksmNext: u32;

  /** The mm's id. */
  @inline get id(): u32 {
    return poolId(TABLE_MM, changetype<usize>(this));
  }
}

if (offsetof<Mm>() != MM_SIZE) ERROR("MM_SIZE");
if (offsetof<Mm>("pgd") != MM_PGD) ERROR("MM_PGD");
if (offsetof<Mm>("flags") != MM_FLAGS) ERROR("MM_FLAGS");
if (offsetof<Mm>("vmaRoot") != MM_VMA_ROOT) ERROR("MM_VMA_ROOT");
if (offsetof<Mm>("vmaFirst") != MM_VMA_FIRST) ERROR("MM_VMA_FIRST");
if (offsetof<Mm>("vmaCache") != MM_VMA_CACHE) ERROR("MM_VMA_CACHE");
if (offsetof<Mm>("vmaCount") != MM_VMA_COUNT) ERROR("MM_VMA_COUNT");
if (offsetof<Mm>("rssAnon") != MM_RSS_ANON) ERROR("MM_RSS_ANON");
if (offsetof<Mm>("memcg") != MM_MEMCG) ERROR("MM_MEMCG");
if (offsetof<Mm>("seq") != MM_SEQ) ERROR("MM_SEQ");
if (offsetof<Mm>("invalidations") != MM_INVALIDATIONS) ERROR("MM_INVALIDATIONS");
if (offsetof<Mm>("notifiers") != MM_NOTIFIERS) ERROR("MM_NOTIFIERS");
if (offsetof<Mm>("faults") != MM_FAULTS) ERROR("MM_FAULTS");
if (offsetof<Mm>("lockedPages") != MM_LOCKED_PAGES) ERROR("MM_LOCKED_PAGES");
if (offsetof<Mm>("generation") != MM_GENERATION) ERROR("MM_GENERATION");
if (offsetof<Mm>("vmaLast") != MM_VMA_LAST) ERROR("MM_VMA_LAST");
if (offsetof<Mm>("ksmItems") != MM_KSM_ITEMS) ERROR("MM_KSM_ITEMS");
if (offsetof<Mm>("ksmNext") != MM_KSM_NEXT) ERROR("MM_KSM_NEXT");

/** Returns the address space of an id that is known to be in use. */
@inline
export function mmAt(id: u32): Mm {
  return changetype<Mm>(poolObject(TABLE_MM, id));
}

/** Returns the address space of an id, or none. */
export function mmOf(id: u32): Mm {
  if (!id || id > poolHigh(TABLE_MM)) return none<Mm>();
  const mm = mmAt(id);
  return mm.flags & MM_ALIVE ? mm : none<Mm>();
}

/** Returns a number that no mm or vma has had before. */
export function newGeneration(): u32 {
  const generation = header(HDR_GENERATION) + 1;
  setHeader(HDR_GENERATION, generation);
  return generation;
}
