// Counting the devices' accesses by thread, four records at a time where they are of one thread.

import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_THREAD_SHIFT,
} from "../../abi/record";
import { fourOf } from "./count";

const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;
/** The bits of a record's third word that name the agent and its thread. */
const WHO: u32 = AGENT_MASK | (0xffff << RECORD_THREAD_SHIFT);
const FOUR: usize = 4 * RECORD_BYTES;

/** Whether four records from `records` on are accesses by the agent and the thread that `how` names. */
@inline
function areAccessesOf(how: u32, records: usize): bool {
  const words = fourOf(records);
  const others = v128.and(v128.xor(words, i32x4.splat(<i32>how)), i32x4.splat(<i32>WHO));
  const kinds = v128.and(words, i32x4.splat(<i32>RECORD_KIND_MASK));
  return !v128.any_true(v128.or(others, i32x4.eq(kinds, i32x4.splat(<i32>RECORD_KIND_FETCH))));
}

/**
 * Adds the devices' accesses of records [at, n), which have no marks, to the counts of their threads: a u32
 * for each of 65,536. Fetches are not counted.
 */
export function replayCountThreads(records: usize, at: u32, n: u32, counts: usize): i32 {
  const last = records + <usize>n * RECORD_BYTES;
  for (records += <usize>at * RECORD_BYTES; records < last;) {
    const how = load<u32>(records, 8);
    let count: u32 = (how & RECORD_KIND_MASK) == RECORD_KIND_FETCH ? 0 : 1;
    if (records + FOUR <= last && areAccessesOf(how, records)) {
      count = 4;
      records += FOUR;
    } else records += RECORD_BYTES;
    if (!(how & AGENT_MASK)) continue;
    const place = counts + ((<usize>(how >> RECORD_THREAD_SHIFT)) << 2);
    store<u32>(place, load<u32>(place) + count);
  }
  return 0;
}
