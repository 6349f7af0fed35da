// Counting the accesses of devices to memory that is not their own, by the range of addresses.
//
// The exchange buffer has what count-peers.ts says of its head, then the guesses of count-ranges.ts.

import { XBUF_SIZE } from "../../abi/argument";
import { HDR_XBUF } from "../../abi/header";
import { INTERVAL_COUNTS, RANGE_COUNTS_PEER, RANGE_COUNTS_RAM } from "../../abi/interval";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
} from "../../abi/record";
import { header } from "../base/layout";
import { holderOf, PLACES, SEEN } from "./count-peers";
import { GUESSES, intervalAt } from "./count-ranges";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

if (PLACES + <usize>GUESSES > <usize>XBUF_SIZE) ERROR("XBUF_SIZE");

/**
 * Counts records [at, end), which have just been replayed, by the interval, of the n at `intervals`, that
 * their first byte lies in, if the device that makes the access sees its last byte in RAM or in another
 * device's memory. Agents beyond the last are the last one.
 */
export function replayCountRemote(
  agents: u32,
  records: usize,
  at: u32,
  end: u32,
  intervals: usize,
  n: u32,
): i32 {
  const buffer: usize = header(HDR_XBUF);
  const guesses = buffer + PLACES;
  memory.fill(buffer + SEEN, 0, PLACES - SEEN + GUESSES);
  const last = records + <usize>end * RECORD_BYTES;
  for (records += <usize>at * RECORD_BYTES; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    const kind = how & RECORD_KIND_MASK;
    if (kind > <u32>RECORD_KIND_MODIFY || !(how & AGENT_MASK)) continue;
    const agent = min((how & AGENT_MASK) >> RECORD_AGENT_SHIFT, agents - 1);
    const where = load<u64>(records);
    const first = where & ADDRESS_MASK;
    const holder = holderOf(buffer, agents, agent, first + (where >> RECORD_SIZE_SHIFT) - 1);
    if (holder == agent) continue;
    const place: u32 = holder ? RANGE_COUNTS_PEER : RANGE_COUNTS_RAM;
    const interval = intervalAt(guesses, intervals, n, first);
    const count: usize = load<u32>(interval, INTERVAL_COUNTS) + (place << 3);
    if (kind != RECORD_KIND_STORE) store<u64>(count, load<u64>(count) + 1);
    if (kind != RECORD_KIND_LOAD) store<u64>(count + 8, load<u64>(count + 8) + 1);
  }
  return 0;
}
