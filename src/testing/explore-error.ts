import type { ScheduleStep } from "./explore-run.ts";

/** Writes the steps as a numbered list, with the names in a column. */
function list(steps: readonly ScheduleStep[]): string[] {
  const width = Math.max(0, ...steps.map(({ agent }) => agent.length));
  return steps.map(({ agent, label }, i) => `${String(i + 1).padStart(3)}. ${agent.padEnd(width)}  ${label}`);
}

/**
 * The failure of a schedule, which {@link explore} throws. The message shows the schedule as a numbered list.
 * `explore(agents, { ...options, schedule: error.schedule })` makes the same steps again, and fails in the
 * same way.
 */
export class ScheduleError extends Error {
  override readonly name: string = "ScheduleError";
  /**
   * The agent whose step failed; null if not a step failed but the state after the last one (a deadlock,
   * `atEnd`).
   */
  readonly agent: string | null;
  /** The label of the step that failed; null where `agent` is. */
  readonly step: string | null;
  /** The steps that were made, the failing one last. */
  readonly steps: readonly ScheduleStep[];

  /** @internal `failing`: the last of the steps is the one that failed. */
  constructor(what: string, steps: readonly ScheduleStep[], failing: boolean, cause?: unknown) {
    const last = failing ? steps.at(-1)! : null;
    const [first, ...details] = what.split("\n");
    const where = last === null ? "" : `${last.agent}, step "${last.label}": `;
    const lines = list(steps);
    if (last !== null) lines[lines.length - 1] += "  <- here";
    const replay = `replay with schedule: ${JSON.stringify(steps.map(({ agent }) => agent))}`;
    super([`explore: ${where}${first}`, ...lines, replay, ...details].join("\n"), { cause });
    this.agent = last?.agent ?? null;
    this.step = last?.label ?? null;
    this.steps = [...steps];
  }

  /** The agents' names in the order of their steps, for explore's option of this name. */
  get schedule(): string[] {
    return this.steps.map(({ agent }) => agent);
  }
}
