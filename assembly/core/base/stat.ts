// Counters and the event log. No operation depends on either.

import {
  COUNTERS,
  HDR_FLAGS,
  HDR_FLAG_LOG,
  HDR_LOG,
  HDR_LOG_ENTRIES,
  HDR_LOG_HEAD,
  HEADER,
} from "../../abi/header";
import {
  LOG_RECORD_A,
  LOG_RECORD_B,
  LOG_RECORD_C,
  LOG_RECORD_KIND,
  LOG_RECORD_MM,
  LOG_RECORD_SIZE,
} from "../../abi/log";
import { header, setHeader } from "./layout";

/** Adds `by` to a counter (COUNT_*). */
@inline
export function count(counter: u32, by: u32 = 1): void {
  const at = HEADER + COUNTERS + counter * 8;
  store<u64>(at, load<u64>(at) + by);
}

/**
 * Appends a record (LOG_*) to the event log if anybody listens. The ring keeps the newest HDR_LOG_ENTRIES
 * records.
 */
@inline
export function log(kind: u32, mm: u32, a: u64, b: u32, c: u32): void {
  if (header(HDR_FLAGS) & HDR_FLAG_LOG) append(kind, mm, a, b, c);
}

function append(kind: u32, mm: u32, a: u64, b: u32, c: u32): void {
  const head = header(HDR_LOG_HEAD);
  const entries = header(HDR_LOG_ENTRIES);
  if (!entries) return;
  const record = header(HDR_LOG) + (head & (entries - 1)) * LOG_RECORD_SIZE;
  store<u32>(record, kind, LOG_RECORD_KIND);
  store<u32>(record, mm, LOG_RECORD_MM);
  store<f64>(record, <f64>a, LOG_RECORD_A);
  store<u32>(record, b, LOG_RECORD_B);
  store<u32>(record, c, LOG_RECORD_C);
  setHeader(HDR_LOG_HEAD, head + 1);
}
