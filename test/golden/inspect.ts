/** What the public API does not show of a page, for pagemap and smaps. */
import type { Hmm, Page } from "../../src/index.ts";
import { contextOf } from "../../src/context.ts";
import {
  FOLIO_ANON,
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_FLAGS,
  FOLIO_KSM,
  FOLIO_MAPS,
  FOLIO_SIZE,
  HDR_FOLIOS,
} from "../../assembly/uapi/struct.ts";

export interface PageInfo {
  /** Entries that name the page, in all address spaces. */
  mapcount: number;
  anon: boolean;
  dirty: boolean;
  ksm: boolean;
}

export function pageInfo(hmm: Hmm, page: Page): PageInfo {
  const { mem } = contextOf("pageInfo", hmm);
  const folio = mem.header(HDR_FOLIOS) + page * FOLIO_SIZE;
  const flags = mem.u32(folio + FOLIO_FLAGS) >>> (8 * (FOLIO_FLAGS % 4));
  return {
    mapcount: mem.u32(folio + FOLIO_MAPS) & FOLIO_COUNT_MASK,
    anon: (flags & FOLIO_ANON) !== 0,
    dirty: (flags & FOLIO_DIRTY) !== 0,
    ksm: (flags & FOLIO_KSM) !== 0,
  };
}
