import {
  COUNT_DEVICE_TO_DEVICE,
  COUNT_FAULT,
  COUNT_INVALIDATE,
  COUNT_MIGRATIONS,
  COUNT_PAGES_COPIED,
  COUNT_PAGES_ZEROED,
  COUNT_REQUEST,
  COUNT_STAYED,
  COUNT_TO_DEVICE,
  COUNT_TO_SYSTEM,
} from "../../assembly/abi/counter.ts";
import { COUNTERS, HEADER } from "../../assembly/abi/header.ts";
import type { Memory } from "./memory.ts";

/** Faults by what they did (FAULT_KIND_*). */
export interface FaultStats {
  zero: number;
  anon: number;
  cow: number;
  reuse: number;
  device: number;
  file: number;
  swap: number;
  exclusive: number;
  spurious: number;
}

/** Counters since boot, in pages where they count pages. */
export interface HmmStats {
  faults: FaultStats;
  /** Ranges that were invalidated. */
  invalidations: number;
  /** Requests of the core that were served. */
  requests: number;
  pagesToDevice: number;
  pagesToSystem: number;
  pagesDeviceToDevice: number;
  migrations: number;
  pagesCopied: number;
  pagesZeroed: number;
  /** Pages that migrations left where they were. */
  pagesStayed: number;
}

/** hmm.stats. */
export function readStats(mem: Memory): HmmStats {
  const count = (index: number): number => mem.u64(HEADER + COUNTERS + 8 * index);
  const fault = (kind: number): number => count(COUNT_FAULT + kind);
  const [zero, anon, cow, reuse, device, file, swap, exclusive, spurious] = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(
    fault,
  );
  return {
    faults: { zero, anon, cow, reuse, device, file, swap, exclusive, spurious },
    invalidations: count(COUNT_INVALIDATE),
    requests: count(COUNT_REQUEST),
    pagesToDevice: count(COUNT_TO_DEVICE),
    pagesToSystem: count(COUNT_TO_SYSTEM),
    pagesDeviceToDevice: count(COUNT_DEVICE_TO_DEVICE),
    migrations: count(COUNT_MIGRATIONS),
    pagesCopied: count(COUNT_PAGES_COPIED),
    pagesZeroed: count(COUNT_PAGES_ZEROED),
    pagesStayed: count(COUNT_STAYED),
  };
}
