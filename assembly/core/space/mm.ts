// Address spaces: the object, and finding it.

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


@unmanaged
export class Mm {
  pgd: u32;
  flags: u32;
  vmaRoot: u32;
  vmaFirst: u32;
  vmaCache: u32;
  vmaCount: u32;
  rssAnon: u32;
  rssFile: u32;
  rssShmem: u32;
  rssSwap: u32;
  memcg: u32;
  /** Notifier sequence: even when idle. */
  seq: u32;
  /** Notifier windows open now. */
  invalidations: u32;
  notifiers: u32;
  faults: u32;
  majorFaults: u32;
  reserved4: u32;
  lockedPages: u32;
  generation: u32;
  vmaLast: u32;
  reserved0: u32;
  reserved1: u32;
  /** KSM items, by address. */
  ksmItems: u32;
  /** Id of the next mm with mergeable memory. */
  ksmNext: u32;


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

/** Of an id that is known to be alive. */
@inline
export function mmAt(id: u32): Mm {
  return changetype<Mm>(poolObject(TABLE_MM, id));
}

/** The address space of an id, or null (0) if there is none. */
export function mmOf(id: u32): Mm {
  if (!id || id > poolHigh(TABLE_MM)) return none<Mm>();
  const mm = mmAt(id);
  return mm.flags & MM_ALIVE ? mm : none<Mm>();
}

/** A number that no mm or vma had before. */
export function newGeneration(): u32 {
  const generation = header(HDR_GENERATION) + 1;
  setHeader(HDR_GENERATION, generation);
  return generation;
}
