/** Reads the tables on unified memory of NVIDIA's profilers: nvprof, and `nsys stats`. */
import { readFileSync } from "node:fs";
import type { Profile, TransferSum } from "../sim/time/fit.ts";
import { fileError, UserError } from "./errors.ts";

/** Bytes of nvprof's units, and of nsys' MB, which is decimal. */
const NVPROF_BYTES: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };
const NSYS_MB = 1e6;
/** Microseconds of nvprof's units. */
const MICROSECONDS: Readonly<Record<string, number>> = { ns: 1e-3, us: 1, ms: 1e3, s: 1e6 };

/** A line of nvprof: count, average, least and most size, total size, total time, name. */
const NVPROF_NAMES = "Host To Device|Device To Host|Gpu page fault groups";
const NVPROF_LINE = new RegExp(
  String.raw`^\s*(\d+)\s+(?:\S+\s+){3}(?:([\d.]+)([KMG]?B)|-)\s+([\d.]+)(ns|us|ms|s)\s+(${NVPROF_NAMES})\s*$`,
  "gm",
);
/** Lines of nsys: percent, nanoseconds, count …, and megabytes, count …. */
const NSYS_TIME = /^\s*[\d.]+\s+([\d,]+)\s+([\d,]+)\s.*\[CUDA Unified Memory memcpy (HtoD|DtoH)\]\s*$/gm;
const NSYS_SIZE = /^\s*([\d,]+\.\d+)\s+([\d,]+)\s.*\[CUDA Unified Memory memcpy (HtoD|DtoH)\]\s*$/gm;

const number = (text: string): number => Number(text.replaceAll(",", ""));

/** Adds a table's line to what other devices of the profile have. */
function plus(one: TransferSum | null, count: number, bytes: number, time: number): TransferSum {
  return one === null
    ? { count, bytes, time }
    : { count: one.count + count, bytes: one.bytes + bytes, time: one.time + time };
}

function readNvprof(text: string, profile: Profile): void {
  for (const [, count, size, unit, time, timeUnit, name] of text.matchAll(NVPROF_LINE)) {
    const n = Number(count);
    const us = Number(time) * MICROSECONDS[timeUnit];
    if (name === "Gpu page fault groups") {
      const { groups } = profile;
      profile.groups = { count: n + (groups?.count ?? 0), time: us + (groups?.time ?? 0) };
    } else if (size !== undefined) {
      const key = name === "Host To Device" ? "toDevice" : "toHost";
      profile[key] = plus(profile[key], n, Number(size) * NVPROF_BYTES[unit], us);
    }
  }
}

function readNsys(text: string, profile: Profile): void {
  const sizes = new Map<string, number>();
  for (const [, megabytes, , way] of text.matchAll(NSYS_SIZE)) sizes.set(way, number(megabytes) * NSYS_MB);
  for (const [, ns, count, way] of text.matchAll(NSYS_TIME)) {
    const bytes = sizes.get(way);
    const key = way === "HtoD" ? "toDevice" : "toHost";
    if (bytes !== undefined) profile[key] = plus(profile[key], number(count), bytes, number(ns) / 1e3);
  }
}

/** Returns what a profile's text says. Throws UserError for a text without a table on unified memory. */
export function parseProfile(name: string, text: string): Profile {
  const profile: Profile = { name, toDevice: null, toHost: null, groups: null };
  readNvprof(text, profile);
  if (profile.toDevice === null && profile.toHost === null) readNsys(text, profile);
  if (profile.toDevice === null && profile.toHost === null)
    throw new UserError(
      `${name}: no table on unified memory; expected the output of nvprof, or of nsys stats with ` +
        "cuda_gpu_mem_time_sum and cuda_gpu_mem_size_sum",
    );
  return profile;
}

/** Reads a profile. Throws UserError. */
export function readProfile(path: string): Profile {
  try {
    return parseProfile(path, readFileSync(path, "utf8"));
  } catch (error) {
    throw error instanceof UserError ? error : fileError(path, error);
  }
}
