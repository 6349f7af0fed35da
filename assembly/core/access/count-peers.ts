// Counting the accesses of devices to other devices' memory, which they make over the link between them.
//
// Its head, which counting by range shares, tells in whose memory a page is.
//
// The exchange buffer has, for agents 0 to before `agents`: the table (u32: a device table's id; 0 for the
// CPU), then the device memory of the agent (u32: a zone), then by agent a page that was looked up last, and
// the counts by accessing agent and accessed one:
//
//   0         8         16         24        32
//  ┌─────────┬──────────┬──────────┬─────────┐
//  │  loads  │  stores  │  loaded  │ stored  │   f64, the last two in bytes; a modify is a load and a store
//  └─────────┴──────────┴──────────┴─────────┘

import { XBUF_SIZE } from "../../abi/argument";
import { HDR_DEVICE_BASE, HDR_XBUF } from "../../abi/header";
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
  REPLAY_AGENTS_MAX,
} from "../../abi/record";
import { header } from "../base/layout";
import { ptePfn } from "../base/pte";
import { zoneOfPfn } from "../frame/zone";
import { deviceTableOf } from "../space/device-table";
import { leafTable, slotOf } from "../table/pagetable";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
const AGENT_MASK: u32 = 0xff << RECORD_AGENT_SHIFT;

const ZONES: usize = REPLAY_AGENTS_MAX * 4;
/** By agent, 16 bytes: the page's number + 1 (u64), and in whose memory it is (u32; 0: in RAM). */
export const SEEN: usize = 2 * ZONES;
/** Bytes before the counts: a call begins with those from SEEN on at 0. */
export const PLACES: usize = SEEN + REPLAY_AGENTS_MAX * 16;
const COUNTS: usize = PLACES;
const COUNT_BYTES: u32 = 32;
if (COUNTS + REPLAY_AGENTS_MAX * REPLAY_AGENTS_MAX * COUNT_BYTES > <usize>XBUF_SIZE) ERROR("XBUF_SIZE");

/** Returns the agent in whose memory the page is that a table names at an address; 0: RAM, or none. */
function memoryOf(root: usize, addr: u64, zones: usize, agents: u32): u32 {
  const leaf = leafTable(root, addr);
  if (!leaf) return 0;
  const pfn = ptePfn(load<u64>(slotOf(leaf, addr)));
  if (pfn < header(HDR_DEVICE_BASE)) return 0;
  const zone = zoneOfPfn(pfn);
  for (let agent: u32 = 1; agent < agents; agent++) if (load<u32>(zones + agent * 4) == zone) return agent;
  return 0;
}

/** Returns the agent in whose memory an agent sees the page of an address; 0: RAM. */
export function holderOf(buffer: usize, agents: u32, agent: u32, addr: u64): u32 {
  const seen = buffer + SEEN + ((<usize>agent) << 4);
  if (load<u64>(seen) != (addr >> 12) + 1) {
    const root: usize = deviceTableOf(load<u32>(buffer + agent * 4)).root;
    store<u64>(seen, (addr >> 12) + 1);
    store<u32>(seen, memoryOf(root, addr, buffer + ZONES, agents), 8);
  }
  return load<u32>(seen, 8);
}

/** Adds to a count. */
@inline
function add(count: usize, n: f64): void {
  store<f64>(count, load<f64>(count) + n);
}

/**
 * Counts records [at, n), which have just been replayed, by the device that accesses and the device in whose
 * memory the record's last byte lies, if they are two. Agents beyond the last are the last one.
 */
export function replayCountPeers(agents: u32, records: usize, at: u32, n: u32): i32 {
  const buffer: usize = header(HDR_XBUF);
  memory.fill(buffer + SEEN, 0, COUNTS - SEEN + <usize>agents * agents * COUNT_BYTES);
  const last = records + <usize>n * RECORD_BYTES;
  for (records += <usize>at * RECORD_BYTES; records < last; records += RECORD_BYTES) {
    const how = load<u32>(records, 8);
    const kind = how & RECORD_KIND_MASK;
    if (kind > <u32>RECORD_KIND_MODIFY || !(how & AGENT_MASK)) continue;
    const agent = min((how & AGENT_MASK) >> RECORD_AGENT_SHIFT, agents - 1);
    const where = load<u64>(records);
    const bytes = where >> RECORD_SIZE_SHIFT;
    const addr = (where & ADDRESS_MASK) + bytes - 1;
    const memory = holderOf(buffer, agents, agent, addr);
    if (!memory || memory == agent) continue;
    const count = buffer + COUNTS + (agent * agents + memory) * COUNT_BYTES;
    if (kind != RECORD_KIND_STORE) {
      add(count, 1);
      add(count + 16, <f64>bytes);
    }
    if (kind != RECORD_KIND_LOAD) {
      add(count + 8, 1);
      add(count + 24, <f64>bytes);
    }
  }
  return 0;
}
