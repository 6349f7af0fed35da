/**
 * Links between devices: who reaches whose memory, where pages have their homes, and what goes over a link.
 * Multi-GPU systems do so by peer access (cudaDeviceEnablePeerAccess; drivers on HMM pass the owner of the
 * other's memory to hmm_range_fault, which then gives them its pages).
 */
import type { PeerDevice } from "../device/peer-counts.ts";
import { countPeers, PEER_COUNTS } from "../device/peer-counts.ts";
import type { RecordArray } from "../device/replay.ts";
import type { Hmm } from "../index.ts";
import { CLUSTER_SIZE } from "./cluster.ts";
import type { LinkCounts, PeerWork } from "./counts.ts";
import type { PeerSettings } from "./peer-config.ts";
import type { RangeCounts } from "./range-counts.ts";

/** Returns counts of 0 for the links of a device, by the number of the other one. */
export function newLinks(
  { peers }: { peers: readonly (readonly [a: number, b: number])[] },
  device: number,
): Record<number, LinkCounts> {
  const others = peers.filter((pair) => pair.includes(device)).map(([a, b]) => (a === device ? b : a));
  const none = (): LinkCounts => ({ loads: 0, stores: 0, bytesLoaded: 0, bytesStored: 0, bytesIn: 0 });
  return Object.fromEntries(others.map((other) => [other, none()]));
}

/** The links of a simulation. */
export class Peers {
  /** Whether devices access each other's memory; else pages move to who faults. */
  readonly access: boolean;
  /** Names of ranges; null until the simulation has some. */
  ranges: RangeCounts | null = null;
  readonly #devices: number;
  readonly #linked: ReadonlySet<number>;
  readonly #named: ReadonlyMap<string, number>;
  readonly #interleave: boolean;

  constructor({ peers, peerFault, homes }: PeerSettings, devices: number) {
    this.access = peers.length > 0 && peerFault === "access";
    this.#devices = devices;
    this.#linked = new Set(peers.flatMap(([a, b]) => [8 * a + b, 8 * b + a]));
    this.#named = new Map(homes.named);
    this.#interleave = homes.interleave;
  }

  /** Whether a link joins two devices. */
  linked(a: number, b: number): boolean {
    return this.#linked.has(8 * a + b);
  }

  /** Returns the device to whose memory a page comes that is on none, when a device faults on it. */
  homeOf(page: number, device: number): number {
    const home = this.#named.get(this.ranges?.nameAt(page) ?? "") ?? this.#turn(page) ?? device;
    return this.linked(home, device) ? home : device;
  }

  /**
   * Adds the accesses of records [at, n), which were just replayed, to the links of the devices that made
   * them. Returns all of them together.
   */
  count(
    hmm: Hmm,
    records: RecordArray,
    at: number,
    n: number,
    devices: readonly (PeerDevice & { readonly links: Record<number, LinkCounts> })[],
  ): PeerWork {
    const work = { loads: 0, stores: 0, bytesLoaded: 0, bytesStored: 0 };
    if (at === n) return work;
    const counts = countPeers(hmm, records, at, n, devices);
    devices.forEach(({ links }, i) => {
      for (const [other, link] of Object.entries(links)) {
        const first = PEER_COUNTS * ((i + 1) * (devices.length + 1) + Number(other));
        const [loads, stores, bytesLoaded, bytesStored] = counts.subarray(first, first + PEER_COUNTS);
        for (const to of [link, work]) {
          to.loads += loads;
          to.stores += stores;
          to.bytesLoaded += bytesLoaded;
          to.bytesStored += bytesStored;
        }
      }
    });
    return work;
  }

  #turn(page: number): number | undefined {
    return this.#interleave ? (Math.floor(page / CLUSTER_SIZE) % this.#devices) + 1 : undefined;
  }
}
