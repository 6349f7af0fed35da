/**
 * The fields of a config that belong to the memory model `managed`: NVIDIA's driver and a parallel device.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { ConfigError } from "./config-error.ts";
import { choiceOf, countOf } from "./config-values.ts";
import { ADVISE } from "./driver/advise.ts";
import { DEVICE_DEFAULTS, type ReplayPolicy } from "./driver/parallel-device.ts";
import { CPU } from "./driver/processor.ts";
import { placementNamed, PLACEMENTS, PREFETCHERS, type Evict } from "./names.ts";
import { pagingOf } from "./paging-config.ts";
import { REMOTE_PENALTY, REMOTE_THRESHOLD, type RemoteReads } from "./policies/adaptive.ts";
import { prefetcherByFault } from "./policies/block-prefetch.ts";
import { chosen } from "./policies/choice.ts";
import { bigPagePrefetcher, densityPrefetcher, noPrefetcher, type Prefetcher } from "./policies/density.ts";
import { COUNTER_THRESHOLD } from "./policies/access-counters.ts";
import type { PrefetchPolicy } from "./policies/prefetch/prefetcher.ts";
import { sequential } from "./policies/prefetch/sequential.ts";
import { tbn } from "./policies/prefetch/tbn.ts";

/** What a device fault does, under the memory model `managed`, where the program advises nothing else. */
export const MANAGED_PLACEMENTS = {
  migrate: "moves the page to the device, with what is prefetched",
  mirror: "leaves the page in RAM, where the device accesses it over its link",
  counters: "as mirror, until the device's access counters move what it accesses often",
  adaptive: "a read stays remote until its 64 KiB were used often enough, as UVM-Smart does it",
  smart: "migrates, until UVM-Smart's runtime finds a pattern that calls for remote reads",
  explicit: PLACEMENTS.explicit,
  resident: PLACEMENTS.resident,
} as const;

/** Whether a placement is a baseline, which has no memory model: nothing faults. */
export function isBaseline(placement: unknown): placement is "explicit" | "resident" {
  return placement === "explicit" || placement === "resident";
}

/** What moves along with a page that faulted, under the memory model `managed`. */
export const MANAGED_PREFETCHERS = {
  none: "nothing",
  sl: "the rest of the aligned 64 KiB",
  tbn: PREFETCHERS.tbn,
  "sequential:N": "the next N pages of the 2 MiB block",
  "density:N": "the largest part of the 2 MiB block around the page of which more than N percent are there",
} as const;

/** A prefetcher's name, with its number. */
export type ManagedPrefetch =
  "none" | "sl" | "tbn" | "sequential" | `sequential:${number}` | `density:${number}`;

/** What makes room on the device, under the memory model `managed` alone. */
export const MANAGED_EVICTIONS = {
  lrm: "the block of 2 MiB that was migrated longest ago goes to RAM",
} as const;

/** Whether the driver looks for thrashing. */
const THRASHING = { on: "it does", off: "it does not" } as const;

/** Which threads the device's accesses are of. */
export type ManagedThreads = "trace" | "one" | `split:${number}`;
const ITERATIONS_MAX = 65_535;

/** The iterations a thread that `split:N` names; undefined for other choices. */
export function iterationsOf(threads: ManagedThreads): number | undefined {
  const digits = /^split:(\d{1,5})$/.exec(threads)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function threadsOf(value: unknown = "trace"): ManagedThreads {
  if (value === "trace" || value === "one") return value;
  const n = typeof value === "string" ? (iterationsOf(value as ManagedThreads) ?? 0) : 0;
  if (n >= 1 && n <= ITERATIONS_MAX) return value as ManagedThreads;
  throw new ConfigError(
    "deviceThreads",
    value,
    `trace or one or split:N, with N from 1 to ${ITERATIONS_MAX}`,
  );
}

/** What can be advised about a range, by name: the advice, and the processor that it is about. */
const ADVICE: Readonly<Record<string, readonly [advice: number, p: number]>> = {
  "read-mostly": [ADVISE.setReadMostly, CPU],
  "preferred-cpu": [ADVISE.setPreferredLocation, CPU],
  "preferred-device": [ADVISE.setPreferredLocation, 1],
  "accessed-by-cpu": [ADVISE.setAccessedBy, CPU],
  "accessed-by-device": [ADVISE.setAccessedBy, 1],
};

/** The names of advice. */
export const ADVICE_NAMES: readonly string[] = Object.keys(ADVICE);

/** Advice about devices names one of them: the first, unless "@N" follows. */
const ABOUT_DEVICES = /^(preferred|accessed-by)-device$/;

/** Advice about each range of a name. */
export interface NamedAdvice {
  name: string;
  advice: number;
  p: number;
}

/** The fields, as users write them. */
export interface ManagedConfig {
  /**
   * Advice about named ranges: "NAME=ADVICE", or about another device than the first "NAME=ADVICE@N".
   * Default: none but the trace's own.
   */
  advise?: readonly string[] | undefined;
  /** Whether the driver looks for thrashing. Default: on. */
  thrashing?: "on" | "off" | undefined;
  /** Remote accesses to 2 MiB at which access counters migrate, 1 to 65,535. Default: 256. */
  counterThreshold?: number | undefined;
  /** With placement adaptive: when a read brings its page. Default: adaptive. */
  remoteReads?: RemoteReads | undefined;
  /** With placement adaptive: the factor of its threshold once memory was full, 1 to 65,535. Default: 8. */
  remotePenalty?: number | undefined;
  /**
   * Which threads the device's accesses are of: `trace`, those that the records name; `one`, one thread makes
   * them all; `split:N`, those of a serial loop, N iterations a thread. Default: trace.
   */
  deviceThreads?: ManagedThreads | undefined;
  /** The device's streaming multiprocessors, 1 to 1,024; two neighbors share a µTLB. Default: 80. */
  sms?: number | undefined;
  /** Faults that a µTLB has outstanding, 1 to 1,024. Default: 56. */
  outstanding?: number | undefined;
  /** When the driver replays faults. Default: batch-flush. */
  replay?: ReplayPolicy | undefined;
  /**
   * When the driver fetches faults: `complete`, when no warp can go on; `timed`, as soon as something has
   * faulted, and the device goes on meanwhile. Default: complete.
   */
  fetch?: "complete" | "timed" | undefined;
  /** How far apart events of a page that thrashes are, in microseconds, 1 to 1,000,000. Default: 500. */
  thrashingLapse?: number | undefined;
  /**
   * How many orders of warps are run, 1 to 64; the report has each count's least, median and most. Default:
   * 1.
   */
  schedules?: number | undefined;
}

/** The fields, checked. */
export interface ManagedSettings {
  placement: keyof typeof MANAGED_PLACEMENTS;
  prefetch: ManagedPrefetch;
  /** What prefetches once memory was full. */
  prefetchFull: ManagedPrefetch;
  /** A policy's name, with its number; "custom": the settings have a user's own. */
  evict: keyof typeof MANAGED_EVICTIONS | Evict | "custom";
  advise: NamedAdvice[];
  thrashing: boolean;
  counterThreshold: number;
  remoteReads: RemoteReads;
  remotePenalty: number;
  deviceThreads: ManagedThreads;
  sms: number;
  outstanding: number;
  replay: ReplayPolicy;
  fetch: "complete" | "timed";
  thrashingLapse: number;
  schedules: number;
}

/** The fields' names: they have no meaning under another memory model. */
export const MANAGED_FIELDS: readonly (keyof ManagedConfig)[] = [
  "advise",
  "thrashing",
  "counterThreshold",
  "remoteReads",
  "remotePenalty",
  "deviceThreads",
  "sms",
  "outstanding",
  "replay",
  "fetch",
  "thrashingLapse",
  "schedules",
];

/** When a read brings its page, with placement adaptive. */
const REMOTE_READS = {
  adaptive: "by a threshold that grows with occupancy, and with round trips once memory was full",
  always: "at the threshold",
  oversubscribed: "at once until memory was full, then at the threshold",
} as const;

/** When the driver replays faults, and when it fetches them. */
const REPLAYS = {
  "batch-flush": "after each batch, and discards all other faults",
  batch: "after each batch",
  block: "after each block of 2 MiB",
  once: "after as many batches as there are, 20 at most",
} as const;
const FETCHES = {
  complete: "when no warp can go on",
  timed: "as soon as something has faulted; the device goes on during the service",
} as const;

/** The number of a `density:N`, a whole one from 0 to 100; NaN for other texts. */
function densityOf(text: string): number {
  const digits = /^density:(\d{1,3})$/.exec(text)?.[1];
  const threshold = digits === undefined ? NaN : Number(digits);
  return threshold <= 100 ? threshold : NaN;
}

/** The prefetchers that look at one fault. */
const BY_FAULT = { tbn, sequential } as const;

/** Returns the prefetcher of a checked name. */
export function prefetcherOf(name: ManagedPrefetch): Prefetcher {
  if (name === "none") return noPrefetcher;
  if (name === "sl") return bigPagePrefetcher;
  const choice = chosen<PrefetchPolicy>(name, BY_FAULT);
  return choice === null
    ? densityPrefetcher(densityOf(name))
    : prefetcherByFault(choice.policy, choice.parameter);
}

function prefetchOf(field: string, value: unknown): ManagedPrefetch {
  if (value === "none" || value === "sl") return value;
  if (typeof value === "string" && (chosen(value, BY_FAULT) !== null || !Number.isNaN(densityOf(value))))
    return value as ManagedPrefetch;
  throw new ConfigError(field, value, `${Object.keys(MANAGED_PREFETCHERS).join(" or ")} with managed memory`);
}

/** Checks what makes room: `lrm`, or a policy by pages. OPT is demand paging, which this is not. */
function evictOf(value: unknown, placement: unknown): ManagedSettings["evict"] {
  if (value === "lrm" && placement === "smart")
    throw new ConfigError("evict", value, "a policy by pages with placement smart, such as lru-2m");
  if (value === "lrm") return value;
  if (value === "opt")
    throw new ConfigError("evict", value, "memoryModel hmm: OPT is demand paging, without batches");
  try {
    return pagingOf({ evict: value as Evict, cluster: PAGE_SIZE, prefetch: "none" }).evict;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError("evict", value, `lrm or ${error.expected}`);
  }
}

function adviseOf(value: unknown, devices: number): NamedAdvice[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigError("advise", value, "a list of NAME=ADVICE");
  return value.map((item: unknown) => {
    const [, name, what, number = "1"] = /^(.+)=([a-z-]+)(?:@(\d))?$/.exec(String(item)) ?? [];
    const device = Number(number);
    const numbered = String(item).includes("@", String(name).length) && !ABOUT_DEVICES.test(what);
    if (name === undefined || !Object.hasOwn(ADVICE, what) || numbered || device < 1 || device > devices)
      throw new ConfigError(
        "advise",
        item,
        `NAME=ADVICE, with ${ADVICE_NAMES.join(", ")}${ofDevices(devices)}`,
      );
    const [advice, p] = ADVICE[what];
    return { name, advice, p: p === CPU ? CPU : device };
  });
}

function ofDevices(devices: number): string {
  return devices === 1 ? "" : `; of devices @N, from 1 to ${devices}`;
}

/** What a config has beside the fields of managed memory, where they concern it. */
interface Other {
  placement?: unknown;
  prefetch?: unknown;
  prefetchFull?: unknown;
  evict?: unknown;
  failAlloc?: unknown;
}

/** Returns what makes room by a config's words: by default the driver's policy, or UVM-Smart's. */
export function managedEvict({ evict, placement }: Pick<Other, "evict" | "placement">): unknown {
  return evict ?? (placement === "smart" ? "lru-2m" : "lrm");
}

/** Throws ConfigError for thresholds that the placement does not have. */
function checkRemote(config: ManagedConfig, placement: unknown): void {
  const { counterThreshold, remoteReads, remotePenalty } = config;
  if (counterThreshold !== undefined && placement !== "counters" && placement !== "adaptive")
    throw new ConfigError(
      "counterThreshold",
      counterThreshold,
      "placement counters or adaptive, which have it",
    );
  if (placement === "adaptive") return;
  for (const [name, value] of Object.entries({ remoteReads, remotePenalty }))
    if (value !== undefined) throw new ConfigError(name, value, "placement adaptive, which has it");
}

/** The placements that are about several devices, too: the others follow papers and programs with one. */
const FOR_DEVICES: readonly unknown[] = ["migrate", "mirror", "counters"];

/** Returns the checked fields of a config with the memory model `managed`. Throws ConfigError. */
export function managedOf(config: ManagedConfig & Other, devices: number): ManagedSettings {
  if (config.failAlloc !== undefined)
    throw new ConfigError("failAlloc", config.failAlloc, "no failing allocation with managed memory");
  const placement = placementNamed(config.placement);
  checkRemote(config, placement);
  const smart = placement === "smart";
  if (smart && config.prefetchFull !== undefined)
    throw new ConfigError("prefetchFull", config.prefetchFull, "one prefetcher with placement smart");
  const what = choiceOf<ManagedSettings["placement"]>("placement", placement, MANAGED_PLACEMENTS, "migrate");
  if (devices > 1 && !FOR_DEVICES.includes(what))
    throw new ConfigError("devices", devices, `one device with placement ${what}`);
  const prefetch = prefetchOf("prefetch", config.prefetch ?? (smart ? "tbn" : "density:51"));
  const threshold = placement === "adaptive" ? REMOTE_THRESHOLD : COUNTER_THRESHOLD;
  return {
    placement: what,
    prefetch,
    prefetchFull: prefetchOf("prefetchFull", config.prefetchFull ?? prefetch),
    evict: evictOf(managedEvict(config), placement),
    advise: adviseOf(config.advise, devices),
    thrashing: choiceOf("thrashing", config.thrashing, THRASHING, "on") === "on",
    counterThreshold: countOf("counterThreshold", config.counterThreshold ?? threshold, 1, 65535),
    remoteReads: choiceOf("remoteReads", config.remoteReads, REMOTE_READS, "adaptive"),
    remotePenalty: countOf("remotePenalty", config.remotePenalty ?? REMOTE_PENALTY, 1, 65535),
    deviceThreads: threadsOf(config.deviceThreads),
    sms: countOf("sms", config.sms ?? DEVICE_DEFAULTS.sms, 1, 1024),
    outstanding: countOf("outstanding", config.outstanding ?? DEVICE_DEFAULTS.outstanding, 1, 1024),
    replay: choiceOf<ReplayPolicy>("replay", config.replay, REPLAYS, "batch-flush"),
    fetch: choiceOf<"complete" | "timed">("fetch", config.fetch, FETCHES, "complete"),
    thrashingLapse: countOf("thrashingLapse", config.thrashingLapse ?? 500, 1, 1_000_000),
    schedules: countOf("schedules", config.schedules ?? 1, 1, 64),
  };
}
