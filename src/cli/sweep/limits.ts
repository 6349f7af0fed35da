/** How many jobs run at a time, and in how much memory. */
import { availableParallelism, totalmem } from "node:os";
import { parseBytes } from "../../sim/size.ts";
import { UserError } from "../errors.ts";

/** What the program knows of itself. */
export interface Program {
  /** That of the engine (engine-version.ts). */
  version: string;
  /** The command's own file, which workers load. */
  filename: string;
}

/** The part of a host's memory that engines may use. */
const MEMORY_SHARE = 0.8;

/** Returns how many jobs run at a time. Throws UserError. */
export function parseWorkers(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const workers = /^\d+$/.test(text) ? Number(text) : 0;
  if (workers < 1 || workers > 1024)
    throw new UserError(`--workers ${text}: expected a number from 1 to 1024`);
  return workers;
}

/** Returns the bytes that engines may use: by default most of what the host, or the container, has. */
export function parseMemory(text: string | undefined): number {
  const limit = process.constrainedMemory();
  const host = limit > 0 && limit < totalmem() ? limit : totalmem();
  if (text === undefined) return Math.floor(host * MEMORY_SHARE);
  const size = parseBytes(text);
  if (!(size > 0)) throw new UserError(`--memory ${text}: expected a size such as 16GiB`);
  return size;
}
