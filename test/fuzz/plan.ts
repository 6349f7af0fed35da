/** What the two sides of a run have in common: the run's plan, its operations, and what is compared. */
import { encodePage } from "../golden/codec.ts";
import { PAGE } from "../model/page.ts";
import type { HmmCapacities } from "../../src/index.ts";
import type { DriverRules, Limits } from "../model/world.ts";

/** Everything about a run but its operations. */
export interface Plan {
  seed: number;
  /** Operations generated. */
  steps: number;
  /** Is this run about huge pages (generate-huge.ts)? */
  huge?: boolean;
  /** Pages [first, end) are the arena: all addresses lie in it. */
  first: number;
  end: number;
  limits: Limits;
  rules: DriverRules;
  /** Where they are given tables run out: a run on the engine alone (see exhaust.ts). */
  capacities?: HmmCapacities;
  arena?: number;
}

/** One operation, in the words of the golden records: who does it, what, and to what. */
export interface Op {
  p: number;
  op: string;
  args: (number | string)[];
}

/** What an operation answered, and the state of everything after it. Both compared field by field. */
export type Answer = Record<string, unknown>;

export interface State {
  /** By process number. */
  st: Record<string, ProcessState>;
  /** Pages in use: of system memory, of each device, and charged to the memory cgroup. */
  used: number[];
  /** Blocks that the pool for hugetlb mappings has. */
  pool: number;
  charged: number;
  /** Slots of swap space in use. */
  swapped: number;
  /** Page faults by what they did. */
  faults: Record<string, number>;
  /** By name: size, pages in the cache, content (see contentOf). */
  files: Record<string, [size: number, pages: number, content: number | string]>;
}

export interface ProcessState {
  /** `first-end`, permissions and other flags, page offset. */
  vma: string[];
  /** Pagemap bits a page. */
  pm: string;
  /** Anonymous, of files, shared, and swapped out. */
  rss: number[];
  /** Contents a page: some bytes, or a digest of all. */
  bytes: string;
  /** By number, the device files that it opened: snapshot, device table, events since the last time. */
  h: Record<string, HandleState>;
}

export interface HandleState {
  snap: string;
  dpt: string;
  inv: unknown[][];
  /** What a mirror of 2018 was told; null: there is none. */
  upd: unknown[][] | null;
}

/** Offsets at which the bytes of every page are looked at after each operation. Writes begin and end at some of them. */
export const SAMPLES = [0, 1, 2, 3, 4, 2047, 2048, 4094, 4095];

/** Operations whose events come in no particular order when a driver evicts all its pages at once. */
const EVICTING = new Set(["drel", "close", "exit"]);

export const unordered = (plan: Plan, { op }: Op): boolean => EVICTING.has(op) && !plan.rules.evictSingly;

/** The largest memory of each kind: as good as unlimited for arenas of this size. */
export const MEMORY_MAX = 512;
export const PROCESSES_MAX = 4;
export const HANDLES_MAX = 6;
export const OPEN_MIGRATIONS_MAX = 4;
/** Files of each kind that have a name at a time. */
export const FILES_MAX = 2;
/** Pages that files have at most. */
export const FILE_PAGES_MAX = 24;

/** A number that both JSON and comparisons take for "no limit". */
export const NO_LIMIT = 1e9;

/** Operations on a device file, whose number is their first argument. */
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
  // The calls of 2018: a mirror, snapshots, one that stays tracked, a migration.
  "mirror",
  "unmirror",
  "vlook",
  "vbeg",
  "vend",
  "vmig",
  // The halves of a migration: to the device, to system memory, evicting one page; the second half.
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

/** Bytes as the golden records write them: a number when all are equal, else first byte and hash as "bb:hhhhhhhh". */
export function digest(bytes: Uint8Array): number | string {
  const { buffer, byteOffset, length } = bytes;
  if (length % 4 !== 0 || byteOffset % 4 !== 0) return encodePage(bytes);
  const words = new Int32Array(buffer, byteOffset, length >> 2);
  const all = Math.imul(bytes[0], 0x01010101);
  for (let i = 0; i < words.length; i++) if (words[i] !== all) return encodePage(bytes);
  return bytes[0];
}

/** Contents of the pages that `bytes` is made of. */
export function digests(bytes: Uint8Array): (number | string)[] {
  const pages: (number | string)[] = [];
  for (let at = 0; at < bytes.length; at += PAGE) pages.push(digest(bytes.subarray(at, at + PAGE)));
  return pages;
}

/** A file's content: a digest of all bytes, or some of each page. */
export function contentOf(bytes: Uint8Array, full: boolean): number | string {
  if (full) return digest(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at += PAGE) text += sample(bytes.subarray(at, at + PAGE));
  return text;
}

/** What is looked at of contents: nothing, some bytes of each page, all. */
export type Look = "none" | "some" | "all";

/** The bytes of a page at SAMPLES. */
export function sample(bytes: Uint8Array): string {
  let text = "";
  for (const offset of SAMPLES) text += `${bytes[offset]},`;
  return text;
}
