import {
  COUNTERS,
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
  HEADER,
} from "../../assembly/abi/struct.ts";
import { FAULT_KINDS } from "../../assembly/uapi/event.ts";
import type { Memory } from "./memory.ts";

/** CPU faults by what they did (FAULT_KIND_*). */
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

/** Counters since boot. */
export interface HmmStats {
  faults: FaultStats;
  /** How many ranges were invalidated. */
  invalidations: number;
  /** How many requests of the core were served. */
  requests: number;
  /** Pages that migrated from system to device memory. */
  pagesToDevice: number;
  /** Pages that migrated from device to system memory. */
  pagesToSystem: number;
  /** Pages that migrated from one device's memory to another's, or within it. */
  pagesDeviceToDevice: number;
  /** How many migrations were begun. */
  migrations: number;
  /** Pages that copyPages copied. */
  pagesCopied: number;
  /** Pages that copyPages filled with zeros. */
  pagesZeroed: number;
  /** Candidates that migrations left where they were. */
  pagesStayed: number;
}

/** Hmm.stats. */
export function readStats(mem: Memory): HmmStats {
  const count = (index: number): number => mem.u64(HEADER + COUNTERS + 8 * index);
  const fault = (kind: number): number => count(COUNT_FAULT + kind);
  const [zero, anon, cow, reuse, device, file, swap, exclusive, spurious] = Array.from(
    { length: FAULT_KINDS },
    (_, kind) => fault(kind),
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
