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
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_DEVICE,
  FAULT_KIND_EXCLUSIVE,
  FAULT_KIND_FILE,
  FAULT_KIND_REUSE,
  FAULT_KIND_SPURIOUS,
  FAULT_KIND_SWAP,
  FAULT_KIND_ZERO,
} from "../../assembly/uapi/event.ts";
import type { Memory } from "./memory.ts";
import type { FaultKind } from "./protocol.ts";

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

/** @internal Hmm.stats. */
export function readStats(mem: Memory): HmmStats {
  const count = (index: number): number => mem.u64(HEADER + COUNTERS + 8 * index);
  const fault = (kind: FaultKind): number => count(COUNT_FAULT + kind);
  return {
    faults: {
      zero: fault(FAULT_KIND_ZERO),
      anon: fault(FAULT_KIND_ANON),
      cow: fault(FAULT_KIND_COW),
      reuse: fault(FAULT_KIND_REUSE),
      device: fault(FAULT_KIND_DEVICE),
      file: fault(FAULT_KIND_FILE),
      swap: fault(FAULT_KIND_SWAP),
      exclusive: fault(FAULT_KIND_EXCLUSIVE),
      spurious: fault(FAULT_KIND_SPURIOUS),
    },
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
