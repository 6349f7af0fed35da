/** The fields of a config that say how devices reach each other's memory. */
import { ConfigError } from "./config-error.ts";
import { choiceOf } from "./config-values.ts";

/** What a device's fault on a page in the memory of another device does, where a link joins the two. */
export const PEER_FAULTS = {
  access: "the page stays, and the device accesses it over the link",
  migrate: "the pages of the cluster move to the device over the link",
} as const;

/** The fields, as users write them. */
export interface PeerConfig {
  /**
   * The links between devices: "A-B" for each pair that has one, or all pairs. Devices without a link
   * exchange pages by way of RAM. Default: none.
   */
  peers?: "none" | "all" | readonly string[] | undefined;
  /**
   * What a fault on a page in the memory of a linked device does. Default: access; with managed memory
   * migrate, which is what the driver does.
   */
  peerFault?: keyof typeof PEER_FAULTS | undefined;
  /**
   * Which device's memory a page comes to that lies on none: "NAME=N", device N for the ranges called NAME;
   * "interleave", for all others the devices in turn, by the 64 KiB. It holds for faults of that device and
   * of those that a link joins to it. Default: the device that faults.
   */
  homes?: readonly string[] | undefined;
}

/** The fields, checked. */
export interface PeerSettings {
  /** The pairs of devices that a link joins, the lower number first, ascending. */
  peers: [a: number, b: number][];
  peerFault: keyof typeof PEER_FAULTS;
  homes: { named: [name: string, device: number][]; interleave: boolean };
}

/** The fields' names. */
export const PEER_FIELDS = ["peers", "peerFault", "homes"] as const satisfies readonly (keyof PeerConfig)[];

function allPairs(devices: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let a = 1; a <= devices; a++) for (let b = a + 1; b <= devices; b++) pairs.push([a, b]);
  return pairs;
}

function peersOf(value: unknown, devices: number): [number, number][] {
  if (value === undefined || value === "none") return [];
  if (value === "all") return allPairs(devices);
  if (!Array.isArray(value)) throw new ConfigError("peers", value, "none, all, or a list of pairs A-B");
  const pairs = value.map((item: unknown): [number, number] => {
    const [, a, b] = /^(\d)-(\d)$/.exec(String(item)) ?? [];
    const pair: [number, number] = [Math.min(Number(a), Number(b)), Math.max(Number(a), Number(b))];
    if (pair[0] >= 1 && pair[0] < pair[1] && pair[1] <= devices) return pair;
    throw new ConfigError("peers", item, `A-B, two devices from 1 to ${devices}`);
  });
  const distinct = new Map(pairs.map((pair) => [pair.join("-"), pair]));
  return [...distinct.values()].sort(([a, b], [c, d]) => a - c || b - d);
}

function homesOf(value: unknown, devices: number): PeerSettings["homes"] {
  if (value === undefined) return { named: [], interleave: false };
  if (!Array.isArray(value)) throw new ConfigError("homes", value, "a list of NAME=N or interleave");
  const named = new Map<string, number>();
  for (const item of value as unknown[]) {
    if (item === "interleave") continue;
    const [, name, number] = /^(.+)=(\d)$/.exec(String(item)) ?? [];
    const device = Number(number);
    if (!(device >= 1 && device <= devices))
      throw new ConfigError("homes", item, `NAME=N, with a device from 1 to ${devices}, or interleave`);
    named.set(name, device);
  }
  return { named: [...named], interleave: (value as unknown[]).includes("interleave") };
}

/**
 * Checks the fields of a config with so many devices, whose faults do what `placement` says. Throws
 * ConfigError.
 */
export function peerSettingsOf(
  config: PeerConfig,
  devices: number,
  { placement, memoryModel }: { placement: string; memoryModel: string },
): PeerSettings {
  const managed = memoryModel === "managed";
  const peers = peersOf(config.peers, devices);
  const homes = homesOf(config.homes, devices);
  const usual = managed ? "migrate" : "access";
  const peerFault = choiceOf<keyof typeof PEER_FAULTS>("peerFault", config.peerFault, PEER_FAULTS, usual);
  if (peers.length > 0 && placement !== "migrate" && !(managed && placement === "counters"))
    throw new ConfigError(
      "peers",
      config.peers,
      `placement migrate: with ${placement} nothing is on a device`,
    );
  if (peers.length === 0 && config.peerFault !== undefined)
    throw new ConfigError("peerFault", peerFault, "peers, the links that it is about");
  if (peers.length === 0 && config.homes !== undefined)
    throw new ConfigError(
      "homes",
      config.homes,
      "peers: without a link only the device that faults can have a page",
    );
  if (peerFault === "migrate" && config.homes !== undefined)
    throw new ConfigError("homes", config.homes, "peerFault access: a page that moves has no home");
  return { peers, peerFault, homes };
}
