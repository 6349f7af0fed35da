/**
 * Decodes the records blocks of .hmt traces (docs/hmt.md) into the records of abi/record.ts.
 *
 * A block's stored bytes are written at `stored`, from the header on; its payload, if it had to be
 * decompressed, at `plain`. Records of 16 bytes are at `output` afterwards, and the block's events stay where
 * they are in the payload. Nothing is allocated while decoding.
 *
 * The time goes into `hits`: an expected access takes six loads, three stores, an addition and no branch but
 * the loop's.
 */
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_ID_SHIFT,
  RECORD_MARK,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../abi/record";
import { xxh32 } from "./xxh32";

/** Bounds of the format: bytes of a payload, records of a block, sites of a block. */
const PAYLOAD_MAX: usize = 1 << 21;
const RECORDS_MAX: u32 = 1 << 16;
const SITES_MAX: u32 = 1 << 16;

const BLOCK_HEADER: usize = 24;
const CHECKSUM_AT: usize = 4;
const SUMMED_AT: usize = 8;
/** Bytes that may be read behind a payload: a literal is read 8 bytes at a time. */
const MARGIN: usize = 8;

const PAYLOAD_HEADER: u32 = 24;
const SITE_BYTES: u32 = 8;
const EVENT_BYTES: u32 = 24;

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;

const FORM_LENGTH: u32 = 7;
const FORM_EVENT: u32 = 7;
const FORM_PREVIOUS: u32 = 8;
const FORM_SET: u32 = 16;
const FORM_SCALED: u32 = 32;
const FORM_NAMED: u32 = 64;
const FORM_PREDICTED: u32 = 128;
const LITERAL_MAX: u32 = 6;

/** What is wrong with a block; index.ts has the words. */
export const HMT_COLUMNS: u32 = 1;
export const HMT_SITE: u32 = 2;
export const HMT_EVENT: u32 = 3;
export const HMT_RUN: u32 = 4;
export const HMT_FORM: u32 = 5;
export const HMT_NAMED: u32 = 6;
export const HMT_RECORDS: u32 = 7;
export const HMT_LEFT: u32 = 8;
export const HMT_THREADS: u32 = 9;

/**
 * What is known of a site while a block is decoded. Both words of its records are ready but for the address.
 */
@unmanaged
class Site {
  high: u64;
  low: u64;
  last: u64;
  delta: u64;
  next: usize;
  /** 1: its address is expected at a distance from the access before, and not from its own last one. */
  previous: u32;
  shift: u32;
}

/** The state of a decoder of .hmt traces. */
@unmanaged
export class Hmt {
  stored: usize;
  plain: usize;
  /** The two parts of a payload that was split (hmt-split.ts). */
  parts: usize;
  output: usize;
  /** Events of the last block: where they are, and how many. */
  events: usize;
  eventCount: u32;
  sites: usize;
  siteCount: u32;
  error: u32;
  /** Where the columns are read, and where each ends. */
  forms: usize;
  formsEnd: usize;
  runs: usize;
  runsEnd: usize;
  named: usize;
  namedEnd: usize;
  literals: usize;
  literalsEnd: usize;
  /**
   * While decoding: where the next record goes, the address of the last access, its site, and the one that
   * comes next.
   */
  out: usize;
  previous: u64;
  current: usize;
  next: usize;
}

export function hmtNew(): Hmt {
  const s = changetype<Hmt>(heap.alloc(offsetof<Hmt>()));
  memory.fill(changetype<usize>(s), 0, offsetof<Hmt>());
  s.stored = heap.alloc(BLOCK_HEADER + PAYLOAD_MAX + MARGIN);
  s.plain = heap.alloc(PAYLOAD_MAX + MARGIN);
  s.parts = heap.alloc(PAYLOAD_MAX + MARGIN);
  s.output = heap.alloc(<usize>RECORDS_MAX * RECORD_BYTES);
  s.sites = heap.alloc(<usize>SITES_MAX * offsetof<Site>());
  return s;
}

export function hmtFree(s: Hmt): void {
  heap.free(s.stored);
  heap.free(s.plain);
  heap.free(s.parts);
  heap.free(s.output);
  heap.free(s.sites);
  heap.free(changetype<usize>(s));
}

/** Whether the block at `stored`, with a payload of `length` bytes, has the checksum that it says. */
export function hmtChecks(s: Hmt, length: u32): bool {
  return xxh32(s.stored + SUMMED_AT, BLOCK_HEADER - SUMMED_AT + length) == load<u32>(s.stored, CHECKSUM_AT);
}

/** Where the plain payload is of a block that was packed, or was not. */
export function hmtPayload(s: Hmt, packed: bool): usize {
  return packed ? s.plain : s.stored + BLOCK_HEADER;
}

/** Finds the columns of the payload at `p`; false if they do not fill it. */
function findColumns(s: Hmt, p: usize, length: u32): bool {
  if (length < PAYLOAD_HEADER) return false;
  const sites = load<u32>(p);
  const events = load<u32>(p, 4);
  const tokens = load<u32>(p, 8);
  const runs = load<u32>(p, 12);
  const named = load<u32>(p, 16);
  const literals = load<u32>(p, 20);
  const width: u64 = sites > 256 ? 2 : 1;
  const all =
    <u64>PAYLOAD_HEADER +
    <u64>sites * SITE_BYTES +
    <u64>events * EVENT_BYTES +
    <u64>tokens +
    <u64>runs +
    <u64>named * width +
    <u64>literals;
  if (all != <u64>length || sites > SITES_MAX || events > RECORDS_MAX) return false;
  s.siteCount = sites;
  s.eventCount = events;
  s.events = p + PAYLOAD_HEADER + sites * SITE_BYTES;
  s.forms = s.events + events * EVENT_BYTES;
  s.formsEnd = s.runs = s.forms + tokens;
  s.runsEnd = s.named = s.runs + runs;
  s.namedEnd = s.literals = s.named + named * <u32>width;
  s.literalsEnd = s.literals + literals;
  return true;
}

/** Makes the sites from the column at `p`; false if one is not allowed. */
function makeSites(s: Hmt, p: usize, thread: u32): bool {
  for (let i: u32 = 0; i < s.siteCount; i++, p += SITE_BYTES) {
    const at = s.sites + i * offsetof<Site>();
    const site = changetype<Site>(at);
    const size = <u32>load<u16>(p);
    const kind = <u32>load<u8>(p, 2);
    if (size == 0 || kind >= <u32>RECORD_MARK) return false;
    site.high = (<u64>size) << RECORD_SIZE_SHIFT;
    site.low =
      (<u64>kind) |
      ((<u64>load<u8>(p, 3)) << RECORD_AGENT_SHIFT) |
      ((<u64>thread) << RECORD_THREAD_SHIFT) |
      ((<u64>load<u32>(p, 4)) << RECORD_ID_SHIFT);
    site.last = 0;
    site.delta = 0;
    site.next = i + 1 < s.siteCount ? at + offsetof<Site>() : s.sites;
    site.previous = 0;
    site.shift = ctz(size);
  }
  return true;
}

/** `count` expected accesses. */
function hits(s: Hmt, count: u32): void {
  let at = s.next;
  let previous = s.previous;
  let out = s.out;
  let current = s.current;
  for (; count != 0; count--) {
    const site = changetype<Site>(at);
    previous = (select<u64>(previous, site.last, site.previous != 0) + site.delta) & ADDRESS_MASK;
    store<u64>(out, previous | site.high);
    store<u64>(out, site.low, 8);
    site.last = previous;
    current = at;
    at = site.next;
    out += RECORD_BYTES;
  }
  s.next = at;
  s.previous = previous;
  s.out = out;
  s.current = current;
}

/** The next run; above RECORDS_MAX if there is none. */
// @ts-ignore: decorator
@inline
function nextRun(s: Hmt): u32 {
  let run: u32 = 0;
  for (let shift: u32 = 0; shift < 21; shift += 7) {
    if (s.runs == s.runsEnd) return u32.MAX_VALUE;
    const byte = <u32>load<u8>(s.runs++);
    run |= (byte & 127) << shift;
    if (byte < 128) return run;
  }
  return u32.MAX_VALUE;
}

/** The event as a record; false if the block has no further one. */
function takeEvent(s: Hmt, index: u32, thread: u32): bool {
  if (index >= s.eventCount) return false;
  const event = s.events + index * EVENT_BYTES;
  const kind = <u64>load<u8>(event);
  if (kind < <u64>RECORD_MARK) return false;
  const address = load<u64>(event, 8) & ADDRESS_MASK;
  store<u64>(s.out, address | ((<u64>load<u16>(event, 2)) << RECORD_SIZE_SHIFT));
  store<u64>(s.out, kind | ((<u64>thread) << RECORD_THREAD_SHIFT) | ((<u64>index) << RECORD_ID_SHIFT), 8);
  s.out += RECORD_BYTES;
  return true;
}

/** The access that a form other than an event's stands for. Returns 0 or what is wrong. */
// @ts-ignore: decorator
@inline
function takeAccess(s: Hmt, form: u32): u32 {
  let at = s.next;
  if (form & FORM_NAMED) {
    const wide = s.siteCount > 256;
    if (s.named == s.namedEnd) return HMT_NAMED;
    const index = wide ? <u32>load<u16>(s.named) : <u32>load<u8>(s.named);
    s.named += wide ? 2 : 1;
    if (index >= s.siteCount) return HMT_NAMED;
    at = s.sites + index * offsetof<Site>();
    if (s.current != 0) changetype<Site>(s.current).next = at;
  } else if (s.siteCount == 0) return HMT_NAMED;
  const site = changetype<Site>(at);
  let address: u64;
  if (form & FORM_PREDICTED) {
    if (form != (FORM_PREDICTED | FORM_NAMED)) return HMT_FORM;
    address = select<u64>(s.previous, site.last, site.previous != 0) + site.delta;
  } else {
    const length = form & FORM_LENGTH;
    if (length > LITERAL_MAX || s.literals + length > s.literalsEnd) return HMT_FORM;
    // The bytes come to the top of the word and back down, which extends the sign; no bytes are 0.
    const unused = <u64>(64 - 8 * length);
    let literal = select<i64>((<i64>(load<u64>(s.literals) << unused)) >> unused, 0, length != 0);
    s.literals += length;
    if (form & FORM_SCALED) literal <<= <i64>site.shift;
    const chained = form & FORM_PREVIOUS;
    address = select<u64>(s.previous, site.last, chained != 0) + <u64>literal;
    if (form & FORM_SET) {
      site.delta = <u64>literal;
      site.previous = chained;
    }
  }
  address &= ADDRESS_MASK;
  store<u64>(s.out, address | site.high);
  store<u64>(s.out, site.low, 8);
  s.out += RECORD_BYTES;
  s.previous = site.last = address;
  s.current = at;
  s.next = site.next;
  return 0;
}

/**
 * All tokens, and the expected accesses after the last one, up to `end` of the output. Returns 0 or what is
 * wrong.
 */
function takeTokens(s: Hmt, thread: u32, end: usize): u32 {
  let event: u32 = 0;
  while (s.forms != s.formsEnd) {
    const form = <u32>load<u8>(s.forms++);
    const run = nextRun(s);
    const room = <u32>((end - s.out) / RECORD_BYTES);
    if (run >= room) return run > RECORDS_MAX ? HMT_RUN : HMT_RECORDS; // the token itself needs room, too
    if (run != 0) {
      if (s.siteCount == 0) return HMT_NAMED;
      hits(s, run);
    }
    if (form == FORM_EVENT) {
      if (!takeEvent(s, event++, thread)) return HMT_EVENT;
    } else {
      const error = takeAccess(s, form);
      if (error != 0) return error;
    }
  }
  const rest = <u32>((end - s.out) / RECORD_BYTES);
  if (rest != 0) {
    if (s.siteCount == 0) return HMT_NAMED;
    hits(s, rest);
  }
  const used = s.runs == s.runsEnd && s.named == s.namedEnd && s.literals == s.literalsEnd;
  return used && event == s.eventCount ? 0 : HMT_LEFT;
}

/**
 * Decodes a payload of `length` bytes, at most PAYLOAD_MAX, with `count` records, at most RECORDS_MAX: the
 * one at `plain` if the block was packed, else the one in `stored`. Returns `count`, or -1 and leaves what is
 * wrong in `error`.
 */
export function hmtDecode(s: Hmt, packed: bool, length: u32, count: u32, thread: u32): i32 {
  const payload = hmtPayload(s, packed);
  s.error = 0;
  s.eventCount = 0;
  if (!findColumns(s, payload, length)) s.error = HMT_COLUMNS;
  else if (!makeSites(s, payload + PAYLOAD_HEADER, thread)) s.error = HMT_SITE;
  else {
    s.out = s.output;
    s.previous = 0;
    s.current = 0;
    s.next = s.sites;
    s.error = takeTokens(s, thread, s.output + <usize>count * RECORD_BYTES);
  }
  return s.error == 0 ? <i32>count : -1;
}
