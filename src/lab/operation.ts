import { badRange, badType } from "../engine/errors.ts";
import { PROCESSES, type LabConfig } from "./config.ts";

/** Who carries an operation out: the CPU, or the driver of a device. */
export type Agent = "cpu" | "device1" | "device2";

/** What an operation does. */
export type Verb = keyof typeof VERBS;

interface VerbFacts {
  /** What the button and the list of operations say. */
  readonly name: string;
  readonly by: "cpu" | "driver";
  /** Whether it concerns a range of pages. */
  readonly range: boolean;
}

/** The operations by the short name that permalinks use. */
export const VERBS = {
  r: { name: "CPU reads", by: "cpu", range: true },
  w: { name: "CPU writes", by: "cpu", range: true },
  fork: { name: "fork", by: "cpu", range: false },
  ro: { name: "mprotect read-only", by: "cpu", range: true },
  rw: { name: "mprotect read-write", by: "cpu", range: true },
  none: { name: "mprotect none", by: "cpu", range: true },
  unmap: { name: "munmap", by: "cpu", range: true },
  discard: { name: "madvise DONTNEED", by: "cpu", range: true },
  out: { name: "swap out", by: "cpu", range: true },
  huge: { name: "madvise HUGEPAGE", by: "cpu", range: true },
  pin: { name: "pin", by: "cpu", range: true },
  unpin: { name: "unpin", by: "cpu", range: true },
  dr: { name: "device reads", by: "driver", range: true },
  dw: { name: "device writes", by: "driver", range: true },
  m: { name: "mirror for reading", by: "driver", range: true },
  mw: { name: "mirror for writing", by: "driver", range: true },
  to: { name: "migrate to the device", by: "driver", range: true },
  back: { name: "migrate back", by: "driver", range: true },
  evict: { name: "evict all", by: "driver", range: false },
  excl: { name: "make exclusive", by: "driver", range: true },
} as const satisfies Record<string, VerbFacts>;

/** One operation: a verb, a range of pages, the process and the device that it concerns. */
export interface Operation {
  readonly verb: Verb;
  /** The first page, from the beginning of the mapping. */
  readonly first: number;
  /** The last page, inclusive. */
  readonly last: number;
  /** The process, 1 for the first. */
  readonly process: number;
  /** The device, 1 or 2. */
  readonly device: number;
}

const FORM = /^([a-z]+)(?:(\d+)(?:-(\d+))?)?(?:@(\d+))?(?:\/(\d+))?$/;

/**
 * Reads an operation: `w0-3` (the CPU writes pages 0 to 3), `r1@2` (in process 2), `to0-3/2` (to device 2).
 * Throws RangeError for anything else, and for pages, processes and devices that the world does not have.
 */
export function parseOperation(text: string, config: LabConfig): Operation {
  const op = "parseOperation";
  if (typeof text !== "string") throw badType(op, "text", "a string", text);
  const match = FORM.exec(text);
  if (match === null || !Object.hasOwn(VERBS, match[1]))
    throw badRange(op, "text", `a verb (${Object.keys(VERBS).join(", ")}) with its pages, like w0-3`, text);
  const verb = match[1] as Verb;
  const first = Number(match[2] ?? 0);
  const last = VERBS[verb].range ? Number(match[3] ?? first) : first;
  const operation = { verb, first, last, process: Number(match[4] ?? 1), device: Number(match[5] ?? 1) };
  checkOperation(operation, config);
  return operation;
}

/** Throws RangeError unless the world has the operation's pages, process and device. */
export function checkOperation({ first, last, process, device }: Operation, config: LabConfig): void {
  const op = "lab.do";
  const { pages, devices } = config;
  if (!(first >= 0 && first <= last && last < pages))
    throw badRange(op, "pages", `a range within 0-${pages - 1}`, `${first}-${last}`);
  if (!(process >= 1 && process <= PROCESSES))
    throw badRange(op, "process", `from 1 to ${PROCESSES}`, process);
  if (!(device >= 1 && device <= devices)) throw badRange(op, "device", `from 1 to ${devices}`, device);
}

/** Writes an operation as {@link parseOperation} reads it. */
export function formatOperation({ verb, first, last, process, device }: Operation): string {
  const pages = !VERBS[verb].range ? "" : first === last ? `${first}` : `${first}-${last}`;
  const driver = VERBS[verb].by === "driver" && device !== 1 ? `/${device}` : "";
  return `${verb}${pages}${process === 1 ? "" : `@${process}`}${driver}`;
}

/** Returns who carries an operation out. */
export function agentOf({ verb, device }: Operation): Agent {
  return VERBS[verb].by === "cpu" ? "cpu" : device === 1 ? "device1" : "device2";
}

/** Says which pages a range has, its last one included: "page 2", "pages 0-3". */
export function pageRange(first: number, last: number): string {
  return first === last ? `page ${first}` : `pages ${first}-${last}`;
}

/** Says what an operation does: "CPU writes pages 0-3", "fork of process 2". */
export function describeOperation({ verb, first, last, process, device }: Operation): string {
  const { name, by, range } = VERBS[verb];
  const pages = pageRange(first, last);
  const who = process === 1 ? "" : ` of process ${process}`;
  return `${name}${range ? ` ${pages}` : ""}${who}${by === "driver" && device === 2 ? " (device 2)" : ""}`;
}

/** Says who an agent is. */
export function agentName(agent: string): string {
  return agent === "cpu"
    ? "the CPU"
    : agent === "device1"
      ? "driver 1"
      : agent === "device2"
        ? "driver 2"
        : agent;
}
