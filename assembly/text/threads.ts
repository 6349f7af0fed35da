/**
 * Numbers for threads, in the order in which they appear: 0, 1, … 65,535. Then the numbers start again from 0
 * for the threads that appear from there on, so that the table never grows.
 *
 *     0 ┌──────────────────┐
 *       │ key              │  what the format knows the thread by
 *     8 ├─────────┬────────┤
 *       │ number  │ gener. │  in use if the generation is the decoder's
 *    16 └─────────┴────────┘
 */
import { Lines } from "./lines";

const THREADS_MAX: u32 = 1 << 16;
/** Twice as many slots as threads. */
const SLOT_BITS: u32 = 17;
const SLOT_BYTES: usize = 16;
const SLOTS: usize = 1 << SLOT_BITS;

/** Allocates the table. */
export function threadsNew(s: Lines): void {
  s.threads = heap.alloc(SLOTS * SLOT_BYTES);
  memory.fill(s.threads, 0, SLOTS * SLOT_BYTES);
  s.generation = 1;
}

export function threadsFree(s: Lines): void {
  if (s.threads != 0) heap.free(s.threads);
}

/** Forgets all threads. */
export function threadsReset(s: Lines): void {
  s.threadCount = 0;
  if (++s.generation != 0) return;
  memory.fill(s.threads, 0, SLOTS * SLOT_BYTES);
  s.generation = 1;
}

/** One key of two: different pairs have different keys but by a chance of one in 2^64. */
export function mixKeys(a: u64, b: u64): u64 {
  a = (a ^ (a >> 30)) * 0xbf58476d1ce4e5b9;
  a = (a ^ (a >> 27)) * 0x94d049bb133111eb;
  return (a ^ (a >> 31)) + b;
}

/** The number of the thread that `key` names. */
export function threadOf(s: Lines, key: u64): u32 {
  let slot = <usize>((key * 0x9e3779b97f4a7c15) >> (64 - SLOT_BITS));
  for (; ; slot = (slot + 1) & (SLOTS - 1)) {
    const at = s.threads + slot * SLOT_BYTES;
    if (load<u32>(at, 12) != s.generation) break;
    if (load<u64>(at) == key) return load<u32>(at, 8);
  }
  if (s.threadCount == THREADS_MAX) {
    threadsReset(s);
    return threadOf(s, key);
  }
  const at = s.threads + slot * SLOT_BYTES;
  store<u64>(at, key);
  store<u32>(at, s.threadCount, 8);
  store<u32>(at, s.generation, 12);
  return s.threadCount++;
}
