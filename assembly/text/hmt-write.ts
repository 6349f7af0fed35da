/**
 * Encodes records as blocks of an .hmt trace (docs/hmt.md). The caller writes up to 65,536 records at
 * `input`, and the events that are among them at `events`; `hmtEncode` makes the payload, which lies after a
 * block's header at `block`.
 *
 * A block has records of one thread if the trace lets it: it ends where another thread begins, unless it
 * would be short. Then it becomes a block of several threads.
 */
import { RECORD_BYTES, RECORD_MARK } from "../abi/record";
import { encodeRecords, putSites } from "./hmt-sites";
import { BLOCK_HEADER, EVENT_BYTES, forgetSites, HmtWrite, PAYLOAD_MAX } from "./hmt-write-state";
import { xxh32 } from "./xxh32";

const PAYLOAD_HEADER: usize = 24;
/** Where a block begins that the checksum is of. */
const SUMMED_AT: usize = 8;
/** A block of so many records may end where another thread begins. */
const SHORT: u32 = 4096;
/** The most forms of a block: one a record. */
const FORMS_MAX: usize = 1 << 16;

/** The thread of the record at `p`. */
@inline
function threadAt(p: usize): u32 {
  return <u32>load<u16>(p, 10);
}

function noteThread(s: HmtWrite, thread: u32): void {
  const at = s.threads + (thread >> 3);
  const bit = (<u32>1) << (thread & 7);
  if (((<u32>load<u8>(at)) & bit) != 0) return;
  store<u8>(at, (<u32>load<u8>(at)) | bit);
  s.threadCount++;
}

/**
 * Takes the `added` records after the first `count` at `input` into the block, up to one that begins another
 * block. Returns how many it took.
 */
export function hmtTake(s: HmtWrite, added: u32): u32 {
  const from = s.count;
  const end = from + added;
  let i = from;
  for (; i < end; i++) {
    const p = s.input + <usize>i * RECORD_BYTES;
    const thread = threadAt(p);
    if (i == 0) {
      s.thread = thread;
      noteThread(s, thread);
    } else if (thread != s.thread && s.mixed == 0) {
      if (i >= SHORT) break;
      s.mixed = 1;
    }
    if (s.mixed != 0) noteThread(s, thread);
    if (<u32>load<u8>(p, 8) >= <u32>RECORD_MARK) {
      store<u32>(s.marks + ((<usize>s.eventCount) << 2), i);
      s.eventCount++;
    }
  }
  s.count = i;
  return i - from;
}

/** Writes a number of 7 bits a byte at `p`; returns the address after it. */
function putVarint(p: usize, value: u32): usize {
  for (; value >= 128; value >>= 7) store<u8>(p++, value | 128);
  store<u8>(p++, value);
  return p;
}

/** Writes the column of threads at `p`, and its length; returns the address after them. */
function putThreads(s: HmtWrite, p: usize): usize {
  const from = p;
  let thread: u32 = 0;
  for (let i: u32 = 0; i < s.count;) {
    const next = threadAt(s.input + <usize>i * RECORD_BYTES);
    const first = i;
    while (i < s.count && threadAt(s.input + <usize>i * RECORD_BYTES) == next) i++;
    const step = <i32>(((<i32>(next - thread)) << 16) >> 16);
    p = putVarint(p, i - first);
    p = putVarint(p, (<u32>((step << 1) ^ (step >> 31))) & 0xffff);
    thread = next;
  }
  store<u32>(p, <u32>(p - from));
  return p + 4;
}

/** Copies [from, to) to `p`; returns the address after it. */
function append(p: usize, from: usize, to: usize): usize {
  memory.copy(p, from, to - from);
  return p + (to - from);
}

/** Copies the names of sites, in one byte each if that is enough. */
function appendNamed(s: HmtWrite, p: usize): usize {
  if (s.siteCount > 256) return append(p, s.named, s.namedOut);
  for (let q = s.named; q < s.namedOut; q += 2) store<u8>(p++, <u32>load<u16>(q));
  return p;
}

/**
 * Makes the payload of a block with the records that were taken. Returns its length. Whether it has several
 * threads, and which is its thread, is in `mixed` and `thread` until hmtNext.
 */
export function hmtEncode(s: HmtWrite): u32 {
  forgetSites(s);
  const payload = s.block + BLOCK_HEADER;
  // The forms are made where their column would be if every record had a site of its own.
  const forms = payload + PAYLOAD_MAX - FORMS_MAX;
  s.formsOut = forms;
  s.runsOut = s.runs;
  s.namedOut = s.named;
  s.literalsOut = s.literals;
  encodeRecords(s);
  store<u32>(payload, s.siteCount);
  store<u32>(payload, s.eventCount, 4);
  store<u32>(payload, <u32>(s.formsOut - forms), 8);
  store<u32>(payload, <u32>(s.runsOut - s.runs), 12);
  store<u32>(payload, <u32>((s.namedOut - s.named) >> 1), 16);
  store<u32>(payload, <u32>(s.literalsOut - s.literals), 20);
  let p = putSites(s, payload + PAYLOAD_HEADER);
  p = append(p, s.events, s.events + <usize>s.eventCount * EVENT_BYTES);
  p = append(p, forms, s.formsOut);
  p = append(p, s.runs, s.runsOut);
  p = appendNamed(s, p);
  p = append(p, s.literals, s.literalsOut);
  if (s.mixed != 0) p = putThreads(s, p);
  return <u32>(p - payload);
}

/** Begins another block. */
export function hmtNext(s: HmtWrite): void {
  s.count = 0;
  s.eventCount = 0;
  s.mixed = 0;
}

/** The checksum of the block at `block`, with a payload of `length` bytes. */
export function hmtSum(s: HmtWrite, length: u32): u32 {
  return xxh32(s.block + SUMMED_AT, BLOCK_HEADER - SUMMED_AT + length);
}
