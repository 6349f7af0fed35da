// Counting records by what they do and who does it, 16 at a time.

import { HDR_XBUF } from "../../abi/header";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
} from "../../abi/record";
import { header } from "../base/layout";

const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

/** Records that are counted at once, one in each byte of a vector; a byte holds the counts of 255 groups. */
const GROUP: u32 = 16;
const GROUPS_MAX: u32 = 255;

/** Returns what four records do: the words with their kinds, agents and threads. */
@inline
function fourOf(records: usize): v128 {
  const first = v128.shuffle<u32>(v128.load(records), v128.load(records, 16), 2, 6, 2, 6);
  const second = v128.shuffle<u32>(v128.load(records, 32), v128.load(records, 48), 2, 6, 2, 6);
  return v128.shuffle<u64>(first, second, 0, 2);
}

/** Returns the kinds and, in the odd bytes, the agents of eight records. */
@inline
function eightOf(records: usize): v128 {
  const four = v128.and(fourOf(records), i32x4.splat(0xffff));
  return i16x8.narrow_i32x4_u(four, v128.and(fourOf(records + 4 * RECORD_BYTES), i32x4.splat(0xffff)));
}

/** Adds the sum of 16 bytes to the u32 at `out`. */
@inline
function addBytes(out: usize, bytes: v128): void {
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));
  const two = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
  store<u32>(out, load<u32>(out) + two + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3));
}

/** Counts up to GROUPS_MAX groups. A comparison gives -1 in the bytes of the records for which it holds. */
function countGroups(records: usize, groups: u32, out: usize): void {
  let loads = i8x16.splat(0);
  let stores = loads;
  let modifies = loads;
  let deviceLoads = loads;
  let deviceStores = loads;
  let deviceModifies = loads;
  for (; groups != 0; groups--, records += GROUP * RECORD_BYTES) {
    const first = eightOf(records);
    const second = eightOf(records + 8 * RECORD_BYTES);
    const evens = v128.shuffle<u8>(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const agents = v128.shuffle<u8>(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const kinds = v128.and(evens, i8x16.splat(<i8>RECORD_KIND_MASK));
    const device = i8x16.ne(agents, i8x16.splat(0));
    const loading = i8x16.eq(kinds, i8x16.splat(0));
    const storing = i8x16.eq(kinds, i8x16.splat(<i8>RECORD_KIND_STORE));
    const modifying = i8x16.eq(kinds, i8x16.splat(<i8>RECORD_KIND_MODIFY));
    loads = i8x16.sub(loads, v128.andnot(loading, device));
    stores = i8x16.sub(stores, v128.andnot(storing, device));
    modifies = i8x16.sub(modifies, v128.andnot(modifying, device));
    deviceLoads = i8x16.sub(deviceLoads, v128.and(loading, device));
    deviceStores = i8x16.sub(deviceStores, v128.and(storing, device));
    deviceModifies = i8x16.sub(deviceModifies, v128.and(modifying, device));
  }
  addBytes(out, loads);
  addBytes(out + 4, stores);
  addBytes(out + 8, modifies);
  addBytes(out + 16, deviceLoads);
  addBytes(out + 20, deviceStores);
  addBytes(out + 24, deviceModifies);
}

/**
 * Counts records [at, n) into the exchange buffer: loads, stores, modifies and a 0 (u32 each) of the CPU,
 * then the devices'. Fetches and marks are not counted.
 */
export function replayCount(records: usize, at: u32, n: u32): i32 {
  const out: usize = header(HDR_XBUF);
  memory.fill(out, 0, 32);
  const last = records + <usize>n * RECORD_BYTES;
  records += <usize>at * RECORD_BYTES;
  for (let left = (n - at) / GROUP; left;) {
    const groups = min(left, GROUPS_MAX);
    countGroups(records, groups, out);
    records += groups * GROUP * RECORD_BYTES;
    left -= groups;
  }
  for (; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    const kind = how & RECORD_KIND_MASK;
    if (kind >= <u32>RECORD_KIND_FETCH) continue;
    const count = out + ((kind | (how & AGENT_MASK ? 4 : 0)) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  return 0;
}

/**
 * Counts records [at, n) by agent into the exchange buffer: loads, stores, modifies and fetches (u32 each) of
 * agent 0, of agent 1, and so on to 255. Marks are not counted.
 */
export function replayCountAgents(records: usize, at: u32, n: u32): i32 {
  const out: usize = header(HDR_XBUF);
  memory.fill(out, 0, 256 * 16);
  const last = records + <usize>n * RECORD_BYTES;
  for (records += <usize>at * RECORD_BYTES; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    const kind = how & RECORD_KIND_MASK;
    if (kind > <u32>RECORD_KIND_FETCH) continue;
    const count = out + ((((how & AGENT_MASK) >> RECORD_AGENT_SHIFT) << 4) | (kind << 2));
    store<u32>(count, load<u32>(count) + 1);
  }
  return 0;
}
