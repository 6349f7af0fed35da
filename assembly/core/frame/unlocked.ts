// Pages of devices that a locked mapping was the last to map (7.3). The kernel munlocks what leaves a locked
// mapping in batches with a reference to each page, so that a device page is in use until its batch is
// drained: when it is full, at the next munmap, mlock, migration, scan of KSM, or advice on pages. The batch
// is a list through the folios' `index`; pages of system memory count in it, but leave no trace.

import { FOLIO_KSM, FOLIO_LARGE } from "../../abi/frame";
import { HDR_UNLOCKED, HDR_UNLOCKED_PAGES, HDR_UNLOCKED_SIZE } from "../../abi/header";
import { header, setHeader } from "../base/layout";
import { folioOf, isDevicePfn } from "./folio";
import { getPage, putPage } from "./page-alloc";

/** Pages of a full batch (PAGEVEC_SIZE). */
const BATCH_PAGES: u32 = 31;

/** munlock_folio: a page is about to leave a locked mapping. A large folio drains the batch. */
export function unlockPage(pfn: u32): void {
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_LARGE)) return drainUnlocked();
  if (isDevicePfn(pfn) && folio.refcount == 1 && !folio.has(FOLIO_KSM)) {
    getPage(pfn);
    folio.index = header(HDR_UNLOCKED);
    setHeader(HDR_UNLOCKED, pfn);
    setHeader(HDR_UNLOCKED_PAGES, header(HDR_UNLOCKED_PAGES) + 1);
  }
  setHeader(HDR_UNLOCKED_SIZE, header(HDR_UNLOCKED_SIZE) + 1);
  if (header(HDR_UNLOCKED_SIZE) == BATCH_PAGES) drainUnlocked();
}

/** mlock_drain_local: drops the batch's references, which frees pages that nobody maps. */
export function drainUnlocked(): void {
  let pfn = header(HDR_UNLOCKED);
  setHeader(HDR_UNLOCKED, 0);
  setHeader(HDR_UNLOCKED_PAGES, 0);
  setHeader(HDR_UNLOCKED_SIZE, 0);
  while (pfn) {
    const folio = folioOf(pfn);
    const next = folio.index;
    folio.index = 0;
    putPage(pfn);
    pfn = next;
  }
}
