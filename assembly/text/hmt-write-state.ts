/** The state of a writer of .hmt traces (hmt-write.ts), and its buffers. */
import { RECORD_BYTES } from "../abi/record";

/** Bounds of the format: records of a block, bytes of a payload. */
const RECORDS_MAX: u32 = 1 << 16;
export const PAYLOAD_MAX: usize = 1 << 21;

export const BLOCK_HEADER: usize = 24;
/** Bytes that may be read or overwritten behind a payload: a literal is copied 8 bytes at a time. */
const MARGIN: usize = 8;
export const EVENT_BYTES: usize = 24;
const THREADS: usize = 1 << 16;

/** Slots of the table that finds a site: twice as many as sites. */
export const HASH_BITS: u32 = 17;
const HASH_BYTES: usize = (1 << 17) << 2;

/** An instruction that accesses memory, as encoder and decoder know it within a block. */
@unmanaged
export class Site {
  /** The second word of its records without the thread. */
  what: u64;
  last: u64;
  /**
   * How far it is expected to go, and how far it went last time: from its last address, and from the previous
   * one.
   */
  delta: i64;
  stride: i64;
  chain: i64;
  next: usize;
  size: u32;
  shift: u32;
  /** 1: it is expected at a distance from the previous address. */
  previous: u32;
  /** How often it occurred, at most 2. */
  times: u32;
  /** The first of the sites with these words, and the next one; 0: none. */
  first: usize;
  sibling: usize;
  /** Of the first: how many there are, and how many of their accesses were predicted or not. */
  alike: u32;
  hits: u32;
  misses: u32;
}

/** The state of a writer. */
@unmanaged
export class HmtWrite {
  input: usize;
  /** Where the indices of the events among the records are listed (u32 each), and the events themselves. */
  marks: usize;
  events: usize;
  block: usize;
  /** The payload again, as two parts (hmt-split.ts). */
  parts: usize;
  sites: usize;
  /** generation << 16 | site, a u32 each. */
  hash: usize;
  runs: usize;
  named: usize;
  literals: usize;
  /** A bit for each thread that the trace has. */
  threads: usize;
  threadCount: u32;
  generation: u32;
  /** Records of the block so far, events among them, the first one's thread, and 1 if there are others. */
  count: u32;
  eventCount: u32;
  thread: u32;
  mixed: u32;
  siteCount: u32;
  /** While encoding: where the next byte of each column goes. */
  formsOut: usize;
  runsOut: usize;
  namedOut: usize;
  literalsOut: usize;
}

export function hmtWriteNew(): HmtWrite {
  const s = changetype<HmtWrite>(heap.alloc(offsetof<HmtWrite>()));
  memory.fill(changetype<usize>(s), 0, offsetof<HmtWrite>());
  const records = <usize>RECORDS_MAX;
  s.input = heap.alloc(records * RECORD_BYTES);
  s.marks = heap.alloc(records << 2);
  s.events = heap.alloc(records * EVENT_BYTES);
  s.block = heap.alloc(BLOCK_HEADER + PAYLOAD_MAX + MARGIN);
  s.parts = heap.alloc(PAYLOAD_MAX + MARGIN);
  s.sites = heap.alloc((records + 1) * offsetof<Site>());
  s.hash = heap.alloc(HASH_BYTES);
  memory.fill(s.hash, 0, HASH_BYTES);
  s.runs = heap.alloc(records * 3);
  s.named = heap.alloc(records * 2);
  s.literals = heap.alloc(records * 6 + 8);
  s.threads = heap.alloc(THREADS / 8);
  memory.fill(s.threads, 0, THREADS / 8);
  return s;
}

export function hmtWriteFree(s: HmtWrite): void {
  heap.free(s.input);
  heap.free(s.marks);
  heap.free(s.events);
  heap.free(s.block);
  heap.free(s.parts);
  heap.free(s.sites);
  heap.free(s.hash);
  heap.free(s.runs);
  heap.free(s.named);
  heap.free(s.literals);
  heap.free(s.threads);
  heap.free(changetype<usize>(s));
}

/** Forgets the sites. */
export function forgetSites(s: HmtWrite): void {
  s.siteCount = 0;
  if (++s.generation <= 0xffff) return;
  memory.fill(s.hash, 0, HASH_BYTES);
  s.generation = 1;
}
