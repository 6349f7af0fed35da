/** `heteromem curve`: what demand paging would miss of a trace or a workload, at every size of memory. */
import { ConfigError, missCurve, type MissCurve } from "../sim.ts";
import { configError, type Configured } from "./config.ts";
import { UserError } from "./errors.ts";
import { TraceInput } from "./input.ts";
import { demandInput, openInput } from "./open-input.ts";
import { Progress } from "./progress.ts";
import { bytes, count, percent } from "./words.ts";

/** The name of the form that --json prints. */
const CURVE_SCHEMA = "heteromem-curve/1";
const COLUMN = 14;

/** How the curve is printed, and at which sizes OPT is computed. */
export interface CurveOptions {
  opt: readonly string[];
  json: boolean;
  quiet: boolean;
}

/** Runs the command. Throws UserError, and then has printed nothing to stdout. */
export async function curve(configured: Configured, { opt, json, quiet }: CurveOptions): Promise<void> {
  const { config, nameOf } = configured;
  demandInput(config);
  const file = config.trace === undefined ? null : await TraceInput.open(config.trace);
  const progress = new Progress(file, quiet);
  const input = await openInput(configured, file);
  const { agent, deviceRanges, cluster } = config;
  let found: MissCurve;
  try {
    const onProgress = (): void => progress.update(input.counts().lines);
    found = await missCurve(input.source, { agent, deviceRanges, cluster, opt }, { onProgress });
  } catch (error) {
    if (error instanceof ConfigError) throw configError(error, nameOf);
    throw new UserError(`${input.name}: ${input.explain(error)}`);
  } finally {
    progress.stop();
    file?.close();
  }
  if (found.accesses === 0)
    throw new UserError(
      `${input.name}: the device accesses nothing; --agent device makes all accesses its own`,
    );
  const printed = json ? JSON.stringify({ schema: CURVE_SCHEMA, ...found }, null, 2) : formatCurve(found);
  process.stdout.write(`${printed}\n`);
}

/**
 * Returns the curve as a table: at powers of two, at the size from which everything fits, and OPT's sizes.
 */
function formatCurve({ cluster, accesses, clusters, lru, opt }: MissCurve): string {
  const sizes = [clusters];
  for (let size = 1; size < clusters; size *= 2) sizes.push(size);
  const optAt = new Map(opt.map(({ bytes, misses }) => [Math.floor(bytes / cluster), misses]));
  const all = [...new Set([...sizes, ...optAt.keys()])].sort((a, b) => a - b);
  const line = (cells: readonly string[]): string => cells.map((cell) => cell.padStart(COLUMN)).join("");
  const headings = ["memory", "LRU misses", "of accesses"];
  const rows = all.map((size) => {
    const misses = lru[Math.min(size, clusters)];
    const best = optAt.get(size);
    const cells = [bytes(size * cluster), count(misses), percent(misses, accesses)];
    return line(best === undefined ? cells : [...cells, count(best), percent(best, accesses)]);
  });
  return [
    `${count(accesses)} accesses of the device to ${count(clusters)} clusters of ${bytes(cluster)}`,
    "",
    line(opt.length === 0 ? headings : [...headings, "OPT misses", "of accesses"]),
    ...rows,
  ].join("\n");
}
