/** What the suites of `heteromem sweep` share. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunReport } from "../../src/cli/report.ts";
import type { Manifest } from "../../src/sweep/manifest.ts";
import { file, folder, heteromem, type Outcome } from "./command.ts";

export const SMALL = { systemMemory: "2MiB", deviceMemory: "64KiB", backing: "metadata" };
export const SPEC = {
  base: { ...SMALL, workload: "gups:size=256KiB,updates=500" },
  axes: { evict: ["lru", "fifo"], "workload.seed": { seeds: 2 } },
};
/** The path of SPEC. */
export const spec = file("spec.json", JSON.stringify(SPEC));

/** Runs a sweep with two workers; its results are in folder `out`. */
export function sweep(path: string, out: string, ...more: string[]): Outcome {
  return heteromem(["sweep", path, "--out", join(folder, out), "--workers", "2", "--quiet", ...more]);
}
export const manifest = (out: string): Manifest =>
  JSON.parse(readFileSync(join(folder, out, "sweep.json"), "utf8")) as Manifest;
export const merged = (out: string): string => readFileSync(join(folder, out, "results.ndjson"), "utf8");
export const jobFile = (out: string, id: string): string => join(folder, out, "jobs", `${id}.json`);
export const readJob = (out: string, id: string): { status: string; error?: string; report: RunReport } =>
  JSON.parse(readFileSync(jobFile(out, id), "utf8")) as { status: string; report: RunReport };
