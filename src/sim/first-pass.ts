/** A pass over a source without a simulation: which units the device accesses, in order. */
import { settingsOf, type SimulationConfig } from "./config.ts";
import { forEachUnit, References } from "./policies/references.ts";
import { Selection } from "./selection.ts";
import { check, type SimulateOptions } from "./simulate-options.ts";
import { blockOf, type Blocks, type RecordSource } from "./source.ts";

/**
 * Calls `visit` for each cluster (the config's `cluster`) that the device's accesses touch, in order, for
 * all records of a source. The config says whose accesses are the device's. Throws ConfigError, what the
 * source throws, and as {@link simulate} where a signal is aborted. Returns how many records there were.
 */
export async function forEachReference(
  source: RecordSource | Blocks,
  config: SimulationConfig,
  visit: (unit: number) => void,
  { onProgress, signal }: SimulateOptions = {},
): Promise<number> {
  const settings = settingsOf(config);
  const selection = Selection.of(settings);
  let done = 0;
  check(signal);
  for await (const block of "blocks" in source ? source.blocks() : source) {
    const { records } = blockOf(block);
    const n = records.length / 2;
    const copy = selection === null ? records : records.slice();
    const words = new Uint32Array(copy.buffer, copy.byteOffset, 4 * n);
    selection?.apply(words, n);
    forEachUnit(words, n, settings.cluster, visit);
    done += n;
    onProgress?.({ records: done, accesses: done });
    check(signal);
  }
  return done;
}

/**
 * Returns the device's accesses of a source, for the policy `opt`, which looks ahead: 8 bytes of memory for
 * each time that the cluster changes. Throws as {@link forEachReference}.
 */
export async function referencesOf(
  source: RecordSource | Blocks,
  config: SimulationConfig = {},
  options: SimulateOptions = {},
): Promise<References> {
  const references = new References();
  await forEachReference(source, config, (unit) => references.add(unit), options);
  return references;
}
