/** A driver's view in the terms of the golden records. */
import {
  HMM_PFN_ERROR,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_UNMAP,
} from "../../src/index.ts";
import type { Device } from "./device.ts";

const EVENT_NAMES = new Map([
  [MMU_NOTIFY_UNMAP, "unmap"],
  [MMU_NOTIFY_CLEAR, "clear"],
  [MMU_NOTIFY_PROTECTION_VMA, "prot_vma"],
  [MMU_NOTIFY_PROTECTION_PAGE, "prot_page"],
  [MMU_NOTIFY_MIGRATE, "migrate"],
  [MMU_NOTIFY_RELEASE, "release"],
  [MMU_NOTIFY_EXCLUSIVE, "exclusive"],
]);

export function eventName(event: number): string {
  return EVENT_NAMES.get(event) ?? `event ${event}`;
}

/** Returns the snapshot byte of an hmm_pfn word for this device. */
export function snapshotByte({ hmm, devmem }: Device, pfn: number): number {
  if ((pfn & HMM_PFN_ERROR) !== 0) return 0xff;
  if ((pfn & HMM_PFN_VALID) === 0) return 0;
  const page = hmmPfnToPage(pfn);
  const byte = ((pfn & HMM_PFN_WRITE) !== 0 ? 2 : 1) | (hmmPfnToMapOrder(pfn) === 0 ? 0 : 4);
  if (page === hmm.zeroPage) return byte | 0x10;
  if (!hmm.isDevicePage(page)) return byte;
  const home = hmm.pageDevmem(page);
  return byte | ((home?.coherent ? 0x40 : 0x20) + (home === devmem ? 0 : 0x10));
}

/** A device table's entry: 0 none, 1 read, 3 write. */
export function entryKind(entry: number): number {
  if ((entry & HMM_PFN_VALID) === 0) return 0;
  return (entry & HMM_PFN_WRITE) !== 0 ? 3 : 1;
}
