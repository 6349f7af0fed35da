import type { StepId } from "./texts.ts";
import type { Operation } from "./operation.ts";

/** What a task may hold between two of its steps: mmap_sem for read, or its driver's lock. */
export type Hold = "sem" | "lock";

/**
 * An operation in progress. It is plain data, so that a checkpoint can contain it: the step that comes next,
 * and what earlier steps have learned.
 */
export interface Task {
  /** Counts the tasks of a world. */
  readonly id: number;
  readonly operation: Operation;
  /** The next step; null when the operation is done. */
  next: StepId | null;
  /** What it holds. */
  holds: Hold[];
  /** The address at which the work goes on. */
  at: number;
  /** The notifier sequence that read-begin returned. */
  seq: number;
  /** The words that the range fault returned. */
  pfns: number[];
  /** The id of the open migration; 0: none. */
  migration: number;
  /** What a device's write writes; 0: it has not begun. */
  value: number;
}

/** Makes the task of an operation, before its first step. */
export function newTask(id: number, operation: Operation, next: StepId, at: number): Task {
  return { id, operation, next, holds: [], at, seq: 0, pfns: [], migration: 0, value: 0 };
}
