/** Counts the accesses of devices to other devices' memory, at the core's speed. */
import { REPLAY_AGENTS_MAX } from "../../assembly/abi/record.ts";
import { contextOf, type Context } from "../engine/context.ts";
import type { Forward } from "../engine/forward.ts";
import type { DeviceTable } from "./device-table.ts";
import type { HmmDevmem } from "./devmem.ts";
import type { RecordArray } from "./replay.ts";

/** Numbers that are counted of two devices: loads, stores, bytes loaded and bytes stored. */
export const PEER_COUNTS = 4;
/** Bytes before the counts: two words and what was seen last, of each agent (count-peers.ts). */
const COUNTS = (4 + 4 + 16) * REPLAY_AGENTS_MAX;

/** A device, by what it sees and by what it has. */
export interface PeerDevice {
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
}

/**
 * Writes the tables and memories of devices, agents 1 and so on, to the exchange buffer, with room for
 * `bytes` after what the core has seen. Returns its address, and what gives it back.
 */
export function putPlaces(
  ctx: Context,
  devices: readonly PeerDevice[],
  bytes: number,
): { address: number; restore: () => void } {
  const exchange = ctx.exchange(COUNTS + bytes);
  const first = exchange.address / 4 + 1;
  devices.forEach(({ table, devmem }, i) => {
    ctx.mem.words[first + i] = table.id;
    ctx.mem.words[first + REPLAY_AGENTS_MAX + i] = devmem.zone;
  });
  return exchange;
}

/**
 * Counts records [at, n), which were replayed since the tables last changed, by two devices: the one that
 * accesses, and another one in whose memory the record's last byte lies. Devices are agents 1 and so on;
 * agents beyond them are the last one. Returns by accessing agent × (devices + 1) + accessed agent, times
 * PEER_COUNTS: loads, stores, and their bytes. A modify is a load and a store.
 */
export function countPeers(
  hmm: Forward["Hmm"],
  records: RecordArray,
  at: number,
  n: number,
  devices: readonly PeerDevice[],
): Float64Array {
  const ctx = contextOf("countPeers", hmm);
  const { core, mem } = ctx;
  const agents = devices.length + 1;
  const size = 8 * PEER_COUNTS * agents * agents;
  const { address, restore } = putPlaces(ctx, devices, size);
  core.replayCountPeers(agents, records.byteOffset, at, n);
  const bytes = mem.bytes.slice(address + COUNTS, address + COUNTS + size);
  restore();
  return new Float64Array(bytes.buffer);
}
