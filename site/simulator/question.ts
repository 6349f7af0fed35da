/**
 * What is asked: the fields of a run's config, as `heteromem run` has them. The hash of the page's address
 * holds them all, so that an address asks the same again.
 */
import { CONFIG_FIELDS } from "../../src/sim/config.ts";

/** Fields of the config, by name: texts, numbers, or lists. */
export type Config = Readonly<Record<string, unknown>>;

/** Fields of the input; all others are the simulation's. */
const INPUT_FIELDS = ["trace", "workload", "format", "offload", "calls", "pid", "skipForeign"];

/** Whether the config may have a field of this name. */
export function isField(name: string): boolean {
  return INPUT_FIELDS.includes(name) || CONFIG_FIELDS.has(name);
}

/** A trace that comes with the site, by its path in the repository and below the site's root. */
export interface BundledTrace {
  trace: string;
  about: string;
  offload: readonly string[];
}

export const BUNDLED: readonly BundledTrace[] = [
  {
    trace: "examples/programs/jacobi.lackey.gz",
    about: "Jacobi stencil: the sweep runs on the device",
    offload: ["sweep=0x401615-0x401695"],
  },
  {
    trace: "examples/programs/hashjoin.lackey.gz",
    about: "Hash join: the probe runs on the device",
    offload: ["probe=0x401615-0x4016a8"],
  },
];

/** Whether a trace comes with the site. */
export function isBundled(trace: unknown): boolean {
  return BUNDLED.some((one) => one.trace === trace);
}

/** Writes a value: texts as they are, everything else as JSON. */
export function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Reads what was written: JSON if it is a number, a list, an object, true or false; else the text itself. */
export function read(text: string): unknown {
  if (!/^(?:-?\d+(?:\.\d+)?|[[{].*|true|false)$/s.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Returns the hash that holds a config. Characters that an address may have stay readable. */
export function hashOf(config: Config): string {
  const pairs = Object.entries(config)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(written(value))}`);
  return `#${pairs.join("&").replace(/%(?:3A|2C|2F|3D|40)/gi, decodeURIComponent)}`;
}

/** Returns the config that a hash holds; null if it has no field. Throws RangeError for one that is none. */
export function configIn(hash: string): Config | null {
  const text = hash.replace(/^#/, "");
  if (text === "") return null;
  const entries = text.split("&").map((pair): [string, unknown] => {
    const [name] = pair.split("=", 1);
    if (!isField(name)) throw new RangeError(`the address has a field that is none: ${name}`);
    return [name, read(decodeURIComponent(pair.slice(name.length + 1)))];
  });
  return Object.fromEntries(entries);
}
