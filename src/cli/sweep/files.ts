/** The files that a config of a sweep names. */
import { TIME_PRESETS } from "../../sim.ts";
import type { RunFields } from "../../sweep/spec.ts";

/** Whether a time model is named by its file, and not by a preset's name. */
export function isModelFile(time: unknown): time is string {
  return typeof time === "string" && time !== "none" && !Object.hasOwn(TIME_PRESETS, time);
}

/** Returns the config with another path in place of each that it has. */
export function withFiles(config: RunFields, pathOf: (path: string) => string): RunFields {
  const { trace, binary, offload, time } = config;
  const valueOf = (value: string): string => (value.startsWith("@") ? `@${pathOf(value.slice(1))}` : value);
  return {
    ...config,
    ...(typeof trace === "string" ? { trace: pathOf(trace) } : {}),
    ...(typeof binary === "string" ? { binary: pathOf(binary) } : {}),
    ...(Array.isArray(offload) ? { offload: (offload as string[]).map(valueOf) } : {}),
    ...(isModelFile(time) ? { time: pathOf(time) } : {}),
  };
}
