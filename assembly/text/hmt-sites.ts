/**
 * Makes the columns of an .hmt block (docs/hmt.md): forms, runs, named sites and literals, and the sites. The
 * rule is the recorder's (record/heteromem-record.c), with one thing more: what the recorder knows to be
 * several instructions may be one kind of access here. An access that none of its kind's sites predicts gets
 * a site of its own, as long as there are few of them.
 */
import {
  RECORD_BYTES,
  RECORD_ID_SHIFT,
  RECORD_MARK,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../abi/record";
import { HASH_BITS, HmtWrite, Site } from "./hmt-write-state";

const ADDRESS_BITS: u64 = RECORD_SIZE_SHIFT;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;
const THREAD_MASK: u64 = 0xffff << RECORD_THREAD_SHIFT;
const HASH_MASK: u32 = (1 << HASH_BITS) - 1;
const SITE_BYTES: usize = 8;

const FORM_EVENT: u32 = 7;
const FORM_PREVIOUS: u32 = 8;
const FORM_SET: u32 = 16;
const FORM_SCALED: u32 = 32;
const FORM_NAMED: u32 = 64;
const FORM_PREDICTED: u32 = 128;

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

/** Sites that look alike: more than the innermost loop of a stencil in three dimensions has, twice. */
const ALIKE_MAX: u32 = 16;
/** Accesses of a kind that are not predicted before it may be found to have no pattern. */
const MISSES_MIN: u32 = 256;

/** The first site of records with this second word and size; a new one if it has none yet. */
function siteOf(s: HmtWrite, what: u64, size: u32): Site {
  const key = (what ^ ((<u64>size) << 16)) * 0x9e3779b97f4a7c15;
  let slot = <u32>(key >> (64 - HASH_BITS));
  for (; ; slot = (slot + 1) & HASH_MASK) {
    const entry = load<u32>(s.hash + ((<usize>slot) << 2));
    if (entry >> 16 != s.generation) break;
    const site = changetype<Site>(s.sites + <usize>(entry & 0xffff) * offsetof<Site>());
    if (site.what == what && site.size == size) return site;
  }
  store<u32>(s.hash + ((<usize>slot) << 2), (s.generation << 16) | s.siteCount);
  return addSite(s, what, size);
}

function addSite(s: HmtWrite, what: u64, size: u32): Site {
  const at = s.sites + <usize>s.siteCount * offsetof<Site>();
  const site = changetype<Site>(at);
  memory.fill(at, 0, offsetof<Site>());
  site.what = what;
  site.size = size;
  site.shift = ctz(size);
  site.next = at + offsetof<Site>();
  site.first = at;
  site.alike = 1;
  s.siteCount++;
  return site;
}

/** A difference of addresses, with its sign. */
@inline
function difference(to: u64, from: u64): i64 {
  return (<i64>((to - from) << (64 - ADDRESS_BITS))) >> (64 - ADDRESS_BITS);
}

/** Whether an access is where the site was expected to go. */
@inline
function predicts(site: Site, address: u64, previous: u64): bool {
  return difference(address, site.previous != 0 ? previous : site.last) == site.delta;
}

/**
 * The site of an access that the expected site does not predict; that one is `expected` if it is of the same
 * kind, else 0. It is one that predicts the access, if there is any; else the expected one, or the first of
 * the kind, if too little is known of it; else a new one. A kind without a pattern has only the first.
 */
function siteFor(s: HmtWrite, record: usize, what: u64, previous: u64, expected: usize): Site {
  const address = load<u64>(record) & ADDRESS_MASK;
  const size = <u32>load<u16>(record, 6);
  const first = siteOf(s, what, size);
  if (++first.misses > MISSES_MIN && first.hits < first.misses) return first; // it has no pattern
  for (let at = changetype<usize>(first); at != 0; at = changetype<Site>(at).sibling)
    if (predicts(changetype<Site>(at), address, previous) && changetype<Site>(at).times > 1)
      return changetype<Site>(at);
  const usual = expected != 0 ? changetype<Site>(expected) : first;
  if (usual.times < 2 || first.alike == ALIKE_MAX) return usual;
  const site = addSite(s, what, size);
  site.first = changetype<usize>(first);
  site.sibling = first.sibling;
  first.sibling = changetype<usize>(site);
  first.alike++;
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

/** Makes the columns of forms, runs, named sites and literals, and the sites. */
export function encodeRecords(s: HmtWrite): void {
  let run: u32 = 0;
  let previous: u64 = 0;
  let current: usize = 0;
  let expected = s.sites;
  const end = s.input + <usize>s.count * RECORD_BYTES;
  for (let p = s.input; p != end; p += RECORD_BYTES) {
    const what = load<u64>(p, 8) & ~THREAD_MASK;
    if (((<u32>what) & 0xff) >= <u32>RECORD_MARK) {
      putToken(s, run, FORM_EVENT);
      run = 0;
      continue;
    }
    const address = load<u64>(p) & ADDRESS_MASK;
    const size = <u32>load<u16>(p, 6);
    const known = expected < s.sites + <usize>s.siteCount * offsetof<Site>();
    let site = changetype<Site>(expected);
    let form: u32 = 0;
    const isAlike = known && site.what == what && site.size == size;
    if (!isAlike || !predicts(site, address, previous)) {
      site = siteFor(s, p, what, previous, isAlike ? expected : 0);
      if (changetype<usize>(site) != expected) {
        form = FORM_NAMED;
        store<u16>(s.namedOut, <u32>((changetype<usize>(site) - s.sites) / offsetof<Site>()));
        s.namedOut += 2;
        if (current != 0) changetype<Site>(current).next = changetype<usize>(site);
      }
    }
    const stride = difference(address, site.last);
    const chain = difference(address, previous);
    const predicted = predicts(site, address, previous);
    if (predicted && form == 0) {
      run++;
      changetype<Site>(site.first).hits++;
    } else {
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

/** Writes the column of sites at `p`; returns the address after it. */
export function putSites(s: HmtWrite, p: usize): usize {
  for (let i: u32 = 0; i < s.siteCount; i++, p += SITE_BYTES) {
    const site = changetype<Site>(s.sites + <usize>i * offsetof<Site>());
    store<u16>(p, site.size);
    store<u16>(p, <u32>site.what, 2);
    store<u32>(p, <u32>(site.what >> RECORD_ID_SHIFT), 4);
  }
  return p;
}
