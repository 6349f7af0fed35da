// Counting records by the range of addresses that they access.
//
// The ranges are given as intervals that cover all addresses, in their order. An interval says where its
// counts are; intervals of one range have the same counts. It ends where the next one begins, so one more
// that begins at 2^48 follows the last one.
//
//   0                        8        12       16
//  ┌────────────────────────┬────────┬────────┐
//  │         start          │ counts │   0    │   counts: RANGE_COUNTS × u64
//  └────────────────────────┴────────┴────────┘
//
// An interval is first guessed: it is the one of the last access to the same 64 KiB, or to other 64 KiB with
// the same hash. A wrong guess costs a search and no more, so guesses need no key. They lie in the exchange
// buffer, as offsets from the first interval.

import { HDR_XBUF } from "../../abi/header";
import { INTERVAL_BYTES, INTERVAL_COUNTS, INTERVAL_START } from "../../abi/interval";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_SIZE_SHIFT,
} from "../../abi/record";
import { header } from "../base/layout";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

/** Where the next interval begins, which is where this one ends. */
const INTERVAL_END = INTERVAL_BYTES + INTERVAL_START;

const GUESS_BITS: u32 = 10;
/** Bytes of the guesses, which are 0 at first. */
export const GUESSES: u32 = 4 << GUESS_BITS;
/** 2^32 divided by the golden ratio: multiples of it spread over the upper bits. */
const HASH: u32 = 0x9e3779b1;

/** Returns the offset of the interval around an address: the last of n that does not begin after it. */
function search(intervals: usize, n: u32, addr: u64): u32 {
  let at: u32 = 0;
  // The interval is one of the n from `at` on.
  while (n > 1) {
    const half = n >> 1;
    const middle = at + half * INTERVAL_BYTES;
    at = select<u32>(middle, at, load<u64>(intervals + middle, INTERVAL_START) <= addr);
    n -= half;
  }
  return at;
}

/** Returns the interval, of the n at `intervals`, around an address. */
@inline
export function intervalAt(guesses: usize, intervals: usize, n: u32, addr: u64): usize {
  const guess = guesses + (((<u32>(addr >> 16) * HASH) >> (32 - GUESS_BITS)) << 2);
  const interval = intervals + load<u32>(guess);
  if (addr >= load<u64>(interval, INTERVAL_START) && addr < load<u64>(interval, INTERVAL_END))
    return interval;
  const found = search(intervals, n, addr);
  store<u32>(guess, found);
  return intervals + found;
}

/**
 * Counts records [at, end) by the interval, of the n at `intervals`, that their first byte lies in. Fetches
 * and marks are not counted.
 */
export function replayCountRanges(records: usize, at: u32, end: u32, intervals: usize, n: u32): i32 {
  const guesses: usize = header(HDR_XBUF);
  memory.fill(guesses, 0, GUESSES);
  const last = records + <usize>end * RECORD_BYTES;
  for (records += <usize>at * RECORD_BYTES; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    const kind = how & RECORD_KIND_MASK;
    if (kind >= <u32>RECORD_KIND_FETCH) continue;
    const interval = intervalAt(guesses, intervals, n, load<u64>(records) & ADDRESS_MASK);
    const count: usize = load<u32>(interval, INTERVAL_COUNTS) + ((kind | (how & AGENT_MASK ? 4 : 0)) << 3);
    store<u64>(count, load<u64>(count) + 1);
  }
  return 0;
}
