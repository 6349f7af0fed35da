/** The config of a simulation, as users write it, and as the simulation uses it. */
import { REPLAY_AGENTS_MAX } from "../../assembly/abi/record.ts";
import { checkDisjoint, rangeOf, type AddressRange } from "./address-range.ts";
import { ConfigError } from "./config-error.ts";
import { choiceOf, countOf, sizeOf, type Size } from "./config-values.ts";
import {
  BACKINGS,
  MEMORY_MODELS,
  placementNamed,
  PLACEMENTS,
  type Backing,
  type Evict,
  type MemoryModel,
  type Placement,
  type Prefetch,
} from "./names.ts";
import { pagingOf, type PagingConfig, type PagingSettings } from "./paging-config.ts";
import { timeModelOf, withMachine } from "./time/machine.ts";
import type { TimeModel } from "./time/model-file.ts";
import type { TimeModelName } from "./names.ts";
import { BLOCK_BYTES } from "./driver/bits.ts";
import {
  isBaseline,
  MANAGED_FIELDS,
  managedEvict,
  managedOf,
  type ManagedConfig,
  type ManagedPrefetch,
  type ManagedSettings,
} from "./managed-config.ts";
import { PEER_FIELDS, peerSettingsOf, type PeerConfig, type PeerSettings } from "./peer-config.ts";
import type { EvictPolicy } from "./policies/evict/evictor.ts";

/** Accesses of some threads are a device's: numbers, or texts such as "0-31" and "32-63@2". */
export interface DeviceThreads {
  threads: readonly (number | string)[];
}

/**
 * Who makes the accesses: `trace`, the agents that the records name; `cpu` or `device`, that one all of them;
 * or the device those of some threads (as text: "threads:0-31,64"), and the CPU all others. `@N` names
 * another device than the first one: "device@2", "threads:0-31,32-63@2".
 */
export type Agent = "trace" | "cpu" | "device" | `device@${number}` | `threads:${string}` | DeviceThreads;

/** A range of addresses: as text, "[NAME=]0xSTART-0xEND". The end is the first address after it. */
export type RangeConfig = string | { name?: string | undefined; start: number; end: number };

/** A range that a device accesses, by default the first one: as text, "[NAME=]0xSTART-0xEND[@N]". */
export type DeviceRangeConfig =
  string | { name?: string | undefined; start: number; end: number; device?: number | undefined };

/**
 * What is simulated, and what is counted. Every field may be left out. docs/run.md describes each by its name
 * as an option of `heteromem run`.
 */
export interface SimulationConfig
  extends Omit<PagingConfig, "prefetch" | "evict">, ManagedConfig, PeerConfig {
  /** RAM: whole pages, at least 64 KiB. Default: 1 GiB. */
  systemMemory?: Size | undefined;
  /**
   * Devices, each with memory, a page table and a mirror of its own: 1 to 7. Agent n of the records is device
   * n; with one device, all agents but the CPU are that one. Default: 1.
   */
  devices?: number | undefined;
  /** What a device fault does. Default: migrate. */
  placement?: Placement | "first-touch" | "remote" | undefined;
  /** What moves along with a cluster that faulted. Default: cluster64K; with managed memory density:51. */
  prefetch?: Prefetch | ManagedPrefetch | undefined;
  /** What makes room on the device, or a policy of your own. Default: lru; with managed memory lrm. */
  evict?: Evict | EvictPolicy | ManagedSettings["evict"] | undefined;
  /** How memory is shared. Default: hmm. */
  memoryModel?: MemoryModel | undefined;
  /** What the run's time is computed by: a preset's name, or a model. Default: none. */
  time?: TimeModelName | TimeModel | undefined;
  /** Whether pages have bytes. Default: data. */
  backing?: Backing | undefined;
  /** The first accesses, which are not replayed: how many. Default: 0. */
  skip?: number | undefined;
  /**
   * The accesses that are counted, numbered from 0 in the order of the trace: [from, to), or "FROM-TO". Those
   * before are replayed and not counted; the run ends at `to`. Default: all.
   */
  roi?: string | readonly [from: number, to: number] | undefined;
  /** Counts for each N accesses, or for each kernel and what is between them. Default: neither. */
  epoch?: number | "kernel" | undefined;
  /** Who makes the accesses. Default: trace. */
  agent?: Agent | undefined;
  /** Data that the device accesses, whoever the record names. */
  deviceRanges?: readonly DeviceRangeConfig[] | undefined;
  /** Data whose accesses, faults and moves are counted by name, beside the ranges that the source names. */
  ranges?: readonly RangeConfig[] | undefined;
  /** The number of an allocation inside the engine that fails once, from 1 on. Default: none. */
  failAlloc?: number | undefined;
}

/** Data that a device accesses. */
export interface DeviceRange extends AddressRange {
  device: number;
}

/** A config whose fields are checked, and all there. */
export interface Settings extends PagingSettings, PeerSettings {
  systemMemory: number;
  devices: number;
  placement: Placement;
  memoryModel: MemoryModel;
  /** What belongs to managed memory; null: another memory model. */
  managed: ManagedSettings | null;
  /** The time model; null: none. */
  time: TimeModel | null;
  backing: Backing;
  skip: number;
  /** `to` is null: to the end. */
  roi: { from: number; to: number | null };
  epoch: number | "kernel" | null;
  /** Whose accesses they are: whom the record names, agent `all`, or by thread; other threads are the CPU. */
  agent: "trace" | { all: number } | { threads: [thread: number, device: number][] };
  deviceRanges: DeviceRange[];
  ranges: AddressRange[];
  failAlloc: number | null;
}

const THREADS_MAX = 65535;
const COUNT_MAX = 0xffffffff;

function roiOf(value: unknown): Settings["roi"] {
  if (value === undefined) return { from: 0, to: null };
  const pair: unknown = typeof value === "string" ? /^(\d+)-(\d*)$/.exec(value)?.slice(1) : value;
  const [from, to] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : [];
  const first = typeof value === "string" ? Number(from) : from;
  const end = typeof value === "string" ? Number(to === "" ? Infinity : to) : to;
  if (Number.isSafeInteger(first) && (first as number) >= 0 && (end as number) > (first as number))
    return { from: first as number, to: end === Infinity ? null : (end as number) };
  throw new ConfigError("roi", value, "FROM-TO, two numbers of accesses with FROM below TO");
}

function epochOf(value: unknown): Settings["epoch"] {
  if (value === undefined) return null;
  if (value === "kernel" || (Number.isSafeInteger(value) && (value as number) >= 1)) return value as "kernel";
  throw new ConfigError("epoch", value, "a whole number of accesses from 1 on, or kernel");
}

/** A device's number behind an @; 1 if there is none. Throws ConfigError for a device that does not exist. */
function deviceOf(
  field: string,
  value: unknown,
  number: string | number | undefined,
  devices: number,
): number {
  const device = Number(number ?? 1);
  if (Number.isInteger(device) && device >= 1 && device <= devices) return device;
  throw new ConfigError(
    field,
    value,
    devices === 1 ? "device 1, the only one" : `a device from 1 to ${devices}`,
  );
}

function threadsOf(value: unknown, list: readonly unknown[], devices: number): [number, number][] {
  const threads = list.flatMap((item) => {
    const [, first, last = first, number] = /^(\d+)(?:-(\d+))?(?:@(\d+))?$/.exec(String(item)) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to <= THREADS_MAX))
      throw new ConfigError("agent", value, `threads from 0 to ${THREADS_MAX}, such as threads:0-31,64`);
    const device = deviceOf("agent", value, number, devices);
    return Array.from({ length: to - from + 1 }, (_, i): [number, number] => [from + i, device]);
  });
  return [...new Map(threads)].sort(([a], [b]) => a - b);
}

function agentOf(value: unknown, devices: number): Settings["agent"] {
  if (value === undefined || value === "trace") return "trace";
  if (value === "cpu") return { all: 0 };
  const [whole, number] = typeof value === "string" ? (/^device(?:@(\d+))?$/.exec(value) ?? []) : [];
  if (whole !== undefined) return { all: deviceOf("agent", value, number, devices) };
  const listed = typeof value === "string" ? /^threads:(.*)$/.exec(value)?.[1].split(",") : undefined;
  const threads: unknown =
    listed ?? (typeof value === "object" && value !== null && "threads" in value ? value.threads : undefined);
  if (!Array.isArray(threads)) throw new ConfigError("agent", value, "trace, cpu, device or threads:LIST");
  return { threads: threadsOf(value, threads, devices) };
}

function deviceRangesOf(value: unknown, devices: number): DeviceRange[] {
  const field = "deviceRanges";
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigError(field, value, "a list of ranges");
  const ranges = value.map((item: unknown): DeviceRange => {
    const [text, number] =
      typeof item === "string" ? (/^(.*)@(\d+)$/.exec(item)?.slice(1) ?? [item]) : [item];
    const given = typeof item === "string" ? number : (item as { device?: number } | null)?.device;
    return { ...rangeOf(field, text), device: deviceOf(field, item, given as string, devices) };
  });
  return checkDisjoint(field, ranges);
}

function rangesOf(field: string, value: unknown): AddressRange[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigError(field, value, "a list of ranges");
  return checkDisjoint(
    field,
    value.map((item: unknown) => rangeOf(field, item)),
  );
}

/** The fields that have no meaning with managed memory. */
const HMM_FIELDS = ["cluster", "homes"] as const;

/** The fields of a config. */
export const CONFIG_FIELDS: ReadonlySet<string> = new Set<keyof SimulationConfig>([
  "systemMemory",
  "deviceMemory",
  "deviceFrames",
  "devices",
  ...PEER_FIELDS,
  "placement",
  "cluster",
  "prefetch",
  "prefetchFull",
  "evict",
  "reserve",
  "freeBuffer",
  "seed",
  "initial",
  "bound",
  "memoryModel",
  "time",
  "backing",
  "skip",
  "roi",
  "epoch",
  "agent",
  "deviceRanges",
  "ranges",
  "failAlloc",
  ...MANAGED_FIELDS,
]);

/** Returns the part of some fields that is a simulation's config. */
export function simulationFields(fields: object): SimulationConfig {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => CONFIG_FIELDS.has(field)));
}

/** Returns the fields that depend on the memory model. */
function memoryOf(
  config: SimulationConfig,
  devices: number,
): Pick<Settings, "placement" | "memoryModel" | "managed"> {
  const memoryModel = choiceOf<MemoryModel>("memoryModel", config.memoryModel, MEMORY_MODELS, "hmm");
  if (memoryModel === "managed") {
    const other = HMM_FIELDS.find((name) => config[name] !== undefined);
    if (other !== undefined) throw new ConfigError(other, config[other], "memoryModel hmm, which has it");
    const managed = managedOf(config, devices);
    return { placement: managed.placement, memoryModel, managed };
  }
  const field = MANAGED_FIELDS.find((name) => config[name] !== undefined);
  if (field !== undefined) throw new ConfigError(field, config[field], "memoryModel managed, which has it");
  const named = placementNamed(config.placement);
  const placement = choiceOf<keyof typeof PLACEMENTS>("placement", named, PLACEMENTS, "migrate");
  if (!isBaseline(placement)) return { placement, memoryModel, managed: null };
  if (devices > 1) throw new ConfigError("devices", devices, `one device with placement ${placement}`);
  const { failAlloc } = config;
  return { placement, memoryModel, managed: managedOf({ placement, failAlloc }, 1) };
}

/** Returns what moves, and how much memory there is. Managed memory has names of its own for what moves. */
function pagingFor(config: SimulationConfig): PagingSettings {
  const managed = config.memoryModel === "managed";
  if (!managed && !isBaseline(config.placement)) return pagingOf(config as PagingConfig);
  const { deviceMemory, deviceFrames, reserve, freeBuffer, seed, initial, bound } = config;
  const chosen = managedEvict(config);
  const byPages = managed && chosen !== "lrm";
  const policy = {
    evict: byPages ? (chosen as Evict) : undefined,
    reserve,
    freeBuffer,
    seed,
    initial,
    bound,
  };
  const own = { deviceMemory, deviceFrames, cluster: "4K", prefetch: "none", ...policy } as const;
  const paging = pagingOf(managed ? own : (config as PagingConfig));
  if (managed && !byPages && reserve !== undefined)
    throw new ConfigError("reserve", reserve, "an evict with an order of use, such as lru-2m; not lrm");
  if (!byPages && paging.deviceMemory < BLOCK_BYTES)
    throw new ConfigError(
      deviceFrames === undefined ? "deviceMemory" : "deviceFrames",
      deviceFrames ?? deviceMemory,
      `at least 2MiB with ${managed ? "managed memory" : `placement ${String(config.placement)}`}`,
    );
  return paging;
}

/**
 * Checks a config and fills in what it leaves out. Throws ConfigError for a field that does not exist, or
 * whose value cannot be.
 */
export function settingsOf(given: SimulationConfig): Settings {
  if (typeof given !== "object" || given === null) throw new TypeError("config: expected an object");
  const unknown = Object.keys(given).find((field) => !CONFIG_FIELDS.has(field));
  if (unknown !== undefined)
    throw new ConfigError(
      unknown,
      (given as Record<string, unknown>)[unknown],
      `one of ${[...CONFIG_FIELDS].join(", ")}`,
    );
  const time = timeModelOf(given.time);
  const config = withMachine(given, time);
  if (config.evict === "opt" && config.skip !== undefined)
    throw new ConfigError("evict", config.evict, "no skip: OPT looks ahead from the first access");
  if (config.bound !== undefined && (config.skip !== undefined || config.roi !== undefined))
    throw new ConfigError("bound", config.bound, "neither skip nor roi: a bound is on the whole run");
  const devices = countOf("devices", config.devices ?? 1, 1, REPLAY_AGENTS_MAX - 1);
  const memory = memoryOf(config, devices);
  const paging = pagingFor(config);
  if (devices > 1 && paging.bound !== null)
    throw new ConfigError("bound", config.bound, "one device: a bound is on its memory");
  if (devices > 1 && paging.evict === "opt")
    throw new ConfigError("evict", paging.evict, "one device: OPT knows the accesses to come of one memory");
  return {
    systemMemory: sizeOf("systemMemory", config.systemMemory, 2 ** 30),
    devices,
    ...paging,
    ...memory,
    ...peerSettingsOf(config, devices, memory),
    time,
    backing: choiceOf("backing", config.backing, BACKINGS, "data"),
    skip: countOf("skip", config.skip ?? 0, 0),
    roi: roiOf(config.roi),
    epoch: epochOf(config.epoch),
    agent: agentOf(config.agent, devices),
    deviceRanges: deviceRangesOf(config.deviceRanges, devices),
    ranges: rangesOf("ranges", config.ranges),
    failAlloc: config.failAlloc === undefined ? null : countOf("failAlloc", config.failAlloc, 1, COUNT_MAX),
  };
}
