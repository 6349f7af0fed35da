/** `heteromem results` and `heteromem merge`: what the jobs of a sweep gave. */
import { relative, resolve } from "node:path";
import { sweepHtml } from "../../report/sweep-html.ts";
import { SweepError } from "../../sweep/error.ts";
import { mergeResults, readManifest, sweepId, writeManifest, type Manifest } from "../../sweep/manifest.ts";
import { sweepPicture } from "../../sweep/picture.ts";
import type { RunFields } from "../../sweep/spec.ts";
import { readResults, type ResultRow, type Results } from "../../sweep/rows.ts";
import { JobStore, statusOf } from "../../sweep/store.ts";
import { csvText, flatRows, tableText } from "../../sweep/tables.ts";
import { JOBS_FAILED, PARTIAL } from "../exit.ts";
import { OutputFile } from "../output.ts";
import { commandOf } from "../command-line.ts";
import { bytes, count, duration } from "../words.ts";
import { reasons } from "./failures.ts";
import { withFiles } from "./files.ts";
import { pointText } from "./plan.ts";

/** What `heteromem results` is asked for. */
export interface ResultsFlags {
  csv?: true;
  json?: true;
  html?: string;
  config?: string;
}

/** The config with its files named from where the command runs. */
function fromHere(folder: string, config: RunFields): RunFields {
  return withFiles(config, (path) => relative(process.cwd(), resolve(folder, path)) || ".");
}

/** The command that runs a job again. A model that the sweep has changed comes by a config. */
function rerun(dir: string, { folder }: Manifest, { id, config }: ResultRow): string {
  if (typeof config.time === "object")
    return `heteromem results ${dir} --config ${id.slice(0, 12)} | heteromem run --config /dev/stdin`;
  return commandOf(fromHere(folder, config));
}

/** The config of the one job whose id begins like this. Throws SweepError. */
function configOf({ manifest, rows }: Results, start: string): string {
  const found = rows.filter(({ id }) => id.startsWith(start));
  if (new Set(found.map(({ id }) => id)).size !== 1)
    throw new SweepError(
      `--config ${start}: expected the beginning of one job's id; ${found.length} have it`,
    );
  return JSON.stringify(fromHere(manifest.folder, found[0].config), null, 2);
}

/** The exit code of what is there. */
function codeOf({ failed, missing }: { failed: number; missing: number }): number {
  if (missing > 0) return PARTIAL;
  return failed > 0 ? JOBS_FAILED : 0;
}

const written = (value: number, unit: "count" | "bytes" | "ps"): string => {
  if (unit === "ps") return duration(Math.round(value));
  if (unit === "bytes") return bytes(Math.round(value));
  return Number.isInteger(value) ? count(value) : value >= 10 ? count(Math.round(value)) : value.toFixed(2);
};

/** Prints the results of a directory, or writes their page. Returns the exit code. */
export function results(dir: string, flags: ResultsFlags): number {
  const found = readResults(dir);
  const { counts } = found;
  if (flags.config !== undefined) {
    process.stdout.write(`${configOf(found, flags.config)}\n`);
    return 0;
  }
  if (flags.html !== undefined) {
    const file = OutputFile.open(flags.html, null);
    const picture = sweepPicture(found, (row) => rerun(dir, found.manifest, row));
    file.write(new TextEncoder().encode(sweepHtml(picture)));
    file.close();
  } else if (flags.csv === true) process.stdout.write(csvText(found));
  else if (flags.json === true) process.stdout.write(`${JSON.stringify(flatRows(found))}\n`);
  else {
    process.stdout.write(`${tableText(found, written)}\n`);
    process.stdout.write(reasons(found.rows.map(({ error }) => error)));
  }
  if (counts.missing > 0 || counts.failed > 0)
    process.stderr.write(
      `heteromem: ${dir}: ${count(counts.missing)} missing, ${count(counts.failed)} failed\n`,
    );
  return codeOf(counts);
}

/** Missing jobs that are named, at most. */
const NAMED = 10;

/**
 * Joins directories of one sweep, as shards leave them, in `out`, and says what is missing. Returns the exit
 * code. Throws SweepError for directories of different sweeps.
 */
export async function merge(dirs: readonly string[], out: string): Promise<number> {
  const manifests = dirs.map(readManifest);
  const other = manifests.findIndex((manifest) => sweepId(manifest) !== sweepId(manifests[0]));
  if (other > 0) throw new SweepError(`${dirs[other]}: another sweep than ${dirs[0]}`);
  const store = new JobStore(out);
  store.open();
  await writeManifest(out, manifests[0]);
  for (const dir of dirs) {
    const from = new JobStore(dir);
    for (const { id } of manifests[0].jobs) {
      const text = from.text(id);
      const own = store.status(id);
      if (text === null || own === "done" || own === statusOf(id, text)) continue;
      await store.write(id, text);
    }
  }
  const { done, failed, missing } = await mergeResults(store, manifests[0]);
  process.stdout.write(
    `${out}: ${count(done)} done, ${count(failed)} failed, ${count(missing.length)} missing\n`,
  );
  for (const { id, point } of missing.slice(0, NAMED))
    process.stdout.write(`missing: ${id.slice(0, 12)}  ${pointText(point)}\n`);
  if (missing.length > NAMED) process.stdout.write(`and ${count(missing.length - NAMED)} more\n`);
  return codeOf({ failed, missing: missing.length });
}
