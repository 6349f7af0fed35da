/** From the file of a sweep to jobs that can run: configs are checked, traces are in the cache. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { config as validConfig, sweep as validSweep } from "#validators";
import { ConfigError, WorkloadError, type TimeModel } from "../../sim.ts";
import { canonical } from "../../sweep/canonical.ts";
import { SweepError } from "../../sweep/error.ts";
import { axesOf, expand } from "../../sweep/expand.ts";
import { contentOf, idOf, jobOf, type Job, type JobContent } from "../../sweep/job.ts";
import { manifestOf, type Manifest, type ManifestJob } from "../../sweep/manifest.ts";
import type { Point, RunFields, SweepSpec } from "../../sweep/spec.ts";
import type { RunConfig } from "../config.ts";
import { openModel } from "../model-file.ts";
import { demandInput } from "../open-input.ts";
import { readJson, whyInvalid } from "../read-json.ts";
import { isModelFile, withFiles } from "./files.ts";
import { cacheTrace } from "./traces.ts";

/** A job that can run, by its id. */
export interface Planned {
  job: Job;
  content: JobContent;
}

/** A sweep with its jobs: those of equal content are one. */
export interface Plan {
  manifest: Manifest;
  jobs: ReadonlyMap<string, Planned>;
}

/** Fields that say where one run writes, which a sweep of many has no use for. */
const FILES = ["html", "perfetto"] as const;

/** A point in words: deviceMemory=4MiB, evict=lru. */
export const pointText = (point: Point): string =>
  Object.entries(point)
    .map(([axis, value]) => `${axis}=${typeof value === "string" ? value : canonical(value)}`)
    .join(", ");

/** All texts that the spec gives a time model by. */
function* modelsOf(spec: SweepSpec): Generator<string> {
  const sets = [spec.base ?? {}, ...(spec.include ?? [])];
  for (const [name, values] of Object.entries(spec.axes ?? {})) {
    if (!Array.isArray(values)) continue;
    for (const value of values as unknown[])
      if (name === "time") sets.push({ time: value });
      else if (typeof value === "object" && value !== null && "set" in value)
        sets.push(value.set as RunFields);
  }
  for (const { time } of sets) if (typeof time === "string") yield time;
}

/** Checks configs by the schema and makes jobs of them. */
class Planner {
  readonly #folder: string;
  readonly #cache: string;
  readonly #version: string;
  readonly #models: ReadonlyMap<string, TimeModel | string>;
  readonly #traces = new Map<string, Promise<string>>();

  constructor(
    folder: string,
    cache: string,
    version: string,
    models: ReadonlyMap<string, TimeModel | string>,
  ) {
    this.#folder = folder;
    this.#cache = cache;
    this.#version = version;
    this.#models = models;
  }

  /** The digest of the config's trace; null: it has a workload. */
  #trace(config: RunConfig): Promise<string> | null {
    demandInput(config);
    if (config.trace === undefined) return null;
    const { trace, format, offload, binary, base, calls, pid, skipForeign } = config;
    const key = canonical({ trace, format, offload, binary, base, calls, pid, skipForeign });
    const known = this.#traces.get(key) ?? cacheTrace(this.#cache, config, this.#version);
    this.#traces.set(key, known);
    return known;
  }

  async plan(given: RunFields): Promise<Planned & { id: string }> {
    const file = FILES.find((field) => given[field] !== undefined);
    if (file !== undefined) throw new SweepError(`${file}: expected in a run, not in a sweep`);
    const config = withFiles(given, (path) => resolve(this.#folder, path)) as RunConfig;
    const trace = await this.#trace(config);
    const time = typeof given.time === "string" ? this.#models.get(given.time) : given.time;
    const job = jobOf({ ...config, time }, trace, this.#version);
    const content = contentOf(job);
    return { job, content, id: idOf(content) };
  }
}

/** Says which point of the sweep an error is about. */
function atPoint(point: Point, error: unknown): unknown {
  const text = pointText(point);
  const where = text === "" ? "base" : text;
  const known = error instanceof ConfigError || error instanceof WorkloadError || error instanceof SweepError;
  return known ? new SweepError(`${where}: ${error.message}`) : error;
}

/**
 * Reads a sweep's file, checks each of its points, and puts its traces into the cache. Throws UserError and
 * SweepError for what cannot be; then no job has run.
 */
export async function planSweep(path: string, cache: string, version: string): Promise<Plan> {
  const spec = await readJson<SweepSpec>(path, validSweep, "the sweep");
  const folder = resolve(dirname(path));
  const models = new Map<string, TimeModel | string>();
  for (const name of modelsOf(spec)) {
    const file = resolve(folder, name);
    models.set(name, await openModel(isModelFile(name) && existsSync(file) ? file : name));
  }
  const planner = new Planner(folder, cache, version, models);
  const jobs = new Map<string, Planned>();
  const list: ManifestJob[] = [];
  for (const { point, config } of expand(spec, (name) => models.get(name) ?? name)) {
    if (!validConfig(config)) throw atPoint(point, new SweepError(whyInvalid(validConfig, "the config")));
    try {
      const { id, ...planned } = await planner.plan(config);
      jobs.set(id, planned);
      list.push({ id, point, config });
    } catch (error) {
      throw atPoint(point, error);
    }
  }
  if (list.length === 0) throw new SweepError(`${path}: expected at least one job; all points are excluded`);
  const { name = path } = spec;
  const manifest = manifestOf({ name, engine: version, axes: axesOf(spec), folder, jobs: list });
  return { manifest, jobs };
}
