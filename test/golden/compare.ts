/** Compares a record with the engine's answer, field by field. */
import { decodeBytes } from "./codec.ts";
import type { EventRecord, GoldenRecord, HandleState, ProcessState, Smaps } from "./records.ts";

export interface Difference {
  /** `ret`, `st.0.h.1.snap`, … */
  field: string;
  expected: unknown;
  got: unknown;
}

/** The columns of percentages: the strict fields together, and each kind of detail field. */
export const COLUMNS = ["strict", "vma", "pm", "flt", "smaps", "kpf"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Comparison {
  /** Differences in strict fields, which must match in every record. */
  strict: Difference[];
  /** Differences in detail fields, which are reported as a percentage. */
  detail: Difference[];
  /** Number of fields compared. */
  compared: Record<Column, number>;
}

/** Returns the column of a detail field. */
export function detailColumn(field: string): Column {
  if (field.startsWith("smaps.")) return "smaps";
  return COLUMNS.find((column) => field.split(".").at(-1) === column)!;
}

/** Strict fields of a record; `st` has more: snap, dpt, inv, rss, dev, coh. */
export const STRICT_FIELDS = [
  "ret",
  "cpages",
  "faults",
  "snap",
  "ok",
  "sig",
  "rets",
  "data",
  "vec",
  "current",
  "shared",
  "sharing",
] as const;

/** Operations without a fixed order of pages, whose events are compared as a multiset. */
const UNORDERED_EVENTS: ReadonlySet<string> = new Set(["drel", "close", "exit"]);

export function compareRecords(expected: GoldenRecord, got: GoldenRecord): Comparison {
  const comparison = new Comparer(UNORDERED_EVENTS.has(expected.op));
  for (const field of STRICT_FIELDS) {
    const bytes = field === "snap" || field === "vec";
    comparison.strictly(field, expected[field], got[field], bytes ? sameBytes : same);
  }
  if (expected.flt !== undefined) comparison.inDetail("flt", expected.flt, got.flt);
  if (expected.smaps !== undefined) comparison.smaps(expected.smaps, got.smaps ?? []);
  if (expected.kpf !== undefined) comparison.inDetail("kpf", expected.kpf, got.kpf, sameBytes);
  comparison.states(expected.st, got.st);
  return comparison;
}

class Comparer implements Comparison {
  readonly strict: Difference[] = [];
  readonly detail: Difference[] = [];
  readonly compared = { strict: 0, vma: 0, pm: 0, flt: 0, smaps: 0, kpf: 0 };

  constructor(private readonly unorderedEvents: boolean) {}

  strictly(
    field: string,
    expected: unknown,
    got: unknown,
    equal: (a: unknown, b: unknown) => boolean = same,
  ): void {
    if (expected !== undefined || got !== undefined) this.compared.strict++;
    if (!equal(expected, got)) this.strict.push({ field, expected, got });
  }

  inDetail(
    field: string,
    expected: unknown,
    got: unknown,
    equal: (a: unknown, b: unknown) => boolean = same,
  ): void {
    this.compared[detailColumn(field)]++;
    if (!equal(expected, got)) this.detail.push({ field, expected, got });
  }

  smaps(expected: Smaps[], got: Smaps[]): void {
    expected.forEach((vma, i) => {
      for (const key of Object.keys(vma)) this.inDetail(`smaps.${i}.${key}`, vma[key], got.at(i)?.[key]);
    });
  }

  states(expected: Record<string, ProcessState>, got: Record<string, ProcessState>): void {
    this.strictly("st", Object.keys(expected), Object.keys(got));
    for (const pid of Object.keys(expected)) {
      if (Object.hasOwn(got, pid)) this.state(`st.${pid}`, expected[pid], got[pid]);
    }
  }

  private state(path: string, expected: ProcessState, got: ProcessState): void {
    this.strictly(`${path}.rss`, expected.rss, got.rss);
    this.strictly(`${path}.dev`, expected.dev, got.dev);
    this.strictly(`${path}.coh`, expected.coh, got.coh);
    this.inDetail(`${path}.vma`, expected.vma, got.vma);
    this.inDetail(`${path}.pm`, expected.pm, got.pm, sameBytes);
    this.strictly(`${path}.h`, Object.keys(expected.h), Object.keys(got.h));
    for (const handle of Object.keys(expected.h)) {
      if (Object.hasOwn(got.h, handle)) this.handle(`${path}.h.${handle}`, expected.h[handle], got.h[handle]);
    }
  }

  private handle(path: string, expected: HandleState, got: HandleState): void {
    this.strictly(`${path}.snap`, expected.snap, got.snap, sameBytes);
    this.strictly(`${path}.dpt`, expected.dpt, got.dpt, sameBytes);
    this.strictly(`${path}.inv`, expected.inv, got.inv, this.unorderedEvents ? sameMultiset : same);
  }
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Whether two byte strings are equal, however their runs are split. */
function sameBytes(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "string" || typeof b !== "string") return false;
  return same(decodeBytes(a), decodeBytes(b));
}

function sameMultiset(a: unknown, b: unknown): boolean {
  const sorted = (events: EventRecord[]): string[] => events.map((event) => JSON.stringify(event)).sort();
  return same(sorted(a as EventRecord[]), sorted(b as EventRecord[]));
}
