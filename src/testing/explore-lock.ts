import { dispose } from "../engine/dispose.ts";
import { badType, checkText, EDEADLK, HmmError } from "../engine/errors.ts";
import { EAGAIN } from "../index.ts";

/** @internal A step of an agent that is being made. */
export interface Step {
  agent: string;
  /** What the step has to wait for, if anything. */
  waits: string | null;
}

/** The step that is being made. Steps are synchronous, so there is at most one. */
let current: Step | null = null;

/** @internal Makes a step. Throws what it throws; `step.waits` says whether it has to wait. */
export function makeStep<T>(step: Step, body: () => T): T {
  current = step;
  try {
    return body();
  } catch (error) {
    step.waits ??= reasonToWait(error);
    throw error;
  } finally {
    current = null;
  }
}

/** Says why the caller of an engine's function would have to wait; null if the error has another reason. */
function reasonToWait(error: unknown): string | null {
  if (error instanceof AggregateError) {
    return error.errors.map(reasonToWait).find((reason) => reason !== null) ?? null;
  }
  const waits = error instanceof HmmError && (error.errno === EAGAIN || error.errno === EDEADLK);
  return waits ? error.message : null;
}

/**
 * Makes the running step of an agent wait unless `condition` holds: the step counts as not begun, and is
 * tried again after steps of other agents. Call it in an agent of {@link explore} or in what the agent calls.
 * Throws HmmError EAGAIN for that, and TypeError for bad arguments.
 * @param what names the condition in the report of a deadlock
 */
export function waitFor(condition: boolean, what: string): asserts condition {
  const op = "waitFor";
  if (typeof condition !== "boolean") throw badType(op, "condition", "a boolean", condition);
  if (typeof what !== "string") throw badType(op, "what", "a string", what);
  if (!condition) throw mustWait(op, what);
}

/**
 * Notes that the running step has to wait. The note stays even if the caller of a callback swallows the
 * exception.
 */
function mustWait(op: string, what: string): HmmError {
  if (current !== null) current.waits ??= what;
  return new HmmError(EAGAIN, op, what);
}

/** A held {@link Lock}, which `close()` or the end of the `using` block gives back. Closing is idempotent. */
export interface LockGuard {
  close(): void;
  [dispose](): void;
}

/**
 * A driver's lock, for drivers under {@link explore}: the lock that the invalidation callback and the updates
 * of the device's page table both take. Make it where the world is made. An agent may hold it across yields.
 */
export class Lock {
  readonly name: string;
  #holder: string | null = null;

  /** @param name the lock's name in reports. Throws TypeError unless it is a string. */
  constructor(name = "the driver's lock") {
    checkText("new Lock", "name", name);
    this.name = name;
  }

  /** The agent that holds it, or null. */
  get holder(): string | null {
    return this.#holder;
  }

  /** Takes the lock. If it is held, the running step has to wait, as in {@link waitFor}. */
  acquire(): LockGuard {
    if (this.#holder !== null) throw mustWait("lock.acquire", `${this.name}, which ${this.#holder} holds`);
    this.#holder = current?.agent ?? "somebody";
    let held = true;
    const close = (): void => {
      if (held) this.#holder = null;
      held = false;
    };
    return { close, [dispose]: close };
  }
}
