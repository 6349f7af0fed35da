import { badRange, badType, checkInteger, checkOptions } from "../engine/errors.ts";
import { PAGE_SIZE, type HmmConfig } from "../index.ts";

/** A bug that the lab's driver may have, for races: each breaks one rule of the protocol. */
export type Bug = "none" | "no-retry" | "late-invalidate" | "no-lock";

/** The bugs, and what the driver does wrong. */
export const BUGS: Readonly<Record<Bug, string>> = {
  none: "The driver follows the protocol.",
  "no-retry": "The driver enters what it has read without asking whether the range changed meanwhile.",
  "late-invalidate":
    "The driver's callback only notes the range, and drops its entries at its own next step.",
  "no-lock": "The driver updates its table without the lock that its callback takes.",
};

/** The world of a lab: how large it is, and how its driver behaves. */
export interface LabConfig {
  /** Pages of the first process's mapping, 4 to 64. Default 8. */
  pages: number;
  /** Devices, 1 or 2. Default 1. */
  devices: number;
  /** Frames that each device's driver hands out, 1 to 64. Default 8. */
  frames: number;
  /** Pages that the memory cgroup allows; 0: no limit. Default 0. */
  limit: number;
  /** Which rule the driver breaks. Default "none". */
  bug: Bug;
}

/** Where the mapping of a lab begins. */
export const BASE = 0x7f00_0000_0000;
/** How many processes there may be: forks beyond that are refused. */
export const PROCESSES = 3;

const DEFAULTS: LabConfig = { pages: 8, devices: 1, frames: 8, limit: 0, bug: "none" };

/**
 * Fills the defaults in and checks the configuration. Throws RangeError and TypeError that name the field.
 */
export function checkConfig(config: Partial<LabConfig> = {}): LabConfig {
  const op = "new Lab";
  checkOptions(op, "config", config);
  const full = { ...DEFAULTS, ...config };
  for (const name of Object.keys(full))
    if (!(name in DEFAULTS))
      throw badRange(op, "config", `made of ${Object.keys(DEFAULTS).join(", ")}`, name);
  checkInteger(op, "config.pages", full.pages, 4, 64);
  checkInteger(op, "config.devices", full.devices, 1, 2);
  checkInteger(op, "config.frames", full.frames, 1, 64);
  checkInteger(op, "config.limit", full.limit, 0, 1024);
  if (typeof full.bug !== "string") throw badType(op, "config.bug", "a string", full.bug);
  if (!Object.hasOwn(BUGS, full.bug))
    throw badRange(op, "config.bug", `one of ${Object.keys(BUGS).join(", ")}`, full.bug);
  return full;
}

/** Returns how many frames of system memory the world has. */
export function ramFrames(config: LabConfig): number {
  return Math.max(24, 2 * config.pages);
}

/** Returns the engine's configuration: as small as the world, for quick snapshots. */
export function engineConfig(config: LabConfig): HmmConfig {
  return {
    systemMemory: ramFrames(config) * PAGE_SIZE,
    deviceMemory: config.devices * (2 << 20),
    swap: 64 * PAGE_SIZE,
    linux: "7.3",
    arena: 1 << 16,
    eventLog: 16,
    capacities: {
      mms: 8,
      vmas: 64,
      anonVmas: 32,
      anonVmaLinks: 64,
      pageTables: 64,
      notifiers: 16,
      memcgs: 4,
      migrations: 8,
      deviceTables: 8,
      files: 4,
      ksmPages: 4,
      ksmAddresses: 4,
    },
  };
}
