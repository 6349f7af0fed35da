/** The types that both sides of a run share: its plan, its operations, and the state compared. */
import { encodePage } from "../golden/codec.ts";
import { PAGE } from "../model/page.ts";
import type { HmmCapacities, LinuxVersion } from "../../src/index.ts";
import type { DriverRules } from "../model/driver-rules.ts";
import type { Limits } from "../model/world.ts";

/** A run without its operations. */
export interface Plan {
  seed: number;
  /** Number of operations generated. */
  steps: number;
  /** Whether the run is about huge pages (generate-huge.ts). */
  huge?: boolean;
  /** Whether faults map folios of 16 KiB to 1 MiB (generate-sized.ts). */
  sized?: boolean;
  /** The arena is pages [first, end); all addresses lie in it. */
  first: number;
  end: number;
  limits: Limits;
  rules: DriverRules;
  /** Capacities of the tables in a run that fills them, on the engine alone (exhaust.ts). */
  capacities?: HmmCapacities;
  /** The kernel whose rules both sides follow. */
  linux: LinuxVersion;
  arena?: number;
}

/** One operation in the terms of the golden records: process, name and arguments. */
export interface Op {
  p: number;
  op: string;
  args: (number | string)[];
}

/** The answer of an operation and the state after it, compared field by field. */
export type Answer = Record<string, unknown>;

export interface State {
  /** Processes by number. */
  st: Record<string, ProcessState>;
  /** Pages in use in system memory and on each device, and pages charged to the memory cgroup. */
  used: number[];
  /** Blocks in the hugetlb pool. */
  pool: number;
  charged: number;
  /** Swap slots in use. */
  swapped: number;
  /** Page faults by kind. */
  faults: Record<string, number>;
  /** Files by name: size, pages in the cache, contents (contentOf). */
  files: Record<string, [size: number, pages: number, content: number | string]>;
}

export interface ProcessState {
  /** `first-end`, permissions and other flags, page offset. */
  vma: string[];
  /** Pagemap bits of each page. */
  pm: string;
  /** Resident anonymous, file and shared pages, and swapped pages. */
  rss: number[];
  /** Contents of each page: some bytes, or a digest of all. */
  bytes: string;
  /** The process's device files by number: snapshot, device table, events since the last state. */
  h: Record<string, HandleState>;
}

export interface HandleState {
  snap: string;
  dpt: string;
  inv: unknown[][];
  /** Updates of a mirror of 2018; null without a mirror. */
  upd: unknown[][] | null;
}

/** Offsets at which each page is compared after every operation. Writes begin and end at some of them. */
export const SAMPLES = [0, 1, 2, 3, 4, 2047, 2048, 4094, 4095];

/** Operations whose events have no fixed order when a driver evicts all its pages at once. */
const EVICTING = new Set(["drel", "close", "exit"]);

export const unordered = (plan: Plan, { op }: Op): boolean => EVICTING.has(op) && !plan.rules.evictSingly;

/** The largest memory of each kind, practically unlimited for arenas of this size. */
export const MEMORY_MAX = 512;
export const PROCESSES_MAX = 4;
export const HANDLES_MAX = 6;
export const OPEN_MIGRATIONS_MAX = 4;
/** Number of named files of each kind. */
export const FILES_MAX = 2;
/** Size limit of files in pages. */
export const FILE_PAGES_MAX = 24;

/** A number that means "no limit" in JSON and in comparisons. */
export const NO_LIMIT = 1e9;

/** Operations whose first argument is the number of a device file. */
export const DEVICE_OPS = new Set([
  "dread",
  "dwrite",
  "dmig",
  "dsys",
  "dsnap",
  "drel",
  "close",
  "dexcl",
  "dchk",
  "dpeer",
  // The calls of 2018: a mirror, snapshots, a tracked range, a migration.
  "mirror",
  "unmirror",
  "vlook",
  "vbeg",
  "vend",
  "vmig",
  // The first halves of migrations to the device, to system memory, and of an eviction; the second half.
  "mbeg",
  "sbeg",
  "ebeg",
  "mend",
]);

export function formatOp({ p, op, args }: Op): string {
  return [p, op, ...args].join(" ");
}

export function parseOp(line: string): Op {
  const [p, op, ...rest] = line.trim().split(/\s+/);
  const args = rest.map((word) => (/^-?\d+$/.test(word) ? Number(word) : word));
  return { p: Number(p), op, args };
}

/** Returns bytes in the records' form: a number if all are equal, else first byte and hash, "bb:hhhhhhhh". */
export function digest(bytes: Uint8Array): number | string {
  const { buffer, byteOffset, length } = bytes;
  if (length % 4 !== 0 || byteOffset % 4 !== 0) return encodePage(bytes);
  const words = new Int32Array(buffer, byteOffset, length >> 2);
  const all = Math.imul(bytes[0], 0x01010101);
  for (let i = 0; i < words.length; i++) if (words[i] !== all) return encodePage(bytes);
  return bytes[0];
}

/** Returns the contents of each page of `bytes`. */
export function digests(bytes: Uint8Array): (number | string)[] {
  const pages: (number | string)[] = [];
  for (let at = 0; at < bytes.length; at += PAGE) pages.push(digest(bytes.subarray(at, at + PAGE)));
  return pages;
}

/** Returns a file's contents: a digest of all bytes, or some bytes of each page. */
export function contentOf(bytes: Uint8Array, full: boolean): number | string {
  if (full) return digest(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at += PAGE) text += sample(bytes.subarray(at, at + PAGE));
  return text;
}

/** How much of the contents is compared: nothing, some bytes of each page, or all. */
export type Look = "none" | "some" | "all";

/** Returns the bytes of a page at SAMPLES. */
export function sample(bytes: Uint8Array): string {
  let text = "";
  for (const offset of SAMPLES) text += `${bytes[offset]},`;
  return text;
}
