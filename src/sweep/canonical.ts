/** Canonical JSON (RFC 8785), and digests of it. */
import { createHash } from "node:crypto";

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Returns a value as canonical JSON: no blanks, keys sorted by UTF-16 code units, numbers as ECMAScript
 * writes them. Fields that are undefined are left out. Throws RangeError for a number that JSON does not
 * have, and TypeError for anything else than JSON.
 */
export function canonical(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError(`${value}: expected a number that JSON has`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item)).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`${typeof value}: expected a value that JSON has`);
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  // The default order of sort() is that of UTF-16 code units, as the RFC demands.
  const keys = fields.map(([key]) => key).sort();
  const of = new Map(fields);
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(of.get(key))}`).join(",")}}`;
}

/** Returns the SHA-256 of a text's UTF-8, or of bytes, in 64 hexadecimal digits. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
