/** Reads the threads of an .hmt block that has records of several threads (docs/hmt.md). */
import { RECORD_BYTES } from "../abi/record";
import { Hmt, HMT_THREADS, hmtDecode, hmtPayload } from "./hmt";

const THREAD_AT: usize = 10;
/** Bytes of the number that says how long the column of threads is. */
const LENGTH_BYTES: u32 = 4;
/** Bits of a thread, and of its step from the one before, with a sign. */
const VALUE_MAX: u32 = 65536;

/** Where a number ends. */
let after: usize = 0;

/** The number of at most three bytes of 7 bits at `p`, before `end`; above VALUE_MAX if there is none. */
function varint(p: usize, end: usize): u32 {
  let value: u32 = 0;
  for (let shift: u32 = 0; shift < 21 && p < end; shift += 7) {
    const byte = <u32>load<u8>(p++);
    value |= (byte & 127) << shift;
    if (byte < 128) {
      after = p;
      return value;
    }
  }
  return u32.MAX_VALUE;
}

/**
 * Gives the `count` records at `output` the threads in the `length` bytes at `p`: runs of records of one
 * thread. Returns whether they are as many as the records.
 */
function giveThreads(s: Hmt, p: usize, length: u32, count: u32): bool {
  const end = p + length;
  let out = s.output;
  const outEnd = out + <usize>count * RECORD_BYTES;
  let thread: u32 = 0;
  while (p < end) {
    const run = varint(p, end);
    if (run - 1 >= VALUE_MAX) return false;
    const step = varint(after, end);
    if (step >= VALUE_MAX) return false;
    p = after;
    thread += (step >> 1) ^ (0 - (step & 1));
    const stop = out + <usize>run * RECORD_BYTES;
    if (stop > outEnd) return false;
    for (; out < stop; out += RECORD_BYTES) store<u16>(out, thread, THREAD_AT);
  }
  return out == outEnd;
}

/**
 * Decodes a payload of `length` bytes, as hmtDecode does, with `count` records of several threads: the
 * payload of a block of one thread, the column of threads, and its length.
 */
export function hmtDecodeMixed(s: Hmt, packed: bool, length: u32, count: u32): i32 {
  const payload = hmtPayload(s, packed);
  s.error = HMT_THREADS;
  if (length < LENGTH_BYTES) return -1;
  const end = payload + length - LENGTH_BYTES;
  const threads = load<u32>(end);
  if (threads > length - LENGTH_BYTES) return -1;
  if (hmtDecode(s, packed, length - LENGTH_BYTES - threads, count, 0) < 0) return -1;
  if (giveThreads(s, end - threads, threads, count)) return <i32>count;
  s.error = HMT_THREADS;
  return -1;
}
