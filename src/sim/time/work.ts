/** Accesses since the last event: what the CPU and the device have done, which takes its time at once. */
import {
  RECORD_AGENT_SHIFT,
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MASK,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
} from "../../../assembly/abi/record.ts";
import { instructionsOf, WORDS } from "../record-words.ts";
import type { ByteTimes, Costs } from "./costs.ts";
import type { PeerWork } from "../counts.ts";

const SECTOR_BYTES = 32;

/** Accesses of an agent to one memory, and its instructions. */
class Tally {
  instructions = 0;
  accesses = 0;
  loaded = 0;
  stored = 0;

  add(bytes: number, load: boolean, store: boolean): void {
    this.accesses++;
    if (load) this.loaded += bytes;
    if (store) this.stored += bytes;
  }

  /** The picoseconds of the bytes. */
  timeOf({ load, store }: ByteTimes): number {
    return Math.round(this.loaded * load + this.stored * store);
  }

  clear(): void {
    this.instructions = this.accesses = this.loaded = this.stored = 0;
  }
}

/** What the accesses since the last settle() take, by cause. */
export interface WorkTimes {
  cpu: number;
  compute: number;
  memory: number;
  remote: number;
  peer: number;
  translation: number;
  /** How many instructions and accesses they were, and how many accesses of each memory. */
  counts: { cpu: number; compute: number; device: number; remote: number; peer: number };
}

/** Adds accesses and instructions up. */
export class Work {
  readonly #costs: Costs;
  /** Whether the model has a time that depends on records. */
  readonly counted: boolean;
  readonly #cpu = new Tally();
  readonly #device = new Tally();
  readonly #remote = new Tally();
  readonly #peer = new Tally();
  /** Of the accesses to RAM. */
  #atomics = 0;
  #translation = 0;

  constructor(costs: Costs) {
    this.#costs = costs;
    const { cpuAccess, cpuBytes, deviceAccess, deviceBytes, remoteLatency, remoteAtomic } = costs;
    const { remoteBytes, tlb, cpuInstruction, deviceInstruction, peerLatency, peerBytes } = costs;
    const rates = [cpuBytes, deviceBytes, remoteBytes, peerBytes];
    const bytes = rates.reduce((sum, one) => sum + one.load + one.store, 0);
    const latencies = remoteLatency + remoteAtomic + peerLatency;
    const each = cpuAccess + cpuInstruction + deviceAccess + deviceInstruction + latencies;
    this.counted = each + bytes > 0 || tlb !== null;
  }

  /** Whether there is anything to settle. */
  get any(): boolean {
    const [cpu, device] = [this.#cpu, this.#device];
    return (
      cpu.instructions + cpu.accesses + device.instructions + device.accesses > 0 ||
      this.#remote.accesses + this.#peer.accesses > 0
    );
  }

  /** Adds records [from, to), of whose device accesses these many were of RAM and over links. */
  records(
    words: Uint32Array,
    from: number,
    to: number,
    { ramLoads, ramStores, overLinks }: { ramLoads: number; ramStores: number; overLinks: PeerWork | null },
  ): void {
    const { tlb } = this.#costs;
    const [cpu, device] = [this.#cpu, this.#device];
    for (let at = WORDS * from; at < WORDS * to; at += WORDS) {
      const how = words[at + 2];
      const kind = how & RECORD_KIND_MASK;
      if (kind > RECORD_KIND_FETCH) continue;
      const onCpu = ((how >>> RECORD_AGENT_SHIFT) & 0xff) === 0;
      if (kind === RECORD_KIND_FETCH) {
        (onCpu ? cpu : device).instructions += instructionsOf(how, words[at + 1]);
        continue;
      }
      const bytes = words[at + 1] >>> (RECORD_SIZE_SHIFT - 32);
      (onCpu ? cpu : device).add(bytes, kind !== RECORD_KIND_STORE, kind !== RECORD_KIND_LOAD);
      if (tlb !== null && !onCpu)
        this.#translation += tlb.translate((words[at + 1] & 0xffff) * 2 ** 32 + words[at]);
    }
    if (overLinks !== null) this.#moveToPeer(overLinks);
    if (ramLoads + ramStores > 0) this.#moveToRemote(ramLoads, ramStores);
  }

  /** Adds instructions of an agent. */
  execute(agent: "cpu" | "device", n: number): void {
    (agent === "cpu" ? this.#cpu : this.#device).instructions += n;
  }

  /** Adds an access of an agent, to its own memory. */
  access(agent: "cpu" | "device", bytes: number, store: boolean): void {
    (agent === "cpu" ? this.#cpu : this.#device).add(bytes, !store, store);
  }

  /** Adds an access of the device, to RAM. */
  remote(sectors: number, store: boolean, atomic: boolean): void {
    if (atomic) this.#atomics++;
    this.#remote.add(sectors * SECTOR_BYTES, !store, store);
  }

  /** Adds an access of a device, over its link to another one. */
  overLink(bytes: number, store: boolean): void {
    this.#peer.add(bytes, !store, store);
  }

  /** Of the device's accesses, these were of other devices' memory. */
  #moveToPeer({ loads, stores, bytesLoaded, bytesStored }: PeerWork): void {
    this.#move(this.#peer, Math.min(loads + stores, this.#device.accesses), bytesLoaded, bytesStored);
  }

  /** Of the device's accesses, some were of RAM: they have their share of the bytes. */
  #moveToRemote(loads: number, stores: number): void {
    const { accesses, loaded, stored } = this.#device;
    const n = Math.min(loads + stores, accesses);
    const share = n / Math.max(accesses, 1);
    this.#move(this.#remote, n, Math.round(loaded * share), Math.round(stored * share));
  }

  /** Takes accesses and their bytes from those of the device's own memory. */
  #move(to: Tally, accesses: number, loaded: number, stored: number): void {
    const from = this.#device;
    from.accesses -= accesses;
    from.loaded -= loaded;
    from.stored -= stored;
    to.accesses += accesses;
    to.loaded += loaded;
    to.stored += stored;
  }

  /** Returns what the accesses take, and forgets them. */
  settle(): WorkTimes {
    const costs = this.#costs;
    const [cpu, device, remote, peer] = [this.#cpu, this.#device, this.#remote, this.#peer];
    const atomics = this.#atomics;
    const latencies = (remote.accesses - atomics) * costs.remoteLatency + atomics * costs.remoteAtomic;
    const times = {
      cpu: Math.max(
        cpu.instructions * costs.cpuInstruction,
        cpu.accesses * costs.cpuAccess,
        cpu.timeOf(costs.cpuBytes),
      ),
      compute: Math.max(device.instructions * costs.deviceInstruction, device.accesses * costs.deviceAccess),
      memory: device.timeOf(costs.deviceBytes),
      remote: Math.max(latencies, remote.timeOf(costs.remoteBytes)),
      peer: Math.max(peer.accesses * costs.peerLatency, peer.timeOf(costs.peerBytes)),
      translation: this.#translation,
      counts: {
        cpu: cpu.instructions + cpu.accesses,
        compute: device.instructions + device.accesses,
        device: device.accesses,
        remote: remote.accesses,
        peer: peer.accesses,
      },
    };
    for (const tally of [cpu, device, remote, peer]) tally.clear();
    this.#atomics = this.#translation = 0;
    return times;
  }
}
