/** A device's view in the records' form: snapshot bytes and notifier events. */
import {
  hmmPfnToMapOrder,
  hmmPfnToPage,
  HMM_PFN_ERROR,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_SOFT_DIRTY,
  MMU_NOTIFY_UNMAP,
  PAGE_SIZE,
  type MmuNotifierRange,
} from "../../src/index.ts";
import type { GoldenDevice } from "./driver.ts";
import type { EventRecord } from "./records.ts";

/** The end of an address space; events for all of it end here or later. */
const ADDRESS_SPACE_END = 2 ** 47 - PAGE_SIZE;

/** Snapshot bytes. */
const SNAP_ERROR = 0xff;
const SNAP_READ = 0x01;
const SNAP_WRITE = 0x02;
const SNAP_PMD = 0x04;
const SNAP_ZERO = 0x10;
const SNAP_DEVICE_LOCAL = 0x20;
const SNAP_DEVICE_REMOTE = 0x30;
const SNAP_COHERENT_LOCAL = 0x40;
const SNAP_COHERENT_REMOTE = 0x50;

const PMD_ORDER = 9;

/** Returns the snapshot byte of an hmm_pfn as `device` sees it. */
export function snapshotByte({ hmm, devmem }: GoldenDevice, pfn: number): number {
  if ((pfn & HMM_PFN_ERROR) !== 0) return SNAP_ERROR;
  if ((pfn & HMM_PFN_VALID) === 0) return 0;
  const page = hmmPfnToPage(pfn);
  let byte = (pfn & HMM_PFN_WRITE) !== 0 ? SNAP_WRITE : SNAP_READ;
  if (hmmPfnToMapOrder(pfn) === PMD_ORDER) byte |= SNAP_PMD;
  if (page === hmm.zeroPage) return byte | SNAP_ZERO;
  const home = hmm.pageDevmem(page);
  if (home === null) return byte;
  if (home.coherent) return byte | (home === devmem ? SNAP_COHERENT_LOCAL : SNAP_COHERENT_REMOTE);
  return byte | (home === devmem ? SNAP_DEVICE_LOCAL : SNAP_DEVICE_REMOTE);
}

const EVENT_NAMES = new Map([
  [MMU_NOTIFY_UNMAP, "unmap"],
  [MMU_NOTIFY_CLEAR, "clear"],
  [MMU_NOTIFY_PROTECTION_VMA, "prot_vma"],
  [MMU_NOTIFY_PROTECTION_PAGE, "prot_page"],
  [MMU_NOTIFY_SOFT_DIRTY, "soft_dirty"],
  [MMU_NOTIFY_RELEASE, "release"],
  [MMU_NOTIFY_MIGRATE, "migrate"],
  [MMU_NOTIFY_EXCLUSIVE, "exclusive"],
]);

/** Returns an invalidation as `device` hears it, with pages counted from `base`. */
export function eventRecord(
  { start, end, event, owner }: MmuNotifierRange,
  device: GoldenDevice,
  base: number,
): EventRecord {
  if (start === 0 && end >= ADDRESS_SPACE_END) return ["x", "all"];
  const who = owner === null ? 0 : owner === device ? 1 : 2;
  const name = EVENT_NAMES.get(event) ?? `event ${event}`;
  return [name, (start - base) / PAGE_SIZE, (end - base) / PAGE_SIZE, who];
}
