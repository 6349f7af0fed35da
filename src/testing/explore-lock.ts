import { dispose } from "../engine/dispose.ts";
import { badType, checkText, EDEADLK, HmmError } from "../engine/errors.ts";
import { EAGAIN } from "../index.ts";

/** @internal A step of an agent that is being made. */
export interface Step {
  agent: string;
  /** What it has met that it has to wait for. */
  waits: string | null;
}

/** Everything is synchronous, so there is at most one. */
let current: Step | null = null;

/** @internal Makes a step. What it throws is thrown; `step.waits` says whether it has to wait. */
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

/** Why the caller of an engine's function would have to wait; null if the error is none of that kind. */
function reasonToWait(error: unknown): string | null {
  if (error instanceof AggregateError) {
    return error.errors.map(reasonToWait).find((reason) => reason !== null) ?? null;
  }
  const waits = error instanceof HmmError && (error.errno === EAGAIN || error.errno === EDEADLK);
  return waits ? error.message : null;
}

/**
 * In an agent of {@link explore}, or in what it calls: the running step needs `condition`. If it does not
 * hold, the step counts as not begun, and is tried again when other agents have gone on.
 * @param what names the condition in a deadlock's report
 */
export function waitFor(condition: boolean, what: string): asserts condition {
  const op = "waitFor";
  if (typeof condition !== "boolean") throw badType(op, "condition", "a boolean", condition);
  if (typeof what !== "string") throw badType(op, "what", "a string", what);
  if (!condition) throw mustWait(op, what);
}

/**
 * Notes that the running step has to wait: whoever calls a callback may swallow the exception, the note
 * stays.
 */
function mustWait(op: string, what: string): HmmError {
  if (current !== null) current.waits ??= what;
  return new HmmError(EAGAIN, op, what);
}

/**
 * A held {@link Lock}; `close()` or the end of the `using` block gives it back. Closing twice does nothing.
 */
export interface LockGuard {
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * A driver's lock, for drivers under {@link explore}: the one that its invalidation callback and its updates
 * of the device's table both take. Make it where the world is made. An agent may keep it across yields.
 */
export class Lock {
  readonly name: string;
  #holder: string | null = null;

  /** @param name what reports call it */
  constructor(name = "the driver's lock") {
    checkText("new Lock", "name", name);
    this.name = name;
  }

  /** The agent that holds it, or null. */
  get holder(): string | null {
    return this.#holder;
  }

  /** Takes the lock. If somebody has it, the running step has to wait: see {@link waitFor}. */
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
