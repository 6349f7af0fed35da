// Zipf's distribution over ranks 1 … n: rank k is drawn in proportion to k^-s.
//
// The first ranks (at most ZIPF_RANKS) have an entry each in a table of aliases (Walker 1977, Vose 1991), and
// one more entry stands for all others; of these a rank is drawn by inverting the integral of x^-s, which for
// ranks that far out differs from the sum by less than one part in a million.
//
//   table, 12 bytes an entry:  ┌───────────────────────────┬─────────┐
//                              │ threshold, 64 random bits │  alias  │
//                              └───────────────────────────┴─────────┘

import { setState, setStateF64, state, stateF64, ZIPF, ZIPF_RANKS, ZIPF_STATE } from "./memory";
import { nextRandom, scale, unit } from "./random";

const ITEMS: u32 = ZIPF_STATE;
const ENTRIES: u32 = ZIPF_STATE + 1;
const EXPONENT: u32 = ZIPF_STATE + 2;
const FROM: u32 = ZIPF_STATE + 3;
const SPAN: u32 = ZIPF_STATE + 4;

/** 2^64 as a real number. */
const TWO_64: f64 = 18446744073709551616.0;

/** The integral of x^-s from a to b. */
function integral(a: f64, b: f64, s: f64): f64 {
  if (s == 1.0) return NativeMath.log(b / a);
  return (NativeMath.pow(b, 1.0 - s) - NativeMath.pow(a, 1.0 - s)) / (1.0 - s);
}

/** Where entry i of the table is. */
@inline
function entry(i: u32): usize {
  return ZIPF + <usize>i * 12;
}

/**
 * Prepares draws of `items` ranks with exponent s. The graph's memory serves as a scratch list while it does.
 */
export function prepareZipf(items: u64, s: f64, scratch: usize): void {
  const ranks = <u32>min<u64>(items, ZIPF_RANKS - 1);
  const rest = items > <u64>ranks;
  const entries = ranks + (rest ? 1 : 0);
  setState(ITEMS, items);
  setState(ENTRIES, entries);
  setStateF64(EXPONENT, s);
  const from = <f64>ranks + 0.5;
  const to = <f64>items + 0.5;
  setStateF64(FROM, s == 1.0 ? from : NativeMath.pow(from, 1.0 - s));
  setStateF64(SPAN, s == 1.0 ? to / from : NativeMath.pow(to, 1.0 - s) - NativeMath.pow(from, 1.0 - s));
  let total: f64 = rest ? integral(from, to, s) : 0;
  for (let i: u32 = 0; i < ranks; i++) total += NativeMath.pow(<f64>(i + 1), -s);
  fillAliases(entries, ranks, rest ? integral(from, to, s) : 0, total, s, scratch);
}

/** Vose's construction: entries with less than their share are topped up by ones that have more. */
function fillAliases(entries: u32, ranks: u32, tail: f64, total: f64, s: f64, scratch: usize): void {
  const share = scratch;
  const small = share + 8 * <usize>entries;
  const large = small + 4 * <usize>entries;
  let smalls: u32 = 0;
  let larges: u32 = 0;
  for (let i: u32 = 0; i < entries; i++) {
    const weight = i < ranks ? NativeMath.pow(<f64>(i + 1), -s) : tail;
    const p = (weight * <f64>entries) / total;
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
    const more = load<u32>(large + ((<usize>larges - 1) << 2));
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

/** Draws a rank, counted from 0. */
@inline
export function drawZipf(): u64 {
  const entries = state(ENTRIES);
  const i = <u32>scale(nextRandom(), entries);
  const rank = nextRandom() < load<u64>(entry(i)) ? i : load<u32>(entry(i), 8);
  return rank < ZIPF_RANKS - 1 ? rank : drawRest();
}

/** Draws a rank among those without an entry. */
function drawRest(): u64 {
  const s = stateF64(EXPONENT);
  const u = unit(nextRandom());
  const x =
    s == 1.0
      ? stateF64(FROM) * NativeMath.pow(stateF64(SPAN), u)
      : NativeMath.pow(stateF64(FROM) + u * stateF64(SPAN), 1.0 / (1.0 - s));
  return min<u64>(<u64>(x + 0.5), state(ITEMS)) - 1;
}
