/** Properties of pages that the public API does not show, for pagemap and smaps. */
import { PAGE_SIZE, type Hmm, type Page } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import {
  FOLIO_ANON,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FLAGS,
  FOLIO_HEAD,
  FOLIO_INDEX,
  FOLIO_KSM,
  FOLIO_LAZYFREE,
  FOLIO_MAPS,
  FOLIO_REFERENCED,
  FOLIO_SIZE,
  FOLIO_SWAP_CACHE,
  FOLIO_TAIL,
} from "../../assembly/abi/frame.ts";
import { HDR_FOLIOS, HDR_FRAMES } from "../../assembly/abi/header.ts";

export interface PageInfo {
  /** Number of entries that name the page in all address spaces. */
  mapcount: number;
  anon: boolean;
  dirty: boolean;
  ksm: boolean;
  /** Whether MADV_FREE gave the page up. */
  free: boolean;
  referenced: boolean;
  /** Whether the page is in the swap cache. */
  swapCache: boolean;
  /** Its place in a large folio. */
  part: "head" | "tail" | null;
}

export function pageInfo(hmm: Hmm, page: Page): PageInfo {
  const { mem } = contextOf("pageInfo", hmm);
  const folio = mem.header(HDR_FOLIOS) + page * FOLIO_SIZE;
  const flags = mem.u32(folio + FOLIO_FLAGS) >>> (8 * (FOLIO_FLAGS % 4));
  return {
    mapcount: mem.u32(folio + FOLIO_MAPS) & FOLIO_COUNT_MASK,
    anon: (flags & FOLIO_ANON) !== 0,
    dirty: (flags & FOLIO_DIRTY) !== 0,
    free: (flags & FOLIO_LAZYFREE) !== 0,
    ksm: (flags & FOLIO_KSM) !== 0,
    referenced: (flags & FOLIO_REFERENCED) !== 0,
    swapCache: (flags & FOLIO_SWAP_CACHE) !== 0,
    part: (flags & FOLIO_HEAD) !== 0 ? "head" : (flags & FOLIO_TAIL) !== 0 ? "tail" : null,
  };
}

/** Returns the contents of a swap slot, or of the swap cache's page for the slot. */
export function swappedBytes(hmm: Hmm, slot: number): Uint8Array {
  const { mem } = contextOf("swappedBytes", hmm);
  const cached = mem.u32(mem.header(HDR_FOLIOS) + slot * FOLIO_SIZE + FOLIO_INDEX);
  return frameBytes(hmm, cached === 0 ? slot : cached);
}

/** Returns the bytes of any frame, including the zero page and swap slots. */
export function frameBytes(hmm: Hmm, frame: number): Uint8Array {
  const { mem } = contextOf("frameBytes", hmm);
  const start = mem.header(HDR_FRAMES) + frame * PAGE_SIZE;
  return mem.bytes.subarray(start, start + PAGE_SIZE);
}
