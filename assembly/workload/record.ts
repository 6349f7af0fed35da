// Making the records that assembly/abi/record.ts draws; the id is a range's number.

import { RECORD_AGENT_SHIFT, RECORD_ID_SHIFT, RECORD_SIZE_SHIFT, RECORD_THREAD_SHIFT } from "../abi/record";

/** Writes one record; `tail` is its second word. */
@inline
export function putRecord(out: usize, address: u64, size: u64, tail: u64): void {
  store<u64>(out, address | (size << RECORD_SIZE_SHIFT));
  store<u64>(out, tail, 8);
}

/** The second word of a record. */
@inline
export function tailOf(kind: u64, agent: u64, thread: u64, id: u64): u64 {
  return kind | (agent << RECORD_AGENT_SHIFT) | (thread << RECORD_THREAD_SHIFT) | (id << RECORD_ID_SHIFT);
}
