/** Miss curves: what LRU misses at every size of memory, and OPT at some. */
import { optMisses } from "./bound.ts";
import type { Agent, RangeConfig } from "./config.ts";
import type { Size } from "./config-values.ts";
import { settingsOf } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { forEachReference } from "./first-pass.ts";
import { References } from "./policies/references.ts";
import { StackDistances } from "./policies/stack-distances.ts";
import type { SimulateOptions } from "./simulate-options.ts";
import { parseBytes } from "./size.ts";
import type { Blocks, RecordSource } from "./source.ts";

/** Whose accesses a curve is of, and in which units. */
export interface CurveConfig {
  /** Who makes the accesses, as in SimulationConfig. Default: trace. */
  agent?: Agent | undefined;
  deviceRanges?: readonly RangeConfig[] | undefined;
  /** What comes in at a miss: "4K" or "64K". Default: 4K. */
  cluster?: Size | undefined;
  /** Sizes of memory, at least a cluster each, for which OPT's misses are computed. Default: none. */
  opt?: readonly Size[] | undefined;
}

/** What the device's accesses would miss under demand paging. */
export interface MissCurve {
  /** Bytes of a cluster. */
  cluster: number;
  /** The device's accesses to clusters: an access counts for each cluster that it touches. */
  accesses: number;
  /** The clusters that it touches. */
  clusters: number;
  /** LRU's misses by the number of clusters that have room, from 0 to all of them. */
  lru: number[];
  opt: { bytes: number; misses: number }[];
}

function sizeOf(value: Size, cluster: number): number {
  const bytes = typeof value === "string" ? parseBytes(value) : value;
  if (Number.isSafeInteger(bytes) && bytes >= cluster) return bytes;
  throw new ConfigError("opt", value, `a size from ${cluster / 1024}KiB on, such as 64MiB`);
}

/**
 * Returns the miss curve of the device's accesses of a source, in one pass. OPT keeps the accesses in
 * memory: 8 bytes for each time that the cluster changes. Throws ConfigError, what the source throws, and
 * the reason of a signal that is aborted.
 */
export async function missCurve(
  source: RecordSource | Blocks,
  { opt = [], cluster: unit = "4K", ...whose }: CurveConfig = {},
  options: SimulateOptions = {},
): Promise<MissCurve> {
  const config = { ...whose, cluster: unit };
  const { cluster } = settingsOf(config);
  const sizes = opt.map((size) => sizeOf(size, cluster));
  const distances = new StackDistances();
  const references = new References();
  const visit = (unit: number): void => {
    distances.add(unit);
    if (sizes.length > 0) references.add(unit);
  };
  await forEachReference(source, config, visit, options);
  return {
    cluster,
    accesses: distances.accesses,
    clusters: distances.units,
    lru: [...distances.misses()],
    opt: sizes.map((bytes) => ({ bytes, misses: optMisses(references, Math.floor(bytes / cluster)) })),
  };
}
