/** The results of a sweep as rows: a point, what came of it, and its figures. */
import type { SimulationReport } from "../sim.ts";
import { readManifest, type Manifest, type ManifestJob } from "./manifest.ts";
import { JobStore } from "./store.ts";

/** A job with what came of it. */
export interface ResultRow extends ManifestJob {
  status: "done" | "failed" | "missing";
  error: string | null;
  report: SimulationReport | null;
}

/** What a directory has. */
export interface Results {
  manifest: Manifest;
  rows: ResultRow[];
  counts: { done: number; failed: number; missing: number };
}

/** Reads all results of a directory. Throws SweepError for one that is none of a sweep. */
export function readResults(dir: string): Results {
  const manifest = readManifest(dir);
  const store = new JobStore(dir);
  const counts = { done: 0, failed: 0, missing: 0 };
  const rows = manifest.jobs.map((job): ResultRow => {
    const result = store.read(job.id);
    const status = result?.status ?? "missing";
    counts[status]++;
    const error = result?.status === "failed" ? result.error : null;
    const report = result?.status === "done" ? result.report : null;
    return { ...job, status, error, report };
  });
  return { manifest, rows, counts };
}
