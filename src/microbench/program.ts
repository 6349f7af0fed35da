/** What a microbenchmark is: a program that opens an engine and repeats one piece of work. */
import { Hmm, migrateVmaSetup, PAGE_SIZE, type HmmConfig, type HmmDevmem, type Mm } from "../index.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** One program. */
export interface Microbenchmark {
  /** What it measures, as a path: `migrate/to-device/64KiB`. */
  readonly name: string;
  /** The same in a sentence. */
  readonly about: string;
  /** What its nanoseconds are counted by. */
  readonly unit: "page" | "access" | "snapshot";
  /** Makes an engine and all that the repetitions need. The caller closes what it returns. */
  open(): Promise<Work>;
}

/** A program that is open. */
export interface Work {
  /** Units in a repetition. */
  readonly units: number;
  /** Bytes that a repetition copies; 0 if it copies nothing. */
  readonly bytes: number;
  /** Makes ready for a repetition. It is not timed. */
  prepare?(): void;
  /** The repetition, which is timed. */
  run(): void;
  /** Throws if a repetition that has just ended did not do what it should have. It is not timed. */
  check(): void;
  close(): void;
}

/** Creates an engine with room for `bytes` in system memory and as much on devices. */
export function createEngine(bytes: number, config: HmmConfig = {}): Promise<Hmm> {
  // A megabyte more is for what programs have beside their working set.
  return Hmm.create({ systemMemory: bytes + MIB, deviceMemory: Math.max(bytes, 2 * MIB), ...config });
}

/** Throws unless a count is as it should be. */
export function expect(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, expected ${expected}`);
}

/** What one migration moves: [start, end) of one mapping, and which of its pages, to RAM or to a device. */
export interface Move {
  mm: Mm;
  start: number;
  end: number;
  to: Hmm | HmmDevmem;
  select?: number;
  owner: unknown;
}

/** Migrates a range, copies included, as drivers do. Returns how many pages moved. */
export function migrate({ mm, start, end, to, select, owner }: Move): number {
  using m = migrateVmaSetup({ vma: mm.findVma(start), start, end, select, owner });
  to.allocPages(m.src, m.dst);
  mm.hmm.copyPages(m.src, m.dst);
  return m.pages();
}

/** Ends an engine whose invariants hold. */
export function closeEngine(hmm: Hmm): void {
  hmm.verify();
  hmm.close();
}

/** Pages of a number of bytes. */
export const pagesOf = (bytes: number): number => bytes / PAGE_SIZE;

/** A size as names have it: 64KiB, 2MiB. */
export const sizeName = (bytes: number): string => (bytes < MIB ? `${bytes / KIB}KiB` : `${bytes / MIB}MiB`);
