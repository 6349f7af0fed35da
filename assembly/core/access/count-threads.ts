// Counting the devices' accesses by thread. The records of a thread mostly follow each other.

import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_THREAD_SHIFT,
} from "../../abi/record";

const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;
/** The bits of a record's third word that name the agent and its thread. */
const WHO: u32 = AGENT_MASK | (0xffff << RECORD_THREAD_SHIFT);

/** Adds to the count of the thread that `how` names, if it is a device's. */
@inline
function add(counts: usize, how: u32, n: u32): void {
  if (!(how & AGENT_MASK)) return;
  const place = counts + ((<usize>(how >> RECORD_THREAD_SHIFT)) << 2);
  store<u32>(place, load<u32>(place) + n);
}

/**
 * Adds the devices' accesses of records [at, n), which have no marks, to the counts of their threads: a u32
 * for each of 65,536. Fetches are not counted.
 */
export function replayCountThreads(records: usize, at: u32, n: u32, counts: usize): i32 {
  const last = records + <usize>n * RECORD_BYTES;
  // The thread of the records before, and how many accesses of it are not in its count yet.
  let who: u32 = 0;
  let some: u32 = 0;
  for (records += <usize>at * RECORD_BYTES; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    if ((how ^ who) & WHO) {
      add(counts, who, some);
      who = how;
      some = 0;
    }
    some += <u32>((how & RECORD_KIND_MASK) != RECORD_KIND_FETCH);
  }
  add(counts, who, some);
  return 0;
}
