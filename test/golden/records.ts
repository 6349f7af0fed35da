/** The records: their shape, their files, and what a scenario needs of the engine. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { LinuxVersion } from "../../src/index.ts";
import type { PageContent } from "./codec.ts";
import { DRIVER_6_12, DRIVER_7_3, DRIVER_OLD, type DriverRules } from "./command.ts";

/** Address of the records' page 0. */
export const ARENA = 0x100000000000;

/**
 * A notifier event: name, first page, end page (exclusive), owner (0 none, 1 this device, 2 another device).
 */
export type EventRecord =
  [event: string, first: number, end: number, owner: number] | [event: "x", all: "all"];

export interface HandleState {
  snap: string;
  dpt: string;
  inv: EventRecord[];
}

export interface ProcessState {
  vma: string[];
  pm: string;
  /** RssAnon, RssFile, RssShmem, VmSwap, in pages. */
  rss: number[];
  /** The device files that this process opened, by handle number. */
  h: Record<string, HandleState>;
  /** Pages in use on device 0 and on device 1. */
  dev: number[];
  /** Pages in use on the coherent devices 2 and 3, of a process that has opened one. */
  coh?: number[];
}

export type Smaps = Record<string, number | string>;

/** The answer of an operation, which has some of these fields. */
export interface Answer {
  ret?: number;
  cpages?: number;
  faults?: number;
  snap?: string;
  ok?: number;
  sig?: (number | string)[];
  rets?: number[];
  data?: PageContent[];
  vec?: string;
  current?: number;
  shared?: number;
  sharing?: number;
  flt?: number;
  smaps?: Smaps[];
  /** The state of page frames: see {@link frameState}. */
  kpf?: string;
}

export interface Operation {
  s: string;
  /** -1: the scenario's first line, which shows the state before the first operation. */
  i: number;
  p?: number;
  op: string;
  args?: (number | string)[];
  desc?: string;
  win?: number;
  kernel?: string;
}

export interface GoldenRecord extends Operation, Answer {
  /** State of every live process after the operation, by process number. */
  st: Record<string, ProcessState>;
}

export interface Scenario {
  name: string;
  file: string;
  desc: string;
  /** Number of pages observed. */
  win: number;
  tags: string[];
  /** The kernel that was recorded, whose rules the engine is to follow. */
  linux: LinuxVersion;
  /** How its test driver worked. */
  driver: DriverRules;
  /** The start line, then one line for each operation. */
  lines: GoldenRecord[];
}

/** A record file is unreadable; the message names the file and the line. */
export class RecordError extends Error {
  override name = "RecordError";
}

const HERE = dirname(fileURLToPath(import.meta.url));

/** The project's records: of Linux 6.12, of 7.3, and of 7.3 with the driver of 6.12. */
export const RECORDS = join(HERE, "records");
const RECORDS_7_3 = join(HERE, "records-7.3");
const RECORDS_OLD = join(HERE, "records-7.3", "old");

/** Tags that the engine does not support yet. */
export const NOT_BUILT = JSON.parse(readFileSync(join(HERE, "not-built-yet.json"), "utf8")) as string[];

// ── What a scenario needs ─────────────────────────────────────────────────────────────────────────────────

/** The tag that an operation needs besides those of its arguments; null for none. */
const TAG_OF_OP: Readonly<Record<string, string | null>> = {
  start: null,
  mmap: null,
  munmap: null,
  mprotect: null,
  madv: null,
  r: null,
  w: null,
  wb: null,
  dread: null,
  dwrite: null,
  dmig: null,
  dsys: null,
  dsnap: null,
  drel: null,
  mremap: "remap",
  mresize: "remap",
  sysw: "kernel-access",
  sysr: "kernel-access",
  memread: "kernel-access",
  memwrite: "kernel-access",
  pin: "kernel-access",
  unpin: "kernel-access",
  lpin: "kernel-access",
  lunpin: "kernel-access",
  lread: "kernel-access",
  gpin: "kernel-access",
  dfail: "fail-alloc",
  dreadu: "unlocked",
  kpf: "accounting",
  mthp: "mthp",
  mlock: "accounting",
  munlock: "accounting",
  mincore: "accounting",
  smaps: "accounting",
  memcg: "accounting",
  fork: "fork",
  exit: "fork",
  open: "fork",
  close: "fork",
  dexcl: "exclusive",
  dchk: "exclusive",
  swapon: "swap",
  ksm: "ksm",
  uffd: "uffd",
  file: "file",
  fwrite: "file",
  fread: "file",
  ftrunc: "file",
  fpunch: "file",
  fa: "file",
  msync: "file",
};

const TAG_OF_MMAP_KIND: Readonly<Record<string, string>> = {
  anon: "anon",
  sanon: "file",
  shm: "file",
  pshm: "file",
  file: "file",
  pfile: "file",
  huge: "hugetlb",
  dev: "special",
  devmem: "special",
};

const TAG_OF_ADVICE: Readonly<Record<string, string | null>> = {
  dontneed: "anon",
  free: "advice",
  cold: "advice",
  willneed: "advice",
  populate_read: "advice",
  populate_write: "advice",
  dontfork: "advice",
  wipeonfork: "advice",
  remove: "file",
  pageout: "swap",
  hugepage: "thp",
  nohugepage: "thp",
  collapse: "thp",
  mergeable: "ksm",
  unmergeable: "ksm",
};

/** Returns the tags that an operation needs. An unknown operation or argument gives a tag `unknown …`. */
export function tagsOf(record: Operation): string[] {
  const own = TAG_OF_OP[record.op];
  if (own === undefined) return [`unknown operation ${record.op}`];
  const tags = own === null ? [] : [own];
  if (record.op === "mmap") {
    const kind = String(record.args?.[3]);
    tags.push(TAG_OF_MMAP_KIND[kind] ?? `unknown mapping ${kind}`);
  }
  if (record.op === "madv") {
    const advice = String(record.args?.[2]);
    const tag = TAG_OF_ADVICE[advice];
    if (tag !== null) tags.push(tag ?? `unknown advice ${advice}`);
  }
  return tags;
}

// ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Returns the scenarios of every .jsonl and .jsonl.gz file of `dir`, in order. An index.json may add tags.
 * `linux`: whose rules the engine is to follow; by default the kernel that the first line of each names. In a
 * folder named `old` a driver like that of 6.12 was recorded.
 */
export function loadScenarios(dir: string, linux?: LinuxVersion): Scenario[] {
  if (!existsSync(dir)) throw new RecordError(`${dir}: no such directory`);
  const files = recordFiles(dir);
  if (files.length === 0) throw new RecordError(`${dir}: no .jsonl or .jsonl.gz file in it`);
  const index = readIndex(dir);
  const old = basename(resolve(dir)) === "old";
  return files.flatMap((file) =>
    scenariosOf(file, parse(file, readText(join(dir, file))), index).map((scenario) => {
      const version = linux ?? linuxOf(scenario.lines[0]);
      const driver = version === "6.12" ? DRIVER_6_12 : old ? DRIVER_OLD : DRIVER_7_3;
      return { ...scenario, linux: version, driver };
    }),
  );
}

/** Returns all of the project's scenarios. The files of 7.3 have its number before their names. */
export function loadAll(): Scenario[] {
  const named = (prefix: string, dir: string): Scenario[] =>
    loadScenarios(dir).map((scenario) => ({ ...scenario, file: prefix + scenario.file }));
  return [...loadScenarios(RECORDS), ...named("7.3/", RECORDS_7_3), ...named("7.3/old/", RECORDS_OLD)];
}

/** Returns the version of the kernel that a scenario's first line names; 6.12 if it names none. */
function linuxOf({ kernel = "" }: GoldenRecord): LinuxVersion {
  return kernel.startsWith("7.") ? "7.3" : "6.12";
}

/**
 * Returns the record files of `dir`. A plain file takes precedence over a compressed file of the same name.
 */
function recordFiles(dir: string): string[] {
  const names = readdirSync(dir).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  return names.filter((name) => !name.endsWith(".gz") || !names.includes(name.slice(0, -3))).sort();
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  } catch (error) {
    throw new RecordError(`${path}: ${(error as Error).message}`);
  }
}

/** Returns tags by scenario name. A scenario needs these and the tags of its operations. */
function readIndex(dir: string): Map<string, string[]> {
  const path = join(dir, "index.json");
  if (!existsSync(path)) return new Map();
  try {
    const entries = JSON.parse(readText(path)) as { s: string; tags: string[] }[];
    // The index of old/ lists what differs and has no tags.
    if (!Array.isArray(entries)) return new Map();
    return new Map(entries.map((entry) => [entry.s, entry.tags]));
  } catch (error) {
    throw new RecordError(`${path}: ${(error as Error).message}`);
  }
}

function parse(file: string, text: string): GoldenRecord[] {
  const records: GoldenRecord[] = [];
  text.split("\n").forEach((line, number) => {
    if (line.trim() === "") return;
    try {
      const record = JSON.parse(line) as GoldenRecord;
      if (typeof record.s !== "string" || typeof record.i !== "number" || typeof record.op !== "string") {
        throw new Error("s, i or op is missing");
      }
      if (typeof record.st !== "object" || record.st === null) throw new Error("st is missing");
      records.push(record);
    } catch (error) {
      throw new RecordError(`${file}:${number + 1}: ${(error as Error).message}`);
    }
  });
  return records;
}

const WINDOW_DEFAULT = 16;

function scenariosOf(file: string, records: GoldenRecord[], index: Map<string, string[]>): Scenario[] {
  const scenarios: Scenario[] = [];
  for (const record of records) {
    let scenario = scenarios.at(-1);
    if (scenario === undefined || scenario.name !== record.s || record.i === -1) {
      const { s, desc = "", win = WINDOW_DEFAULT } = record;
      scenario = { name: s, file, desc, win, tags: [], linux: "6.12", driver: DRIVER_6_12, lines: [] };
      scenarios.push(scenario);
    }
    scenario.lines.push(record);
  }
  for (const scenario of scenarios) {
    const indexed = index.get(scenario.name) ?? [];
    scenario.tags = [...new Set([...indexed, ...scenario.lines.flatMap(tagsOf)])].sort();
  }
  return scenarios;
}
