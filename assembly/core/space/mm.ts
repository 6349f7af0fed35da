// Address spaces: the object, and how to find it.

import { HDR_GENERATION } from "../../abi/header";
import {
  MM_FAULTS,
  MM_MAJOR_FAULTS,
  MM_PGD,
  MM_RSS_ANON,
  MM_RSS_FILE,
  MM_RSS_SHMEM,
  MM_RSS_SWAP,
  MM_SEQ,
  MM_VMA_CACHE,
  MM_VMA_FIRST,
  MM_WINDOWS,
} from "../../abi/object";
import { RESOURCE_MM } from "../../abi/pool";
import { header, MM_SIZE, setHeader } from "../base/layout";
import { none } from "../base/object";
import { poolHigh, poolId, poolObject } from "../base/pool";

/** The address space is in use. */
export const MM_ALIVE: u32 = 1;
/** It is in the list of address spaces that ksmScan looks through. */
export const MM_MERGEABLE: u32 = 0x10;
/** A flag of Mm: some of its pages have been pinned for long, so that fork has to look for them. */
export const MM_HAS_PINNED: u32 = 0x20;

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
    return poolId(RESOURCE_MM, changetype<usize>(this));
  }
}

if (offsetof<Mm>() != MM_SIZE) ERROR("MM_SIZE");
if (offsetof<Mm>("pgd") != MM_PGD) ERROR("MM_PGD");
if (offsetof<Mm>("vmaFirst") != MM_VMA_FIRST) ERROR("MM_VMA_FIRST");
if (offsetof<Mm>("vmaCache") != MM_VMA_CACHE) ERROR("MM_VMA_CACHE");
if (offsetof<Mm>("rssAnon") != MM_RSS_ANON) ERROR("MM_RSS_ANON");
if (offsetof<Mm>("rssFile") != MM_RSS_FILE) ERROR("MM_RSS_FILE");
if (offsetof<Mm>("rssShmem") != MM_RSS_SHMEM) ERROR("MM_RSS_SHMEM");
if (offsetof<Mm>("rssSwap") != MM_RSS_SWAP) ERROR("MM_RSS_SWAP");
if (offsetof<Mm>("seq") != MM_SEQ) ERROR("MM_SEQ");
if (offsetof<Mm>("invalidations") != MM_WINDOWS) ERROR("MM_WINDOWS");
if (offsetof<Mm>("faults") != MM_FAULTS) ERROR("MM_FAULTS");
if (offsetof<Mm>("majorFaults") != MM_MAJOR_FAULTS) ERROR("MM_MAJOR_FAULTS");

/** Returns the address space of an id that is known to be in use. */
@inline
export function mmAt(id: u32): Mm {
  return changetype<Mm>(poolObject(RESOURCE_MM, id));
}

/** Returns the address space of an id, or none. */
export function mmOf(id: u32): Mm {
  if (!id || id > poolHigh(RESOURCE_MM)) return none<Mm>();
  const mm = mmAt(id);
  return mm.flags & MM_ALIVE ? mm : none<Mm>();
}

/** Returns a number that no mm or vma has had before. */
export function newGeneration(): u32 {
  const generation = header(HDR_GENERATION) + 1;
  setHeader(HDR_GENERATION, generation);
  return generation;
}
