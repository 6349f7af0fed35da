/**
 * Encodes records as blocks of an .hmt trace (docs/hmt.md). The caller writes up to RECORDS_MAX records at
 * `input`, and the events that are among them at `events`; `hmtEncode` makes the payload, which lies after a
 * block's header at `block`.
 *
 * A block has records of one thread if the trace lets it: it ends where another thread begins, unless it would
 * be short. Then it becomes a block of several threads.
 *
 * The rule is the recorder's (record/heteromem-record.c), which docs/hmt.md describes.
 */
import { xxh32 } from "./xxh32";

const RECORDS_MAX: u32 = 1 << 16;
const RECORD_BYTES: usize = 16;
const EVENT_BYTES: usize = 24;
const SITE_BYTES: usize = 8;
const BLOCK_HEADER: usize = 24;
const PAYLOAD_HEADER: usize = 24;
const PAYLOAD_MAX: usize = 1 << 21;
/** Where a block begins that the checksum is of. */
const SUMMED_AT: usize = 8;
/** A block of so many records may end where another thread begins. */
const SHORT: u32 = 4096;

const EVENT_KIND: u32 = 16;
const ADDRESS_BITS: u64 = 48;
const ADDRESS_MASK: u64 = (1 << 48) - 1;
const THREAD_MASK: u64 = 0xffff0000;

const FORM_EVENT: u32 = 7;
const FORM_PREVIOUS: u32 = 8;
const FORM_SET: u32 = 16;
const FORM_SCALED: u32 = 32;
const FORM_NAMED: u32 = 64;
const FORM_PREDICTED: u32 = 128;

/** Slots of the table that finds a site: twice as many as sites. */
const HASH_BITS: u32 = 17;
const HASH_SIZE: u32 = 1 << HASH_BITS;

/** An instruction that accesses memory, as encoder and decoder know it within a block. */
@unmanaged
class Site {
  /** The second word of its records without the thread. */
  what: u64;
  last: u64;
  /** How far it is expected to go, and how far it went last time: from its last address, from the previous one. */
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
}

/** The state of a writer. */
@unmanaged
export class HmtWrite {
  input: usize;
  /** Where the indices of the events among the records are listed (u32 each), and the events themselves. */
  marks: usize;
  events: usize;
  block: usize;
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
  s.block = heap.alloc(BLOCK_HEADER + PAYLOAD_MAX);
  s.sites = heap.alloc((records + 1) * offsetof<Site>());
  s.hash = heap.alloc((<usize>HASH_SIZE) << 2);
  memory.fill(s.hash, 0, (<usize>HASH_SIZE) << 2);
  s.runs = heap.alloc(records * 3);
  s.named = heap.alloc(records * 2);
  s.literals = heap.alloc(records * 6 + 8);
  s.threads = heap.alloc(65536 / 8);
  memory.fill(s.threads, 0, 65536 / 8);
  return s;
}

export function hmtWriteFree(s: HmtWrite): void {
  heap.free(s.input);
  heap.free(s.marks);
  heap.free(s.events);
  heap.free(s.block);
  heap.free(s.sites);
  heap.free(s.hash);
  heap.free(s.runs);
  heap.free(s.named);
  heap.free(s.literals);
  heap.free(s.threads);
  heap.free(changetype<usize>(s));
}

/** The thread of the record at `p`. */
@inline
function threadAt(p: usize): u32 {
  return <u32>load<u16>(p, 10);
}

function noteThread(s: HmtWrite, thread: u32): void {
  const at = s.threads + (thread >> 3);
  const bit = <u32>1 << (thread & 7);
  if ((<u32>load<u8>(at) & bit) != 0) return;
  store<u8>(at, <u32>load<u8>(at) | bit);
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
    if (load<u8>(p, 8) >= EVENT_KIND) {
      store<u32>(s.marks + ((<usize>s.eventCount) << 2), i);
      s.eventCount++;
    }
  }
  s.count = i;
  return i - from;
}

function literalBytes(value: i64): u32 {
  const magnitude = <u64>(value ^ (value >> 63));
  return value == 0 ? 0 : (64 - <u32>clz(magnitude)) / 8 + 1;
}

function putRun(s: HmtWrite, run: u32): void {
  for (; run >= 128; run >>= 7) store<u8>(s.runsOut++, run | 128);
  store<u8>(s.runsOut++, run);
}

function putToken(s: HmtWrite, run: u32, form: u32): void {
  putRun(s, run);
  store<u8>(s.formsOut++, form);
}

/** The site of records with this second word and size; a new one if it has none yet. */
function siteOf(s: HmtWrite, what: u64, size: u32): Site {
  const key = (what ^ ((<u64>size) << 16)) * 0x9e3779b97f4a7c15;
  let slot = <u32>(key >> (64 - HASH_BITS));
  for (; ; slot = (slot + 1) & (HASH_SIZE - 1)) {
    const entry = load<u32>(s.hash + ((<usize>slot) << 2));
    if (entry >> 16 != s.generation) break;
    const site = changetype<Site>(s.sites + <usize>(entry & 0xffff) * offsetof<Site>());
    if (site.what == what && site.size == size) return site;
  }
  const at = s.sites + <usize>s.siteCount * offsetof<Site>();
  const site = changetype<Site>(at);
  memory.fill(at, 0, offsetof<Site>());
  site.what = what;
  site.size = size;
  site.shift = ctz(size);
  site.next = at + offsetof<Site>();
  store<u32>(s.hash + ((<usize>slot) << 2), (s.generation << 16) | s.siteCount);
  s.siteCount++;
  return site;
}

/**
 * The address is not where the site was expected to go: says where it went, and what to expect from now on.
 * Returns the form.
 */
function putAddress(s: HmtWrite, site: Site, stride: i64, chain: i64): u32 {
  let form: u32 = 0;
  if (site.times > 0 && chain == site.chain) form = FORM_SET | FORM_PREVIOUS;
  else if (site.times > 0 && (stride == site.stride || site.times == 1)) form = FORM_SET;
  else if (literalBytes(chain) < literalBytes(stride)) form = FORM_PREVIOUS;
  let value = (form & FORM_PREVIOUS) != 0 ? chain : stride;
  if ((form & FORM_SET) != 0) {
    site.delta = value;
    site.previous = u32((form & FORM_PREVIOUS) != 0);
  }
  if (site.shift != 0 && value != 0 && (value & (((<i64>1) << site.shift) - 1)) == 0) {
    form |= FORM_SCALED;
    value >>= site.shift;
  }
  const length = literalBytes(value);
  store<u64>(s.literalsOut, value);
  s.literalsOut += length;
  return form | length;
}

/** A difference of addresses, with its sign. */
@inline
function difference(to: u64, from: u64): i64 {
  return (<i64>((to - from) << (64 - ADDRESS_BITS))) >> (64 - ADDRESS_BITS);
}

/** Makes the columns of forms, runs, named sites and literals, and the sites. */
function encodeRecords(s: HmtWrite): void {
  let run: u32 = 0;
  let previous: u64 = 0;
  let current: usize = 0;
  let expected = s.sites;
  const end = s.input + <usize>s.count * RECORD_BYTES;
  for (let p = s.input; p != end; p += RECORD_BYTES) {
    const what = load<u64>(p, 8) & ~THREAD_MASK;
    if (((<u32>what) & 0xff) >= EVENT_KIND) {
      putToken(s, run, FORM_EVENT);
      run = 0;
      continue;
    }
    const address = load<u64>(p) & ADDRESS_MASK;
    const size = <u32>load<u16>(p, 6);
    const known = expected < s.sites + <usize>s.siteCount * offsetof<Site>();
    let site = changetype<Site>(expected);
    let form: u32 = 0;
    if (!known || site.what != what || site.size != size) {
      site = siteOf(s, what, size);
      if (changetype<usize>(site) != expected) {
        form = FORM_NAMED;
        store<u16>(s.namedOut, <u32>((changetype<usize>(site) - s.sites) / offsetof<Site>()));
        s.namedOut += 2;
        if (current != 0) changetype<Site>(current).next = changetype<usize>(site);
      }
    }
    const stride = difference(address, site.last);
    const chain = difference(address, previous);
    const predicted = (site.previous != 0 ? chain : stride) == site.delta;
    if (predicted && form == 0) run++;
    else {
      form |= predicted ? FORM_PREDICTED : putAddress(s, site, stride, chain);
      putToken(s, run, form);
      run = 0;
    }
    if (site.times < 2) site.times++;
    site.stride = stride;
    site.chain = chain;
    site.last = previous = address;
    current = changetype<usize>(site);
    expected = site.next;
  }
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
 * Makes the payload of a block with the records that were taken, and forgets them. Returns its length. Whether
 * it has several threads, and which is its thread, is in `mixed` and `thread` until the next hmtTake.
 */
export function hmtEncode(s: HmtWrite): u32 {
  s.siteCount = 0;
  if (++s.generation > 0xffff) {
    memory.fill(s.hash, 0, (<usize>HASH_SIZE) << 2);
    s.generation = 1;
  }
  const payload = s.block + BLOCK_HEADER;
  // The forms are made where their column would be if every record had a site of its own.
  const forms = payload + PAYLOAD_MAX - RECORDS_MAX;
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
  let p = payload + PAYLOAD_HEADER;
  for (let i: u32 = 0; i < s.siteCount; i++, p += SITE_BYTES) {
    const site = changetype<Site>(s.sites + <usize>i * offsetof<Site>());
    store<u16>(p, site.size);
    store<u16>(p, <u32>site.what, 2);
    store<u32>(p, <u32>(site.what >> 32), 4);
  }
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
