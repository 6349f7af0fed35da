// Zipf's distribution over ranks 1 … n: rank k is drawn in proportion to k^-s.
//
// The first ranks have an entry each in a table of aliases (Walker 1977, Vose 1991). Later ones share
// entries: each span of ranks, which is as long as a 64th of its first rank, has one. Within a span a rank is
// drawn evenly, and kept with the probability (rank / first)^-s (rejection; Devroye 1986, II.3). That is at
// least (65 / 64)^-s, so a power is rarely computed.
//
//   table, 12 bytes an entry:  ┌───────────────────────────┬─────────┐   spans, 16 bytes each:
//                              │ threshold, 64 random bits │  alias  │   first rank, number of ranks
//                              └───────────────────────────┴─────────┘

import {
  setState,
  setStateF64,
  SPANS,
  SPANS_MAX,
  state,
  stateF64,
  ZIPF,
  ZIPF_ENTRIES,
  ZIPF_STATE,
} from "./memory";
import { randomAhead, scale, skipRandom } from "./random";

const ENTRIES: u32 = ZIPF_STATE;
const EXPONENT: u32 = ZIPF_STATE + 1;
const KEPT: u32 = ZIPF_STATE + 2;
/** Ranks with an entry of their own. */
const RANKS: u32 = ZIPF_ENTRIES - SPANS_MAX;
/** Spans grow by one part in this many. */
const FINENESS: u64 = 64;

/** 2^64 as a real number. */
const TWO_64: f64 = 18446744073709551616.0;

/** Where entry i of the table is. */
@inline
function entry(i: u32): usize {
  return ZIPF + <usize>i * 12;
}

/** Where span i is. */
@inline
function span(i: u32): usize {
  return SPANS + <usize>i * 16;
}

/**
 * Prepares draws of `items` ranks with exponent s. The graph's memory serves as a scratch list while it does.
 */
export function prepareZipf(items: u64, s: f64, scratch: usize): void {
  const ranks = <u32>min<u64>(items, RANKS);
  const entries = ranks + fillSpans(ranks, items);
  setState(ENTRIES, entries);
  setStateF64(EXPONENT, s);
  setStateF64(KEPT, NativeMath.pow(1.0 + 1.0 / <f64>FINENESS, -s));
  fillAliases(entries, s, scratch);
}

/** Divides the ranks after the first `ranks` into spans. Returns how many there are. */
function fillSpans(ranks: u32, items: u64): u32 {
  let spans: u32 = 0;
  let first = <u64>ranks + 1;
  while (first <= items) {
    const count = min(first / FINENESS, items - first + 1);
    store<u64>(span(spans), first);
    store<u64>(span(spans), count, 8);
    first += count;
    spans++;
  }
  return spans;
}

/** The weight of an entry: of a span, as if all of its ranks were as frequent as the first. */
function weightOf(i: u32, s: f64): f64 {
  if (i < RANKS) return NativeMath.pow(<f64>(i + 1), -s);
  const at = span(i - RANKS);
  return <f64>load<u64>(at, 8) * NativeMath.pow(<f64>load<u64>(at), -s);
}

/** What drawZipf() takes: how many entries there are, … */
@inline
export function zipfEntries(): u64 {
  return state(ENTRIES);
}

/** … and the least probability with which the rank of a span is kept. */
@inline
export function zipfKept(): f64 {
  return stateF64(KEPT);
}

/** Vose's construction: entries with less than their share are topped up by ones that have more. */
function fillAliases(entries: u32, s: f64, scratch: usize): void {
  const share = scratch;
  const small = share + 8 * <usize>entries;
  const large = small + 4 * <usize>entries;
  let smalls: u32 = 0;
  let larges: u32 = 0;
  let total: f64 = 0;
  for (let i: u32 = 0; i < entries; i++) {
    const weight = weightOf(i, s);
    store<f64>(share + ((<usize>i) << 3), weight);
    total += weight;
  }
  for (let i: u32 = 0; i < entries; i++) {
    const p = (load<f64>(share + ((<usize>i) << 3)) * <f64>entries) / total;
    store<f64>(share + ((<usize>i) << 3), p);
    if (p < 1.0) {
      store<u32>(small + ((<usize>smalls) << 2), i);
      smalls++;
    } else {
      store<u32>(large + ((<usize>larges) << 2), i);
      larges++;
    }
  }
  while (smalls && larges) {
    smalls--;
    const less = load<u32>(small + ((<usize>smalls) << 2));
    const more = load<u32>(large + ((<usize>(larges - 1)) << 2));
    setEntry(less, load<f64>(share + ((<usize>less) << 3)), more);
    const left = load<f64>(share + ((<usize>more) << 3)) + load<f64>(share + ((<usize>less) << 3)) - 1.0;
    store<f64>(share + ((<usize>more) << 3), left);
    if (left >= 1.0) continue;
    larges--;
    store<u32>(small + ((<usize>smalls) << 2), more);
    smalls++;
  }
  for (let i: u32 = 0; i < larges; i++) setEntry(load<u32>(large + ((<usize>i) << 2)), 1.0, 0);
  for (let i: u32 = 0; i < smalls; i++) setEntry(load<u32>(small + ((<usize>i) << 2)), 1.0, 0);
}

/** An entry keeps itself with probability p, and gives way to `alias` otherwise. */
function setEntry(i: u32, p: f64, alias: u32): void {
  store<u64>(entry(i), p >= 1.0 ? <u64>-1 : <u64>(p * TWO_64));
  store<u32>(entry(i), p >= 1.0 ? i : alias, 8);
}

/**
 * Draws a rank, counted from 0. Which entry is drawn and whether it is a span is as random as it gets, so
 * nothing branches on it: a span's rank is drawn in any case. A try takes two words of 64 random bits: the
 * first, multiplied by the number of entries, has the entry above the binary point and its coin below; the
 * high bits of the second are a place in the span, and its low bits decide whether that is kept.
 */
@inline
export function drawZipf(entries: u64, kept: f64): u64 {
  while (true) {
    const bits = randomAhead(1);
    const i = <u32>scale(bits, entries);
    const own: u32 = bits * entries < load<u64>(entry(i)) ? 1 : 0;
    const drawn = load<u32>(entry(i), 8) ^ ((load<u32>(entry(i), 8) ^ i) & (0 - own));
    const isRank: u32 = drawn < RANKS ? 1 : 0;
    const at = span((drawn - RANKS) & (isRank - 1));
    const more = randomAhead(2);
    const rank = load<u64>(at) + scale(more, load<u64>(at, 8));
    const u = <f64>(<u32>more) * (1.0 / 4294967296.0);
    skipRandom(2);
    if (isRank | (u < kept ? 1 : 0)) return (rank - 1) ^ (((rank - 1) ^ drawn) & (0 - <u64>isRank));
    if (u < NativeMath.pow(<f64>rank / <f64>load<u64>(at), -stateF64(EXPONENT))) return rank - 1;
  }
}
