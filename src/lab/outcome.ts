import { PAGE_SIZE } from "../index.ts";
import { BASE } from "./config.ts";
import { pageRange, type Agent, type Operation } from "./operation.ts";
import type { Task } from "./task.ts";
import type { StepId } from "./texts.ts";
import type { World } from "./world.ts";

/** What a step has done. */
export interface Outcome {
  /** The step that comes next; null: the operation is done. */
  readonly next: StepId | null;
  /** What came of it: "3 pages copied". */
  readonly detail: string;
  /** The calls that it made, in TypeScript on the public API. */
  readonly code: readonly string[];
}

/** Carries one step of a task out. Throws what the calls throw. */
export type StepRun = (world: World, task: Task, agent: Agent) => Outcome;

export function outcome(next: StepId | null, detail: string, ...code: string[]): Outcome {
  return { next, detail, code };
}

/** The first address of an operation's pages. */
export function startOf({ first }: Operation): number {
  return BASE + first * PAGE_SIZE;
}

/** One past the last address of an operation's pages. */
export function endOf({ last }: Operation): number {
  return BASE + (last + 1) * PAGE_SIZE;
}

/** The page of an address, from the beginning of the mapping. */
export function pageOf(address: number): number {
  return (address - BASE) / PAGE_SIZE;
}

/** Says which pages [start, end) has. */
export function pagesText(start: number, end: number): string {
  return pageRange(pageOf(start), pageOf(end) - 1);
}

/** Writes a number of things: "1 page", "2 pages". */
export function count(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}
