/** Counts the accesses of devices to other devices' memory, at the core's speed. */
import { REPLAY_AGENTS_MAX } from "../../assembly/abi/record.ts";
import { contextOf } from "../engine/context.ts";
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
  const size = COUNTS + 8 * PEER_COUNTS * agents * agents;
  const { address, restore } = ctx.exchange(size);
  devices.forEach(({ table, devmem }, i) => {
    mem.words[address / 4 + i + 1] = table.id;
    mem.words[address / 4 + REPLAY_AGENTS_MAX + i + 1] = devmem.zone;
  });
  core.replayCountPeers(agents, records.byteOffset, at, n);
  const bytes = mem.bytes.slice(address + COUNTS, address + size);
  restore();
  return new Float64Array(bytes.buffer);
}
