/** Jobs: what one run of a sweep computes, as JSON, and its name. */
import type { Settings, SimulationConfig } from "../sim/config.ts";
import { settingsOf, simulationFields } from "../sim/config.ts";
import { deviceMemoryFor } from "../sim/device-driver.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { canonical, sha256 } from "./canonical.ts";
import { canonicalWorkload } from "./fields.ts";

export const JOB_SCHEMA = "heteromem-job/1";

/** What a worker needs: a config that names no file, and the digest of a trace. */
export interface Job {
  /** The version of the engine whose figures these are, as in 0.1.0+3f2a9c81d0e4. */
  engine: string;
  /** Fields of a simulation's config, and `workload`. A time model is a preset's name, or all of it. */
  config: SimulationConfig & { workload?: string };
  /** The SHA-256 of the .hmt trace; null: the config names a workload. */
  trace: string | null;
}

/** What a job's id is the digest of: the config with its defaults, and what is replayed. */
export interface JobContent {
  engine: string;
  trace: string | null;
  workload: string | null;
  settings: Omit<Settings, "time"> & { time: { name: string; sha256: string } | null };
}

/** Returns the job of a config. Paths and what belongs to reading a trace are not taken over. */
export function jobOf(config: Readonly<Record<string, unknown>>, trace: string | null, engine: string): Job {
  const own = Object.entries(simulationFields(config)).filter(([, value]) => value !== undefined);
  const { workload } = config;
  const made = trace === null ? { workload: canonicalWorkload(workload as string) } : {};
  return { engine, config: { ...Object.fromEntries(own), ...made }, trace };
}

/** Returns what the job's id is made of. Throws ConfigError and WorkloadError for a job that cannot be. */
export function contentOf({ engine, config: { workload, ...config }, trace }: Job): JobContent {
  const { time, ...settings } = settingsOf(config);
  return {
    engine,
    trace,
    workload: workload === undefined ? null : canonicalWorkload(workload),
    settings: {
      ...settings,
      time: time === null ? null : { name: time.name, sha256: sha256(canonical(time)) },
    },
  };
}

/** Returns the job's id: the SHA-256 of its content as canonical JSON. */
export const idOf = (content: JobContent): string => sha256(canonical(content));

/** Bytes of a worker without memory of a simulation: its heap, its code, and tables of the engine. */
const WORKER_BYTES = 96 << 20;
/** Bytes that the engine may use for a frame beside its contents: its folio, and entries of page tables. */
const FRAME_BYTES = 40;

/** Returns the bytes that a worker uses at most while it runs a job with these settings. */
export function jobBytes({ settings }: JobContent): number {
  const memory = settings.systemMemory + settings.devices * deviceMemoryFor(settings.deviceMemory);
  const contents = settings.backing === "data" ? memory : 0;
  return WORKER_BYTES + contents + (memory / PAGE_SIZE) * FRAME_BYTES;
}
