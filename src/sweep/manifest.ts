/** DIR/sweep.json: which jobs a directory of results is of, and where each stands in the grid. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { canonical, sha256 } from "./canonical.ts";
import { SweepError } from "./error.ts";
import type { Point, RunFields } from "./spec.ts";
import { statusOf, writeWhole, type JobResult, type JobStore } from "./store.ts";

const MANIFEST_SCHEMA = "heteromem-sweep/1";

/** A job of a sweep. */
export interface ManifestJob {
  id: string;
  point: Point;
  /** The config as `heteromem run --config` reads it, its files as seen from `folder`. */
  config: RunFields;
}

/** A sweep whose jobs have ids. */
export interface Manifest {
  schema: typeof MANIFEST_SCHEMA;
  name: string;
  engine: string;
  /** The names of its axes, in order. */
  axes: string[];
  /** The spec's folder, from which files in configs are named. */
  folder: string;
  jobs: ManifestJob[];
}

/** Makes a manifest. */
export function manifestOf(parts: Omit<Manifest, "schema">): Manifest {
  return { schema: MANIFEST_SCHEMA, ...parts };
}

/** The name of a sweep's jobs together: equal for all who enqueue the same ones. */
export const sweepId = ({ jobs }: Manifest): string =>
  sha256(canonical(jobs.map(({ id }) => id))).slice(0, 32);

/** Writes it, whole or not at all. */
export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  mkdirSync(dir, { recursive: true });
  await writeWhole(join(dir, "sweep.json"), dir, `${JSON.stringify(manifest)}\n`);
}

/** Reads it. Throws SweepError for a directory that is none of a sweep. */
export function readManifest(dir: string): Manifest {
  const path = join(dir, "sweep.json");
  if (!existsSync(path)) throw new SweepError(`${dir}: expected the directory of a sweep, with sweep.json`);
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  if (manifest.schema !== MANIFEST_SCHEMA)
    throw new SweepError(`${path}: expected the schema heteromem-sweep/1`);
  return manifest;
}

/** Returns every n-th job from the i-th on, counted from 1. */
export function shardOf<T>(jobs: readonly T[], { i, n }: { i: number; n: number }): T[] {
  return jobs.filter((_, index) => index % n === i - 1);
}

/** What is there of a sweep. */
export interface Merged {
  done: number;
  failed: number;
  /** Why the failed jobs failed, one each. */
  errors: string[];
  missing: ManifestJob[];
}

/**
 * Writes DIR/results.ndjson: a line for each job in the order of the sweep, with its point and its result, if
 * all are there. Returns what is there.
 */
export async function mergeResults(store: JobStore, manifest: Manifest): Promise<Merged> {
  const lines: string[] = [];
  const merged: Merged = { done: 0, failed: 0, errors: [], missing: [] };
  for (const job of manifest.jobs) {
    const text = store.text(job.id);
    if (text === null) merged.missing.push(job);
    else {
      if (statusOf(job.id, text) === "done") merged.done++;
      else {
        merged.failed++;
        merged.errors.push((JSON.parse(text) as Extract<JobResult, { status: "failed" }>).error);
      }
      lines.push(`{"point":${JSON.stringify(job.point)},${text.slice(1)}`);
    }
  }
  if (merged.missing.length === 0)
    await writeWhole(join(store.dir, "results.ndjson"), store.dir, Buffer.from(lines.join("")));
  return merged;
}
