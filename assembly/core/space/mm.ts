// Address spaces: the object, and finding it.

import { HDR_GENERATION } from "../../abi/header";
import { MM_FAULTS, MM_RSS_ANON, MM_VMA_CACHE, MM_VMA_FIRST } from "../../abi/object";
import { RESOURCE_MM } from "../../abi/pool";
import { header, MM_SIZE, setHeader } from "../base/layout";
import { none } from "../base/object";
import { poolHigh, poolId, poolObject } from "../base/pool";

/** The address space is in use. */
export const MM_ALIVE: u32 = 1;
/** It is in the list of address spaces that ksmScan looks through. */
export const MM_MERGEABLE: u32 = 0x10;


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
    return poolId(RESOURCE_MM, changetype<usize>(this));
  }
}

if (offsetof<Mm>() != MM_SIZE) ERROR("MM_SIZE");
if (offsetof<Mm>("vmaFirst") != MM_VMA_FIRST) ERROR("MM_VMA_FIRST");
if (offsetof<Mm>("vmaCache") != MM_VMA_CACHE) ERROR("MM_VMA_CACHE");
if (offsetof<Mm>("rssAnon") != MM_RSS_ANON) ERROR("MM_RSS_ANON");
if (offsetof<Mm>("faults") != MM_FAULTS) ERROR("MM_FAULTS");

/** Of an id that is known to be alive. */
@inline
export function mmAt(id: u32): Mm {
  return changetype<Mm>(poolObject(RESOURCE_MM, id));
}

/** The address space of an id, or null (0) if there is none. */
export function mmOf(id: u32): Mm {
  if (!id || id > poolHigh(RESOURCE_MM)) return none<Mm>();
  const mm = mmAt(id);
  return mm.flags & MM_ALIVE ? mm : none<Mm>();
}

/** A number that no mm or vma had before. */
export function newGeneration(): u32 {
  const generation = header(HDR_GENERATION) + 1;
  setHeader(HDR_GENERATION, generation);
  return generation;
}
