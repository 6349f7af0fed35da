/**
 * Reading the values of a config's fields: sizes, names, counts. Each throws ConfigError for any other
 * value.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { CLUSTER_SIZE } from "./cluster.ts";
import { ConfigError } from "./config-error.ts";
import { parseBytes } from "./size.ts";

/** A number of bytes, or a text such as "8GiB"; K, KB and KiB are 1,024 bytes, and so on up to T. */
export type Size = number | string;

/** Returns the bytes of a memory: whole pages, at least 64 KiB. */
export function sizeOf(field: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  const bytes = typeof value === "string" ? parseBytes(value) : typeof value === "number" ? value : NaN;
  if (Number.isNaN(bytes))
    throw new ConfigError(field, value, "a size such as 65536, 256KiB, 64MiB or 1.5GiB");
  if (!Number.isSafeInteger(bytes) || bytes % PAGE_SIZE !== 0)
    throw new ConfigError(field, value, `a whole number of ${PAGE_SIZE}-byte pages`);
  if (bytes < CLUSTER_SIZE) throw new ConfigError(field, value, `at least ${CLUSTER_SIZE / 1024}KiB`);
  return bytes;
}

/** Returns a name of the table. */
export function choiceOf<T extends string>(
  field: string,
  value: unknown,
  from: Record<T, string>,
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (typeof value === "string" && Object.hasOwn(from, value)) return value as T;
  throw new ConfigError(field, value, Object.keys(from).join(" or "));
}

/** Returns a whole number within the bounds. */
export function countOf(
  field: string,
  value: unknown,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  const end = most === Number.MAX_SAFE_INTEGER ? "on" : `to ${most}`;
  throw new ConfigError(field, value, `a whole number from ${least} ${end}`);
}
