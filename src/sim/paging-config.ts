/** The fields of a config that say how memory moves: units, prefetch, eviction. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { CLUSTER_SIZE } from "./cluster.ts";
import { ConfigError } from "./config-error.ts";
import { choiceOf, countOf, sizeOf, type Size } from "./config-values.ts";
import { BOUNDS, INITIALS, type Bound, type Evict, type Initial, type Prefetch } from "./names.ts";
import { chosen, namesOf, type Choice } from "./policies/choice.ts";
import type { EvictPolicy } from "./policies/evict/evictor.ts";
import { EVICTORS } from "./policies/evict/index.ts";
import { PREFETCHERS } from "./policies/prefetch/index.ts";
import { parseBytes } from "./size.ts";

/** How memory moves, as users write it. */
export interface PagingConfig {
  /** The device's memory: whole pages, at least 64 KiB. Default: 256 MiB. */
  deviceMemory?: Size | undefined;
  /** The device's memory in frames of 4 KiB, in place of deviceMemory: at least one cluster. */
  deviceFrames?: number | undefined;
  /** What moves together, in and out: "4K" or "64K". Default: 64K with prefetch cluster64K, else 4K. */
  cluster?: Size | undefined;
  /** What moves along with a cluster that faulted. Default: cluster64K. */
  prefetch?: Prefetch | undefined;
  /**
   * What moves along once the device's memory was full: from the fault after the first one that did not fit.
   * Default: as before.
   */
  prefetchFull?: Prefetch | undefined;
  /** What makes room on the device: a policy's name, or a policy of your own. Default: lru. */
  evict?: Evict | EvictPolicy | undefined;
  /**
   * For policies that keep an order of use: the percent of it, from its oldest end on, that is no victim, 0
   * to 99. Default: 0.
   */
  reserve?: number | undefined;
  /** The percent of the device's memory that evictions keep free, 0 to 99. Default: 0. */
  freeBuffer?: number | undefined;
  /** For policies that draw random numbers. Default: 1. */
  seed?: number | undefined;
  /** Where pages lie that nobody has touched. Default: none. */
  initial?: Initial | undefined;
  /** A bound that the report states beside what happened. Default: none. */
  bound?: Bound | undefined;
}

/** How memory moves, checked. */
export interface PagingSettings {
  deviceMemory: number;
  /** Bytes that move together: a page, or 64 KiB. */
  cluster: number;
  prefetch: Prefetch;
  /** What prefetches once memory was full. */
  prefetchFull: Prefetch;
  /** The policy's name, with its number; "custom" for a user's own. */
  evict: Evict | "custom";
  /** The user's own policy; null: `evict` names it. A snapshot does not keep it. */
  custom: EvictPolicy | null;
  /** In percent. */
  reserve: number;
  freeBuffer: number;
  seed: number;
  initial: Initial;
  bound: Bound | null;
}

const FRAMES_MAX = 2 ** 27;

function clusterOf(value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  const bytes = typeof value === "string" ? parseBytes(value) : value;
  if (bytes === PAGE_SIZE || bytes === CLUSTER_SIZE) return bytes;
  throw new ConfigError("cluster", value, "4K or 64K");
}

/** Returns the bytes of device memory that the config asks for, by either of its two fields. */
function deviceMemoryOf({ deviceMemory, deviceFrames }: PagingConfig, cluster: number): number {
  if (deviceFrames === undefined) return sizeOf("deviceMemory", deviceMemory, 2 ** 28);
  if (deviceMemory !== undefined)
    throw new ConfigError(
      "deviceFrames",
      deviceFrames,
      "no deviceMemory beside it: both say how much there is",
    );
  return countOf("deviceFrames", deviceFrames, cluster / PAGE_SIZE, FRAMES_MAX) * PAGE_SIZE;
}

function prefetchOf(field: "prefetch" | "prefetchFull", value: unknown, fallback: Prefetch): Prefetch {
  if (value === undefined) return fallback;
  if (typeof value === "string" && chosen(value, PREFETCHERS) !== null) return value as Prefetch;
  throw new ConfigError(field, value, namesOf(PREFETCHERS).join(" or "));
}

/** Checks what makes room. Throws ConfigError. */
function evictOf(value: unknown): Pick<PagingSettings, "evict" | "custom"> {
  if (value === undefined) return { evict: "lru", custom: null };
  if (typeof value === "string" && chosen(value, EVICTORS) !== null)
    return { evict: value as Evict, custom: null };
  const { about, uses, create } = (typeof value === "object" ? (value ?? {}) : {}) as Partial<EvictPolicy>;
  const whole = typeof about === "string" && (uses === "none" || uses === "all");
  if (whole && typeof create === "function") return { evict: "custom", custom: value as EvictPolicy };
  throw new ConfigError("evict", value, `${namesOf(EVICTORS).join(" or ")}, or an EvictPolicy`);
}

/** Whether the core keeps the order of use: plain `lru`. */
export function isCoreLru({ evict, reserve }: Pick<PagingSettings, "evict" | "reserve">): boolean {
  return evict === "lru" && reserve === 0;
}

/** Returns the policy that makes room. Throws TypeError for one of the user's own that is not given again. */
export function evictorOf({ evict, custom }: Pick<PagingSettings, "evict" | "custom">): Choice<EvictPolicy> {
  const choice =
    custom === null ? chosen<EvictPolicy>(evict, EVICTORS) : { policy: custom, parameter: undefined };
  if (choice === null) throw new TypeError(`evict ${evict}: expected the policy that the simulation had`);
  return choice;
}

/** Checks the reserve: only policies with an order of use have one. */
function reserveOf(value: unknown, policy: EvictPolicy | undefined, evict: string): number {
  const reserve = countOf("reserve", value ?? 0, 0, 99);
  if (reserve === 0 || policy?.reserves === true) return reserve;
  const able = Object.entries<EvictPolicy>(EVICTORS).filter(([, { reserves }]) => reserves === true);
  const names = able.map(([name]) => name).join(" or ");
  throw new ConfigError("reserve", value, `evict ${names}, which keeps an order of use; not ${evict}`);
}

/** Checks the fields, and fills in what they leave out. Throws ConfigError. */
export function pagingOf(config: PagingConfig): PagingSettings {
  const prefetch = prefetchOf("prefetch", config.prefetch, "cluster64K");
  const cluster = clusterOf(config.cluster, prefetch === "cluster64K" ? CLUSTER_SIZE : PAGE_SIZE);
  const { evict, custom } = evictOf(config.evict);
  const policy = custom ?? chosen<EvictPolicy>(evict, EVICTORS)?.policy;
  const prefetchFull = prefetchOf("prefetchFull", config.prefetchFull, prefetch);
  if (evict === "lru-4k" && cluster !== PAGE_SIZE)
    throw new ConfigError("evict", evict, "cluster 4K: what moves together leaves together");
  if (evict === "opt" && (prefetch !== "none" || prefetchFull !== "none"))
    throw new ConfigError("evict", evict, "prefetch none: OPT is demand paging");
  return {
    deviceMemory: deviceMemoryOf(config, cluster),
    cluster,
    prefetch,
    prefetchFull,
    evict,
    custom,
    reserve: reserveOf(config.reserve, policy, evict),
    freeBuffer: countOf("freeBuffer", config.freeBuffer ?? 0, 0, 99),
    seed: countOf("seed", config.seed ?? 1, 0, 2 ** 32 - 1),
    initial: choiceOf("initial", config.initial, INITIALS, "none"),
    bound: config.bound === undefined ? null : choiceOf("bound", config.bound, BOUNDS, "opt"),
  };
}
